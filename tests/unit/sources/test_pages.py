"""A list in pages: one ahead, none more, and nothing left behind by who stops early."""

import asyncio
import weakref
from contextlib import aclosing
from typing import Self

import msgspec
import pytest

from clusteraudit.kube.errors import ApiError, GoneError
from clusteraudit.sources.pages import ListMeta, Pages

META = {"resourceVersion": "5", "continue": ""}


def words() -> Pages[str]:
    return Pages(str, "GET /words", asyncio.Lock())


def read(body: bytes) -> tuple[list[object], ListMeta]:
    """All objects of a page, and what it says of the list."""
    parts = list(words().parts(body))
    return [item for part in parts for item in part.items], parts[0].metadata


def page(token: str, size: int = 10, left: int | None = None) -> bytes:
    """As the API server writes it: what it says of the list, then the objects."""
    meta = {**META, "continue": token, **({"remainingItemCount": left} if left else {})}
    body = {"kind": "WordList", "metadata": meta, "items": ["x" * (size - 3)] * 500}
    return msgspec.json.encode(body)


class Asked:
    """Answers three pages, and notes what was asked for and what became of it."""

    def __init__(self, fail_at: int = 3, hold_at: int = 3) -> None:
        self.params: list[dict[str, str]] = []
        self.cancelled = 0
        self.answer = asyncio.Event()
        self.answer.set()
        self._fail_at, self._hold_at = fail_at, hold_at

    async def __call__(self, params: dict[str, str]) -> bytes:
        number = len(self.params)
        self.params.append(params)
        try:
            await self.answer.wait()
            if number == self._hold_at:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if number == self._fail_at:
            raise GoneError(410, "too late")
        return page(f"more-{number}" if number < 2 else "")


async def tokens(asked: Asked) -> list[str]:
    async with aclosing(words().all(asked)) as listed:
        return [one.metadata.continue_ async for one in listed]


async def test_each_page_goes_on_where_the_one_before_ended() -> None:
    asked = Asked()
    assert await tokens(asked) == ["more-0", "more-1", ""]
    assert [one.get("continue") for one in asked.params] == [None, "more-0", "more-1"]
    assert asked.params[0] == {"limit": "500"}


@pytest.mark.parametrize(
    ("size", "left", "limit"),
    [
        (10, None, 5000),
        (2**10, 100_000, 4096),
        (2**11, None, 2048),
        (2**13, 10_000, 512),
        (2**13, 76_800, 768),
        (2**13, 150_000, 1024),
        (2**14, None, 256),
        (2**20, 5_000, 100),
    ],
)
async def test_a_page_has_as_many_objects_as_fit(size: int, left: int | None, limit: int) -> None:
    """Old ReplicaSets by thousands, of which only metadata are read; pods by some hundreds.

    Of a long list more: each page costs the server a walk through all that is left.
    """
    asked: list[str] = []

    async def ask(params: dict[str, str]) -> bytes:
        asked.append(params["limit"])
        return page("" if len(asked) == 2 else "more", size, left)

    async for _ in words().all(ask):
        pass
    first, second = map(int, asked)
    assert first == 500
    assert second == pytest.approx(limit, rel=0.01), "a page is a little more than its objects"


async def test_one_page_is_on_its_way_while_another_is_read() -> None:
    asked = Asked()
    async with aclosing(words().all(asked)) as listed:
        async for _ in listed:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            break
        assert len(asked.params) == 2


async def test_who_stops_early_leaves_no_request_behind() -> None:
    asked = Asked(hold_at=1)
    before = asyncio.all_tasks()
    async with aclosing(words().all(asked)) as listed:
        async for _ in listed:
            break
    assert asked.cancelled == 1
    assert asyncio.all_tasks() == before


async def test_what_a_page_fails_with_comes_after_the_pages_before_it() -> None:
    listed = words().all(Asked(fail_at=1))
    assert (await anext(listed)).metadata.continue_ == "more-0"
    with pytest.raises(GoneError):
        await anext(listed)


async def test_the_next_page_is_asked_for_before_one_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked()
    asked_when_read: list[int] = []
    objects = Pages.objects

    def noted(self: Pages[str], array: bytes) -> object:
        asked_when_read.append(len(asked.params))
        return objects(self, array)

    monkeypatch.setattr(Pages, "objects", noted)

    async def slowly(params: dict[str, str]) -> bytes:
        return await asked(params)

    async for _ in words().all(slowly):
        await asyncio.sleep(0)
    assert len(asked.params) == 3
    assert asked_when_read == [1, 2, 3]


class Body(bytes):
    """Tells when nobody holds it any more."""

    held = 0

    def __new__(cls, text: bytes) -> Self:
        Body.held += 1
        return super().__new__(cls, text)

    def __del__(self) -> None:
        Body.held -= 1


async def test_of_what_was_read_nothing_is_held_while_the_next_page_comes() -> None:
    held: list[tuple[int, bool]] = []
    last: weakref.ref[object] | None = None

    async def ask(params: dict[str, str]) -> bytes:
        if "continue" in params:
            await asyncio.sleep(0.01)  # the page before it is read meanwhile
            held.append((Body.held, last is not None and last() is None))
        return Body(page("more" if len(held) < 2 else ""))

    async for one in words().all(ask):
        last = weakref.ref(one)
        del one
    assert held == [(0, True), (0, True)]


