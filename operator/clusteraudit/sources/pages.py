"""A list in pages: the next one is asked for before one is read."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.kube.session import decoded

T = TypeVar("T")

FIRST = 500
"""Objects of the first page of a list."""
_LEAST, _MOST = 100, 5000
"""Objects of a page."""
_SMALL, _LARGE = 2**22, 2**23
"""Bytes of a page, about."""
_PARTS = 100
"""A page is such a part of what is left of the list, within these bounds: for each page the server
goes through all objects that are left. Of 150,000 pods that takes it 20 ms and more."""
_ITEMS = b',"items":['


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    """What the API server says of a list."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class _Head(msgspec.Struct, frozen=True):
    metadata: ListMeta


class _Whole(msgspec.Struct, Generic[T], frozen=True):
    items: list[T] | None = None
    metadata: ListMeta = ListMeta()


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page: objects of a shape, or as they came if one of them is of another."""

    items: Sequence[T] | Sequence[msgspec.Raw]
    metadata: ListMeta


class Pages(Generic[T]):
    """Reads pages of objects of one shape; `asked` says of what.

    Of several lists that share `one`, a turn of the loop decodes one page.
    """

    def __init__(self, shape: type[T], asked: str, one: asyncio.Lock) -> None:
        whole: Any = _Whole[shape]  # type: ignore[valid-type] # a type known at run time
        self._decoder: msgspec.json.Decoder[_Whole[T]] = msgspec.json.Decoder(whole)
        self._asked = asked
        self._one = one

    async def all(
        self, ask: Callable[[dict[str, str]], Coroutine[None, None, bytes]]
    ) -> AsyncGenerator[Page[T], None]:
        """One after the other; raises ApiError, and what `ask` does, which gets the parameters."""
        limit = FIRST
        coming = asyncio.create_task(ask({"limit": str(limit)}))
        try:
            while True:
                body = await coming
                head = self.head(body)
                if goes_on := head.continue_:
                    limit = _fitting(len(body) / limit, head.remaining_item_count or 0)
                    coming = asyncio.create_task(ask({"limit": str(limit), "continue": goes_on}))
                page = await self._in_turn(body)
                del body  # as large as all that was read of it
                yield page
                del page
                if not goes_on:
                    return
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _in_turn(self, body: bytes) -> Page[T]:
        async with self._one:
            page = self.read(body)
            await asyncio.sleep(0)
        return page

    def head(self, body: bytes) -> ListMeta:
        """What is said of the list, which the API server says before the objects."""
        end = body.find(_ITEMS)
        with suppress(*UNREADABLE):
            return msgspec.json.decode(body[: max(0, end)] + b"}", type=_Head).metadata
        return self.read(body).metadata

    def read(self, body: bytes) -> Page[T]:
        """A page; raises ApiError if it is none."""
        with suppress(*UNREADABLE):
            whole = self._decoder.decode(body)
            return Page(whole.items or (), whole.metadata)
        raw = decoded(body, _Whole[msgspec.Raw], self._asked)
        return Page(raw.items or (), raw.metadata)


def _fitting(size: float, left: int) -> int:
    """Objects of a page, if each has so many bytes and so many are left."""
    page = max(_SMALL, min(_LARGE, left * size / _PARTS))
    return max(_LEAST, min(_MOST, int(page / max(1, size))))
