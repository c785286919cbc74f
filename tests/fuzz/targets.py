"""What is fuzzed: functions of bytes that fail where a promise is broken.

They need no fuzzer, so that the unit suite replays what a fuzzer has found.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from clusteraudit.model.kinds import KINDS
from clusteraudit.model.quantity import MAX, QuantityError, amount
from clusteraudit.model.rows import Key, Row
from clusteraudit.model.selectors import Labels, Requirement, SelectorError
from clusteraudit.sources import files
from clusteraudit.sources.convert import node_selector, selector
from clusteraudit.sources.feed import KindState
from clusteraudit.sources.gather import Gathering
from clusteraudit.sources.parts import NodeTerms, Selector
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.resources import resource

NAMES = tuple(KINDS)
SUFFIXES = (".yaml", ".json", ".jsonl", ".json.gz", ".yaml.gz")


class Seen:
    """A sink that remembers the last of each object."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row | None] = {}
        self.skips: list[str] = []

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        """An object as it is now."""
        self.rows[key] = row

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        """An object that cannot be evaluated."""
        self.skips.append(reason)

    def state(self, kind: str, state: KindState) -> None:
        """Of no interest here."""


def decoder(data: bytes) -> None:
    """An object of the kind that the first byte chooses: a row, or a reason why there is none.

    The informer and a list must be of one mind about it.
    """
    if not _could_be_sent(data[1:]):
        return
    known, text = resource(NAMES[data[0] % len(NAMES)]), data[1:]
    seen, gathering = Seen(), Gathering()
    Reader(known, seen).put(text)
    gathering.add_item(known.kind, text)
    rows = {one.key: one.row for one in gathering.rows() if one.kind == known.kind}
    assert len(seen.rows) + len(seen.skips) == 1, (seen.rows, seen.skips)
    if _addressed(text, namespaced=known.namespaced):
        assert seen.rows == rows, (seen.rows, seen.skips, rows, gathering.skipped)
    assert rows or gathering.skipped, "lost without a word"


def _could_be_sent(text: bytes) -> bool:
    """Whether an API server could send it: an object in UTF-8, its type told in text."""
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict) or "snapshotVersion" in value:
        return False
    return all(isinstance(value.get(name, ""), str) for name in ("apiVersion", "kind"))


def _addressed(text: bytes, *, namespaced: bool) -> bool:
    """Whether it says where it is, as all do that a server holds."""
    meta = json.loads(text).get("metadata")
    names = ("name", "namespace") if namespaced else ("name",)
    told = isinstance(meta, dict) and all(meta.get(one) for one in names)
    return told and (namespaced or not meta.get("namespace"))


def quantity(data: bytes) -> None:
    """A quantity: an amount that int64 holds, or an error; the same in both units."""
    text = data.decode(errors="ignore")
    try:
        milli, count = amount("cpu", text), amount("memory", text)
    except QuantityError as error:
        _told(error)
        return
    assert max(abs(milli), abs(count)) <= MAX
    assert abs(count) == -(-abs(milli) // 1000), (text, milli, count)


def labels_select(data: bytes) -> None:
    """Selectors as JSON, labels after them: matched, or refused; what is not In is NotIn."""
    try:
        said, asked = msgspec.json.decode(data, type=tuple[dict[str, str], msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    labels = Labels(tuple(sorted(said.items())))
    for made in (_selected, _terms):
        try:
            found = made(asked)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        except SelectorError as error:
            _told(error)
            continue
        _opposites(found, labels)


def _selected(asked: msgspec.Raw) -> tuple[Requirement, ...]:
    return selector(msgspec.json.decode(asked, type=Selector)).requirements


def _terms(asked: msgspec.Raw) -> tuple[Requirement, ...]:
    terms = node_selector(msgspec.json.decode(asked, type=NodeTerms)).terms
    return tuple(one for term in terms for one in (*term.expressions, *term.fields))


def _told(error: ValueError) -> None:
    """An error says why."""
    assert str(error).strip()


def _opposites(found: tuple[Requirement, ...], labels: Labels) -> None:
    """What is not In is NotIn, and what is there is not absent."""
    for one in found:
        matched = one.matches(labels)
        other = {"In": "NotIn", "Exists": "DoesNotExist"}.get(one.operator)
        if other:
            assert msgspec.structs.replace(one, operator=other).matches(labels) != matched
        assert isinstance(str(one), str)


def reader(data: bytes) -> None:
    """A file, its name chosen by the first byte: objects, and what was left out and why."""
    with tempfile.NamedTemporaryFile(suffix=SUFFIXES[(data or b"0")[0] % len(SUFFIXES)]) as file:
        Path(file.name).write_bytes(data[1:])
        try:
            gathering = files.gather([file.name], _silent)
        except files.UnreadableError as error:
            _told(error)
            return
    changes = list(gathering.rows())
    assert all(one.row is None or one.key[1] or one.kind == "APIGroup" for one in changes)
    assert changes or gathering.skipped or gathering.ignored or gathering.header
    gathering.now()


def _silent(_what: str, _number: int) -> None:
    """Progress, not shown."""


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "decoder": decoder,
    "quantity": quantity,
    "selector": labels_select,
    "reader": reader,
}
"""By the names of their corpora."""
