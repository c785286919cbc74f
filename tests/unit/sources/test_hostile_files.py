"""Files that nobody writes by accident: each is told of or left out, and takes nothing along."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from clusteraudit.sources.files import gather
from clusteraudit.sources.gather import Gathering
from scale.process import command_line

GOOD = b"{apiVersion: v1, kind: Namespace, metadata: {name: good}}"
DIGITS = b"9" * 6000


def namespace(more: bytes = b"", name: bytes = b'"bad"') -> bytes:
    return b'{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%b%b}}' % (name, more)


def node(more: bytes) -> bytes:
    return b'{"apiVersion":"v1","kind":"Node","metadata":{"name":"bad"},%b}' % more


def laughs(levels: int = 12) -> bytes:
    """A billion laughs: each line is ten times the line before."""
    lines = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for at in range(1, levels):
        refs = b", ".join(b"*a%d" % (at - 1) for _ in range(10))
        lines.append(b"a%d: &a%d [%b]" % (at, at, refs))
    return b"apiVersion: v1\nkind: Node\nmetadata: {name: bad}\n" + b"\n".join(lines)


REFUSED = {
    "latin-1.yaml": b"kind: Node\napiVersion: v1\nmetadata: {name: bad, labels: {a: \xe4}}",
    "utf-16.json": namespace().decode().encode("utf-16"),
    "utf-16-without-mark.json": namespace().decode().encode("utf-16-le"),
    "utf-32.yaml": GOOD.decode().encode("utf-32"),
    "nul.yaml": b" " * 5000 + b"apiVersion: v1\nkind: Node\n\0",
    "half-a-character.json": namespace(b',"labels":{"a":"\\ud800"}'),
    "utf-8.json": namespace(b',"labels":{"a":"\xff"}'),
    "utf-8-name.json": namespace(name=b'"\xff"'),
    "utf-8-key.json": namespace(b',"labels":{"\xff":"a"}'),
    "deep.json": node(b'"x":' + b"[" * 100_000 + b"]" * 100_000),
    "deep-inside.json": namespace(b',"labels":' + b'{"a":' * 2000 + b"1" + b"}" * 2000),
    "deep.yaml": b"- " * 5000 + b"x",
    "deep-flow.yaml": b"[" * 5000 + b"]" * 5000,
    "laughs.yaml": laughs(),
    "itself.yaml": b"{apiVersion: v1, kind: Node, metadata: &a {name: bad, labels: *a}}",
    "itself-whole.yaml": b"&a {apiVersion: v1, kind: Node, metadata: {name: bad}, spec: *a}",
    "list-of-itself.yaml": b"{apiVersion: v1, kind: List, items: &a [*a]}",
    "integer.json": node(b'"spec":{"unschedulable":%b}' % DIGITS),
    "integer.yaml": b"{apiVersion: v1, kind: Node, metadata: {name: bad, generation: %b}}" % DIGITS,
    "amount.json": node(b'"status":{"allocatable":{"cpu":1e999}}'),
    "amount-as-text.json": node(b'"status":{"allocatable":{"cpu":"%b"}}' % DIGITS),
    "infinite.yaml": b"{apiVersion: v1, kind: Node, metadata: {name: bad}, "
    b"status: {allocatable: {cpu: .inf}}}",
    "key-that-is-a-list.yaml": b"{apiVersion: v1, kind: Node, metadata: {name: bad, ? [a] : b}}",
    "python.yaml": b"!!python/object/apply:os.system ['touch /tmp/owned']",
    "binary-name.yaml": b"{apiVersion: v1, kind: Node, metadata: {name: !!binary aGFsbG8=}}",
    "long-name.json": namespace(name=b'"%b"' % (b"a" * 254)),
    "long-namespace.json": b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bad",'
    b'"namespace":"%b"}}' % (b"a" * 64),
    "cut.json.gz": gzip.compress(namespace())[:-9],
    "no.json.gz": b"\x1f\x8b" + bytes(100),
}
TAKEN = {
    "mark.json": b"\xef\xbb\xbf" + namespace(),
    "mark.yaml": b"\xef\xbb\xbf" + GOOD.replace(b"good", b"bad"),
    "twice.json": namespace(b',"name":"last"'),
    "twice.yaml": b"{apiVersion: v1, kind: Namespace, metadata: {name: bad, name: last}}",
    "version.json": namespace(b',"resourceVersion":"%b"' % DIGITS),
    "null.json": namespace(b',"namespace":null,"labels":{"a":null}'),
    "year.json": namespace(b',"creationTimestamp":"0001-01-01T00:00:00Z"'),
    "no-year.json": namespace(b',"creationTimestamp":"9999-99-99T00:00:00Z"'),
    "escaped-nul.json": namespace(b',"labels":{"a":"\\u0000"}'),
    "anchors.yaml": b"{apiVersion: v1, kind: &k Namespace, metadata: {name: bad, labels: {a: *k}}}",
}


def read(folder: Path) -> Gathering:
    return gather([str(folder)], lambda _what, _number: None)


def held(gathering: Gathering) -> set[str]:
    return {one.key[1] for one in gathering.rows() if one.kind != "APIGroup"}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_left_out_with_a_reason_and_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(REFUSED[name])
    (tmp_path / "good.yaml").write_bytes(GOOD)
    gathering = read(tmp_path)

    assert held(gathering) == {"good"}
    assert [Path(one.source).name for one in gathering.skipped] == [name]
    assert gathering.skipped[0].message


@pytest.mark.parametrize("name", TAKEN)
def test_it_is_read_as_the_server_would_read_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(TAKEN[name])
    gathering = read(tmp_path)

    assert held(gathering) == ({"last"} if name.startswith("twice") else {"bad"})
    assert gathering.skipped == []
    gathering.now()


WRONG: tuple[object, ...] = (None, True, 0, -1, 1.5, "", "x", [], [None], {}, {"": ""}, [[[]]])
FIELDS = ("metadata", "spec", "status", "kind", "apiVersion")


@pytest.mark.parametrize("field", FIELDS)
def test_wrong_types_cost_one_object(field: str, tmp_path: Path) -> None:
    whole = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "bad"}, "spec": {}}
    every = [{**whole, field: wrong} for wrong in WRONG]
    good = [{**whole, "metadata": {"name": f"good-{at}"}} for at in range(len(every))]
    lines = [line for pair in zip(every, good, strict=True) for line in pair]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    gathering = read(tmp_path)

    assert held(gathering) - {"bad"} == {f"good-{at}" for at in range(len(every))}


def test_a_bad_line_costs_itself(tmp_path: Path) -> None:
    lines = [namespace(name=b'"a"'), b"nonsense", namespace()[:-9], b"\xff", namespace(name=b'"b"')]
    (tmp_path / "all.jsonl").write_bytes(b"\n".join(lines))
    gathering = read(tmp_path)

    assert held(gathering) == {"a", "b"}
    (said,) = gathering.skipped
    assert said.message.startswith("line 2 is not whole JSON")
    assert said.message.endswith("and 2 more of it is wrong")


def test_a_bad_document_or_item_costs_itself(tmp_path: Path) -> None:
    items = b"apiVersion: v1\nkind: List\nitems: [1, %b]\n" % GOOD.replace(b"good", b"a")
    (tmp_path / "all.yaml").write_bytes(b"text\n---\n" + items + b"---\n" + GOOD)
    (tmp_path / "all.json").write_bytes(
        b'{"kind":"NodeList","apiVersion":"v1","items":[{"kind":1},{"metadata":{"name":"b"}}]}'
    )
    gathering = read(tmp_path)

    assert held(gathering) == {"a", "b", "good"}
    assert len(gathering.skipped) == 2


ENDLESS = """
import sys
piece = b"x" * 2**20
sys.stdout.buffer.write(sys.argv[1].encode())
try:
    for _ in range(2**10):
        sys.stdout.buffer.write(piece)
except BrokenPipeError:
    sys.stderr.close()
"""


ENDED = dict.fromkeys(("", '{"kind": "', "[", "kind: "), "a line")
ENDED['{"kind":"PodList","items":[{"a":"'] = "an item"


@pytest.mark.slow
@pytest.mark.parametrize("head", ENDED)
def test_a_line_of_a_gigabyte_ends_early(head: str) -> None:
    with subprocess.Popen([sys.executable, "-c", ENDLESS, head], stdout=subprocess.PIPE) as source:
        ran = command_line(["scan", "-f", "-"], stdin=source.stdout)
        assert source.stdout is not None
        source.stdout.close()

    assert ran.exit == 2
    assert ran.errors.strip() == f"Error: - has {ENDED[head]} of more than 256 MiB"
    assert ran.peak is not None
    assert ran.peak < 700 * 2**20
