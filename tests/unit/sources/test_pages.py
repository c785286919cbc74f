"""A list in pages: one ahead, none more, and nothing left behind by who stops early."""

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from clusteraudit.kube.errors import GoneError
from clusteraudit.sources.wire import Page, pages


def page(token: str, size: int = 10) -> Page:
    meta = {"resourceVersion": "5", "continue": token}
    body = {"items": ["x" * (size - 2)] * 500, "metadata": meta}
    return msgspec.json.decode(msgspec.json.encode(body), type=Page)


class Asked:
    """Answers three pages, and notes what was asked for and what became of it."""

    def __init__(self, fail_at: int = 3) -> None:
        self.params: list[dict[str, str]] = []
        self.cancelled = 0
        self.answer = asyncio.Event()
        self.answer.set()
        self._fail_at = fail_at

    async def __call__(self, params: dict[str, str]) -> Page:
        number = len(self.params)
        self.params.append(params)
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if number == self._fail_at:
            raise GoneError(410, "too late")
        return page(f"more-{number}" if number < 2 else "")


async def tokens(asked: Asked) -> list[str]:
    async with aclosing(pages(asked)) as listed:
        return [one.metadata.continue_ async for one in listed]


async def test_each_page_goes_on_where_the_one_before_ended() -> None:
    asked = Asked()
    assert await tokens(asked) == ["more-0", "more-1", ""]
    assert [one.get("continue") for one in asked.params] == [None, "more-0", "more-1"]
    assert asked.params[0] == {"limit": "500"}


@pytest.mark.parametrize(
    ("size", "limit"), [(10, 5000), (2**11, 2048), (2**13, 512), (2**14, 256), (2**20, 100)]
)
async def test_a_page_has_as_many_objects_as_fit(size: int, limit: int) -> None:
    """Old ReplicaSets by thousands, of which only metadata are read; pods by some hundreds."""
    asked: list[str] = []

    async def ask(params: dict[str, str]) -> Page:
        asked.append(params["limit"])
        return page("" if len(asked) == 2 else "more", size)

    async for _ in pages(ask):
        pass
    assert asked == ["500", str(limit)]


async def test_one_page_is_on_its_way_while_another_is_read() -> None:
    asked = Asked()
    async with aclosing(pages(asked)) as listed:
        async for _ in listed:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            break
        assert len(asked.params) == 2


async def test_who_stops_early_leaves_no_request_behind() -> None:
    asked = Asked()
    before = asyncio.all_tasks()
    async with aclosing(pages(asked)) as listed:
        async for _ in listed:
            asked.answer.clear()
            await asyncio.sleep(0)
            break
    assert asked.cancelled == 1
    assert asyncio.all_tasks() == before


async def test_what_a_page_fails_with_comes_after_the_pages_before_it() -> None:
    listed = pages(Asked(fail_at=1))
    assert (await anext(listed)).metadata.continue_ == "more-0"
    with pytest.raises(GoneError):
        await anext(listed)
