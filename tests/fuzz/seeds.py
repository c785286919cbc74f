"""What fuzzing begins with: the rules' own examples, what broke others, what it found before."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from clusteraudit.model.kinds import KINDS
from clusteraudit.rules.catalogue import catalogue
from fuzz.targets import NAMES

CORPUS = Path(__file__).with_name("corpus")
NASTY: tuple[object, ...] = (
    *(None, True, 0, -1, 1, 2**31, 2**63, 2**64, 10**400, 1.5, 1e308, "", "0", "-1", "1e400"),
    *("\u0000", "\u001b[31m", "\u202eabc", "\ud83d\ude00", "x" * 300, "NaN", "1Ei", "5m", "9" * 40),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "::1", "fe80::%1"),
    *([], {}, [None], [[]], {"": ""}, {"cpu": None}, [{}], [{"name": None}]),
    *("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "100%", "-1%", "False", "Unknown"),
)
"""Put in the place of anything."""


def seeds(target: str) -> Iterator[bytes]:
    """First inputs of a target."""
    yield from {
        "decoder": _objects,
        "quantity": _quantities,
        "selector": _selectors,
        "reader": _files,
    }[target]()


def kept(target: str) -> Iterator[bytes]:
    """The corpus of a target, the smallest that reaches all that was reached: an input a line."""
    for line in (CORPUS / f"{target}.txt").read_text(encoding="ascii").splitlines():
        yield base64.b64decode(line)


def examples() -> Iterator[dict[str, object]]:
    """An object of each kind and more, as the rules show them."""
    for rule in catalogue():
        for example in rule.examples:
            yield from (dict(one) for one in example.objects)


def _objects() -> Iterator[bytes]:
    for one in examples():
        kind = str(one["kind"])
        if kind in KINDS:
            yield bytes([NAMES.index(kind)]) + json.dumps(one).encode()
    for number in range(len(NAMES)):
        yield bytes([number]) + b'{"metadata":{"name":"a","namespace":"b"},"spec":{},"status":{}}'


def _quantities() -> Iterator[bytes]:
    yield from (b"1", b"100m", b"1.5Gi", b"-1", b"1e3", b"1E-3", b"+.5Ki", b"9223372036854775807")
    yield from (b"8Ei", b"1n", b"1u", b"1k", b"0.0000000001", b"1e-2147483648", b"m", b".")


def _selectors() -> Iterator[bytes]:
    expressions = [
        {"key": "a", "operator": operator, "values": ["1", "b"][: 1 if operator in "GtLt" else 2]}
        for operator in ("In", "NotIn", "Gt", "Lt")
    ]
    absent = [{"key": "a", "operator": operator} for operator in ("Exists", "DoesNotExist")]
    labels = {"a": "b", "n": "5"}
    for each in (*expressions, *absent):
        yield json.dumps([labels, {"matchLabels": {"a": "b"}, "matchExpressions": [each]}]).encode()
        terms = [{"matchExpressions": [each], "matchFields": [each]}]
        yield json.dumps([labels, {"nodeSelectorTerms": terms}]).encode()


def _files() -> Iterator[bytes]:
    some = [*examples()][:40:4]
    yield b"\0" + yaml.safe_dump_all(some).encode()
    yield b"\0" + yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": some[:2]}).encode()
    yield b"\1" + json.dumps({"apiVersion": "v1", "kind": "List", "items": some[:3]}).encode()
    yield b"\1" + json.dumps({"kind": "PodList", "apiVersion": "v1", "items": some[:1]}).encode()
    header = {"snapshotVersion": 1, "takenAt": "2026-01-01T00:00:00Z", "listed": ["Pod"]}
    yield b"\2" + b"\n".join(json.dumps(one).encode() for one in (header, *some[:4]))
    yield b"\0&a [*a, *a]\n---\nkind: &b Pod\napiVersion: v1\nmetadata: {name: *b}\n"