async def test_several_lists_decode_one_part_in_a_turn_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, one, turn = asyncio.get_running_loop(), asyncio.Lock(), 0
    turns: list[int] = []
    objects = Pages.objects

    def noted(self: Pages[str], array: bytes) -> object:
        turns.append(turn)
        return objects(self, array)

    monkeypatch.setattr(Pages, "objects", noted)

    def count() -> None:
        nonlocal turn
        turn += 1
        if len(turns) < 12:
            loop.call_soon(count)

    async def listed(asked: Asked) -> None:
        async for _ in Pages(str, "GET /words", one).all(asked):
            pass

    count()
    every = [Asked() for _ in range(4)]
    for asked in every:
        asked.answer.clear()
    async with asyncio.TaskGroup() as group:
        for asked in every:
            group.create_task(listed(asked))
        await asyncio.sleep(0.01)
        for asked in every:  # all have come in one turn
            asked.answer.set()
    assert len(turns) == 12
    assert len(set(turns)) == 12


def encoded(*items: object, **more: object) -> bytes:
    return msgspec.json.encode({"metadata": META, "items": list(items), **more})


def test_objects_of_the_shape_are_decoded_with_the_page() -> None:
    assert read(encoded("a", "b"))[0] == ["a", "b"]


def test_a_page_with_one_that_is_of_another_shape_comes_as_it_came() -> None:
    items, _ = read(encoded("a", None, {"b": 1}))
    assert [bytes(one) for one in items if isinstance(one, msgspec.Raw)] == [
        b'"a"',
        b"null",
        b'{"b":1}',
    ]


@pytest.mark.parametrize("items", [b"null", b"[]"])
def test_a_page_may_have_no_objects(items: bytes) -> None:
    there, said = read(b'{"metadata":{"resourceVersion":"7"},"items":' + items + b"}")
    assert there == []
    assert said.resource_version == "7"


@pytest.mark.parametrize(
    "body",
    [
        b'{"items":["a"],"metadata":{"continue":"more"}}',
        b'{"kind":"L","items":["a"],"metadata":{"continue":"more"}}',
        b'{"kind":"L","metadata" : {"continue":"more"}, "items" : ["a"]}',
        b'{"metadata":{"x":",\\"items\\":[","continue":"more"},"items":["a"]}',
        b'{"metadata":{"continue":"more"},"items":["a"]}\n',
    ],
)
def test_what_a_page_says_is_found_wherever_it_stands(body: bytes) -> None:
    assert words().head(body).continue_ == "more"
    items, said = read(body)
    assert (items, said.continue_) == (["a"], "more")


class Thing(msgspec.Struct):
    """An object, which may hold some that look like itself."""

    metadata: dict[str, str]
    text: str = ""
    inner: list[dict[str, object]] = []


def things(*objects: object) -> list[list[object]]:
    """What each part of a page of them holds."""
    pages = Pages(Thing, "GET /things", asyncio.Lock())
    return [list(part.items) for part in pages.parts(encoded(*objects))]


def thing(number: int, text: str = "", inner: int = 0) -> dict[str, object]:
    """One of a hundred kilobytes."""
    held = [{"metadata": {"name": str(n)}, "text": "x" * 1000} for n in range(inner)]
    return {"metadata": {"name": str(number)}, "text": text + "x" * 100_000, "inner": held}


def test_a_large_page_is_read_in_parts_of_which_each_holds_whole_objects() -> None:
    parts = things(*map(thing, range(60)))
    assert len(parts) == 6
    assert [one for part in parts for one in part] == [
        msgspec.convert(thing(n), Thing) for n in range(60)
    ]


def test_a_text_that_looks_like_what_stands_between_objects_does_not() -> None:
    told = [thing(n, text='},{"metadata":{"name":"x"' * 1000) for n in range(40)]
    parts = things(*told)
    assert len(parts) > 3
    assert [one for part in parts for one in part] == [msgspec.convert(one, Thing) for one in told]


def test_of_objects_that_hold_objects_like_themselves_none_is_cut() -> None:
    told = [thing(n, inner=2000) for n in range(5)]
    parts = things(*told)
    assert [one for part in parts for one in part] == [msgspec.convert(one, Thing) for one in told]


def test_one_of_another_shape_leaves_other_parts_as_they_are() -> None:
    parts = things(*map(thing, range(30)), {"metadata": 3}, *map(thing, range(30)))
    kinds = [{type(one) for one in part} for part in parts]
    assert kinds.count({msgspec.Raw}) == 1
    assert kinds.count({Thing}) == len(parts) - 1
    assert sum(map(len, parts)) == 61


def test_a_large_page_that_ends_too_early_is_refused() -> None:
    body = encoded(*map(thing, range(30)))
    pages = Pages(Thing, "GET /things", asyncio.Lock())
    with pytest.raises(ApiError, match="GET /things"):
        list(pages.parts(body[:-500_000] + b"]}"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"items":3}', b'{"metadata":1}'])
async def test_what_is_no_page_is_refused(body: bytes) -> None:
    async def ask(_: dict[str, str]) -> bytes:
        return body

    with pytest.raises(ApiError, match="GET /words"):
        async for _ in words().all(ask):
            pass
