"""A list in pages: one ahead, none more, and nothing left behind by who stops early."""

import asyncio
import weakref
from contextlib import aclosing
from typing import Self

import msgspec
import pytest

from clusteraudit.kube.errors import ApiError, GoneError
from clusteraudit.sources.pages import Pages

META = {"resourceVersion": "5", "continue": ""}


def words() -> Pages[str]:
    return Pages(str, "GET /words", asyncio.Lock())


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
    read = Pages.read

    def noted(self: Pages[str], body: bytes) -> object:
        asked_when_read.append(len(asked.params))
        return read(self, body)

    monkeypatch.setattr(Pages, "read", noted)

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


async def test_several_lists_decode_one_page_in_a_turn_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, one, turn = asyncio.get_running_loop(), asyncio.Lock(), 0
    turns: list[int] = []
    read = Pages.read

    def noted(self: Pages[str], body: bytes) -> object:
        turns.append(turn)
        return read(self, body)

    monkeypatch.setattr(Pages, "read", noted)

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
    assert list(words().read(encoded("a", "b")).items) == ["a", "b"]


def test_a_page_with_one_that_is_of_another_shape_comes_as_it_came() -> None:
    items = words().read(encoded("a", None, {"b": 1})).items
    assert [bytes(msgspec.Raw(one)) for one in items] == [b'"a"', b"null", b'{"b":1}']


@pytest.mark.parametrize("items", [b"null", b"[]"])
def test_a_page_may_have_no_objects(items: bytes) -> None:
    said = words().read(b'{"metadata":{"resourceVersion":"7"},"items":' + items + b"}")
    assert list(said.items) == []
    assert said.metadata.resource_version == "7"


@pytest.mark.parametrize(
    "body",
    [
        b'{"items":["a"],"metadata":{"continue":"more"}}',
        b'{"kind":"L","items":["a"],"metadata":{"continue":"more"}}',
        b'{"kind":"L","metadata" : {"continue":"more"}, "items" : ["a"]}',
        b'{"metadata":{"x":",\\"items\\":[","continue":"more"},"items":["a"]}',
    ],
)
def test_what_a_page_says_is_found_wherever_it_stands(body: bytes) -> None:
    assert words().head(body).continue_ == "more"
    assert list(words().read(body).items) == ["a"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"items":3}', b'{"metadata":1}'])
async def test_what_is_no_page_is_refused(body: bytes) -> None:
    async def ask(_: dict[str, str]) -> bytes:
        return body

    with pytest.raises(ApiError, match="GET /words"):
        async for _ in words().all(ask):
            pass
