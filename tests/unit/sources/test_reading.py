"""Files are read as far as they are asked for, whatever their format; and in whichever pieces."""

import gzip
import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusteraudit.sources import chunks, splitter
from clusteraudit.sources.faults import ParseError
from clusteraudit.sources.gather import Gathering
from clusteraudit.sources.parse import objects
from clusteraudit.sources.splitter import Splitter

AHEAD = 2**20
"""Bytes that may be read before the first object is there."""
TAKEN = 1000

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Endless(io.RawIOBase):
    """A file without end; it knows how much of it was read."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            self._rest = next(self._parts)
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        self.given += len(piece)
        return len(piece)


def pod(number: int, **meta: object) -> bytes:
    named = {"name": f"p{number}", "namespace": "n", **meta}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": named}).encode()


def untyped(number: int) -> bytes:
    return json.dumps({"metadata": {"name": f"p{number}", "note": '"}],{['}}).encode()


def written(number: int) -> bytes:
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}}}".encode()


def pods(before: bytes, between: bytes, make: Any = pod) -> Iterator[bytes]:
    yield before
    for number in itertools.count():
        yield make(number) + between


def zipped(parts: Iterator[bytes]) -> Iterator[bytes]:
    """What gzip makes of them, as it comes."""
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb") as file:
        for part in parts:
            file.write(part)
            if made.tell() > 1000:
                yield made.getvalue()
                made.seek(0)
                made.truncate()


KUBECTL = b'{\n    "apiVersion": "v1",\n    "items": [\n        '
FORMS = {
    "a.jsonl": lambda: pods(b"", b"\n"),
    "a.jsonl.gz": lambda: zipped(pods(b"", b"\n")),
    "-": lambda: pods(b"", b"\n"),
    "a.json": lambda: pods(KUBECTL, b",\n"),
    "raw.json": lambda: pods(
        b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[',
        b",",
        untyped,
    ),
    "a.yaml": lambda: pods(b"", b"\n---\n", written),
    "a.yaml.gz": lambda: zipped(pods(b"# pods\n---\n", b"\n---\n", written)),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_file_without_end_is_read_as_far_as_it_is_asked_for(name: str) -> None:
    file = Endless(FORMS[name]())
    gathering = Gathering()

    for payload in itertools.islice(objects(name, io.BufferedReader(file)), TAKEN):
        gathering.add(name, payload)

    assert gathering.counts == {"Pod": TAKEN}
    assert file.given < AHEAD


@given(st.lists(values, max_size=6), st.sampled_from([None, 1, 4]), st.data())
def test_items_are_the_same_in_whichever_pieces_they_come(
    items: list[object], indent: int | None, data: st.DataObject
) -> None:
    text = json.dumps(items, indent=indent).encode()[1:] + b', "kind": "List"}'
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    splitter = Splitter()

    found: list[bytes] = []
    for begin, end in itertools.pairwise([0, *cuts, len(text)]):
        found += splitter.feed(text[begin:end])
    found += splitter.close()

    assert [json.loads(one) for one in found] == items
    assert splitter.tail == b', "kind": "List"}'


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b'{"a": 1', b"1 2]", b"1,]", b'"a', b"{]}]", b"[" * 100_000 + b"]" * 100_001],
)
def test_what_is_no_list_is_refused(text: bytes) -> None:
    splitter = Splitter()
    with pytest.raises(ParseError):
        list(itertools.chain(splitter.feed(text), splitter.close()))


def names(name: str, text: bytes) -> list[tuple[str, str]]:
    """Kind and name of everything in a file."""
    gathering = Gathering()
    for payload in objects(name, io.BytesIO(text)):
        gathering.add(name, payload)
    return sorted((one.kind, one.key[1]) for one in gathering.rows() if one.kind != "APIGroup")


def test_a_list_whose_kind_is_told_after_untyped_items() -> None:
    """As a list of the API with its keys sorted: read as a whole, for its items say nothing."""
    items = [json.loads(untyped(number)) for number in range(3)]
    text = json.dumps({"apiVersion": "v1", "items": items, "kind": "PodList"}).encode()

    assert names("a.json", text) == [("Pod", "p0"), ("Pod", "p1"), ("Pod", "p2")]


def test_an_object_that_has_items_is_no_list() -> None:
    text = b'{"apiVersion":"example.com/v1","items":[' + pod(1) + b'],"kind":"Basket"}'

    assert names("a.json", text) == []


def test_a_list_that_is_cut_off_gives_what_is_there_and_says_so() -> None:
    text = KUBECTL + pod(1) + b"," + pod(2)[:-9]
    found = objects("a.json", io.BytesIO(text))

    assert next(found) == pod(1)
    with pytest.raises(ParseError, match="is not whole JSON"):
        next(found)


def test_a_list_in_one_line_may_be_longer_than_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (chunks, splitter):
        monkeypatch.setattr(module, "MAX_LINE", 2**20)
    many = b'{"kind":"PodList","apiVersion":"v1","items":['
    body = b",".join(pod(number) for number in range(20_000))
    text = many + body + b"]}"
    assert len(text) > 2**20

    assert len(list(objects("a.json", io.BytesIO(text)))) == 20_000
    with pytest.raises(ParseError, match="has an item of more than 1 MiB"):
        list(objects("a.json", io.BytesIO(many + b'{"a":"' + b"x" * 2**21)))
    with pytest.raises(ParseError, match="has a line of more than 1 MiB"):
        list(objects("a.jsonl", io.BytesIO(b"x" * 2**21)))


def test_a_document_that_is_no_yaml_costs_itself() -> None:
    text = b"kind: Pod\n---\nkind: [Pod\n---\nkind: Job\n---\nkind: {\n"
    found: list[object] = []
    with pytest.raises(ParseError, match="in line 4, and 1 more of it is wrong"):
        found.extend(objects("a.yaml", io.BytesIO(text)))

    assert found == [{"kind": "Pod"}, {"kind": "Job"}]


def test_documents_of_yaml() -> None:
    text = b"%YAML 1.1\n---\nkind: Pod\n...\n%YAML 1.1\n--- # c\nkind: Job\n---\n\n---\r\na: ---\n"

    found = [
        payload for payload in objects("a.yaml", io.BytesIO(text)) if isinstance(payload, dict)
    ]

    assert found == [{"kind": "Pod"}, {"kind": "Job"}, {"a": "---"}]


def test_a_fault_in_a_later_document_is_told_by_its_line_in_the_file() -> None:
    text = b"kind: Pod\n---\nkind: Job\n---\nkind: [Pod\n"
    with pytest.raises(ParseError, match="in line 6"):
        list(objects("a.yaml", io.BytesIO(text)))


def gathered(*payloads: bytes) -> Gathering:
    gathering = Gathering()
    for payload in payloads:
        gathering.add("f", payload)
    return gathering


BAD = {"resources": {"requests": {"cpu": "much"}}, "name": "c"}


def version(number: int, *, bad: bool = False) -> bytes:
    made = json.loads(pod(1, resourceVersion=str(number), labels={"v": str(number)}))
    if bad:
        made["spec"] = {"containers": [BAD]}
    return json.dumps(made).encode()


def labels(gathering: Gathering) -> list[str | None]:
    rows = (one.row for one in gathering.rows() if one.kind == "Pod")
    return [row.template.labels.get("v") for row in rows]  # type: ignore[union-attr]


def test_of_an_object_that_is_there_twice_the_higher_version_counts() -> None:
    found = gathered(version(2), version(3), version(1))

    assert labels(found) == ["3"]
    assert (found.duplicates, found.counts) == (2, {"Pod": 1})


def test_a_version_that_cannot_be_evaluated_hides_older_ones_and_is_hidden_by_newer_ones() -> None:
    hides, hidden = gathered(version(1), version(2, bad=True)), gathered(version(2, bad=True))
    hidden.add("f", version(3))

    assert (labels(hides), hides.counts) == ([], {})
    assert [one.reason for one in hides.skipped] == ["InvalidQuantity"]
    assert (labels(hidden), hidden.skipped) == (["3"], [])


def test_a_list_that_begins_anew_counts_once() -> None:
    gathering = Gathering()
    for _ in range(2):
        gathering.begin("Pod")
        gathering.add_item("Pod", pod(1))

    assert (gathering.counts, gathering.duplicates) == ({"Pod": 1}, 0)
