"""What comes as a list is decoded many objects at a time, and none of them is cut."""

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusteraudit.sources import arrays as module
from clusteraudit.sources.arrays import Arrays
from clusteraudit.sources.faults import ParseError

TAIL = b"]}"


class Thing(msgspec.Struct):
    """An object, which may hold some that look like itself."""

    metadata: dict[str, str]
    text: str = ""
    inner: list[dict[str, object]] = []


def thing(number: int, text: str = "", inner: int = 0) -> dict[str, object]:
    """One of a kilobyte."""
    held = [{"metadata": {"name": str(n)}, "text": "x" * 100} for n in range(inner)]
    return {"metadata": {"name": str(number)}, "text": text + "x" * 1000, "inner": held}


def body(*objects: object) -> bytes:
    return msgspec.json.encode(objects)[1:-1] + TAIL


def parts(text: bytes, size: int = 10_000) -> list[Sequence[Thing] | Sequence[bytes]]:
    """What comes of it, in pieces of so many bytes."""
    arrays = Arrays(Thing)
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    return [part for piece in pieces for part in arrays.feed(piece)] + list(arrays.close())


def read(text: bytes, size: int = 10_000) -> list[Thing]:
    """The objects, whoever decodes them."""
    found = [one for part in parts(text, size) for one in part]
    return [
        one if isinstance(one, Thing) else msgspec.json.decode(one, type=Thing) for one in found
    ]


@pytest.mark.parametrize("size", [1_000, 10_000, 10_000_000])
def test_many_are_decoded_at_a_time_and_few_are_held(size: int) -> None:
    text = body(*map(thing, range(1000)))
    told = parts(text, size)
    assert 7 <= len(told) <= 16
    assert [one for part in told for one in part] == [
        msgspec.convert(thing(n), Thing) for n in range(1000)
    ]


def test_texts_and_objects_that_look_like_the_cut_are_not_cut() -> None:
    told = [thing(n, '},{"metadata":{"name":"x"' * 100, inner=50) for n in range(200)]
    assert read(body(*told)) == [msgspec.convert(one, Thing) for one in told]


def test_what_is_written_with_blanks_is_read_one_by_one() -> None:
    told = list(map(thing, range(300)))
    text = json.dumps(told, indent=1).encode()[1:-1] + TAIL
    assert read(text) == [msgspec.convert(one, Thing) for one in told]


def test_an_object_longer_than_a_part_is_whole() -> None:
    told = [thing(0, "y" * 500_000), *map(thing, range(300)), thing(1, "z" * 500_000)]
    assert read(body(*told)) == [msgspec.convert(one, Thing) for one in told]


def test_one_of_another_shape_comes_as_it_came_and_its_neighbours_too() -> None:
    told = parts(body(*map(thing, range(300)), {"metadata": 3}, *map(thing, range(300))))
    kinds = [{type(one) for one in part} for part in told]
    assert kinds.count({bytes}) == 1
    assert kinds.count({Thing}) == len(told) - 1
    assert sum(map(len, told)) == 601


@pytest.mark.parametrize("text", [b"]}", b" ] } ", b'],"kind":"L"}'])
def test_there_may_be_none(text: bytes) -> None:
    assert read(text) == []


@pytest.mark.parametrize("cut", [2, 3, 500, 150_000])
def test_one_that_ends_too_early_is_refused(cut: int) -> None:
    text = body(*map(thing, range(300)))
    with pytest.raises(ParseError):
        read(text[:-cut])


@pytest.mark.parametrize("at", [0, 100_000, 250_000])
def test_what_is_no_json_is_refused(at: int) -> None:
    text = body(*map(thing, range(300)))
    at = text.find(b'{"metadata"', at)
    with pytest.raises(ParseError):
        read(text[:at] + b"<html>" + text[at:])


names = st.text(max_size=5)
values = st.recursive(
    st.none() | st.integers() | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


@given(
    st.lists(values | st.builds(thing, st.integers(0, 9)), max_size=6),
    st.sampled_from([None, 1]),
    st.integers(1, 200),
    st.integers(1, 300),
)
def test_what_comes_is_what_was_sent(
    told: list[object], indent: int | None, size: int, part: int
) -> None:
    separators = (",", ":") if indent is None else None
    text = json.dumps(told, indent=indent, separators=separators).encode()[1:-1] + TAIL
    before, module._PART = module._PART, part
    try:
        found = [one for some in parts(text, size) for one in some]
    finally:
        module._PART = before
    assert [
        msgspec.to_builtins(one) if isinstance(one, Thing) else json.loads(one) for one in found
    ] == told
