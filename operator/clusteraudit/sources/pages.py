"""A list in pages: the next one is asked for before one is read, and that a part at a time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from clusteraudit.kube.errors import UNREADABLE, ApiError
from clusteraudit.kube.session import decoded
from clusteraudit.sources.arrays import array, mark

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
_PART = 2**20
"""Bytes that are decoded at a time, about: 5 to 10 ms, in which nothing else goes on."""
_ITEMS = b',"items":['


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    """What the API server says of a list."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class _Head(msgspec.Struct, frozen=True):
    metadata: ListMeta


class _Whole(msgspec.Struct, frozen=True):
    items: list[msgspec.Raw] | None = None
    metadata: ListMeta = ListMeta()


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page, or a part of it: objects of a shape, or as they came if one of them is of another."""

    items: Sequence[T] | Sequence[msgspec.Raw]
    metadata: ListMeta


class Pages(Generic[T]):
    """Reads pages of objects of one shape; `asked` says of what.

    Of several lists that share `one`, a turn of the loop decodes one part of a page.
    """

    def __init__(self, shape: type[T], asked: str, one: asyncio.Lock) -> None:
        several: Any = list[shape]  # type: ignore[valid-type] # a type known at run time
        self._decoder: msgspec.json.Decoder[list[T]] = msgspec.json.Decoder(several)
        self._asked = asked
        self._one = one

    async def all(
        self, ask: Callable[[dict[str, str]], Coroutine[None, None, bytes]]
    ) -> AsyncGenerator[Page[T], None]:
        """Parts of one after the other, each page of one at least.

        Raises ApiError, and what `ask` does, which gets the parameters.
        """
        limit = FIRST
        coming = asyncio.create_task(ask({"limit": str(limit)}))
        try:
            while True:
                body = await coming
                head = self.head(body)
                if goes_on := head.continue_:
                    limit = _fitting(len(body) / limit, head.remaining_item_count or 0)
                    coming = asyncio.create_task(ask({"limit": str(limit), "continue": goes_on}))
                parts = self.parts(body)
                del body  # larger than all that is read of it
                while part := await self._in_turn(parts):
                    yield part
                    del part
                if not goes_on:
                    return
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def _in_turn(self, parts: Iterator[Page[T]]) -> Page[T] | None:
        async with self._one:
            part = next(parts, None)
            await asyncio.sleep(0)
        return part

    def head(self, body: bytes) -> ListMeta:
        """What is said of the list, which the API server says before the objects."""
        return _head(body) or decoded(body, _Whole, self._asked).metadata

    def parts(self, body: bytes) -> Iterator[Page[T]]:
        """A page, one part after the other; raises ApiError if it is none."""
        meta, at, end = _head(body), body.find(_ITEMS) + len(_ITEMS), _end(body)
        if meta is None or end < at:  # not as the API server writes it
            whole = decoded(body, _Whole, self._asked)
            yield Page(self.objects(msgspec.json.encode(whole.items or ())), whole.metadata)
            return
        for items in self._parts(body, at, end):
            yield Page(items, meta)

    def _parts(
        self, body: bytes, at: int, end: int
    ) -> Iterator[Sequence[T] | Sequence[msgspec.Raw]]:
        between, cut = mark(body, at), at - 1
        while cut < end:
            at = cut + 1
            cut = _cut(body, between, at + _PART, end)
            try:
                found = self.objects(array(body, at, cut))
            except ApiError:  # within an object, one that holds objects like itself
                if cut == end:
                    raise
                cut = end
                found = self.objects(array(body, at, cut))
            yield found

    def objects(self, text: bytes) -> Sequence[T] | Sequence[msgspec.Raw]:
        """Some objects; raises ApiError if that is not what it is."""
        with suppress(*UNREADABLE):
            return self._decoder.decode(text)
        return decoded(text, list[msgspec.Raw], self._asked)


def _head(body: bytes) -> ListMeta | None:
    """What comes before the objects; None if they come first."""
    with suppress(*UNREADABLE):
        return msgspec.json.decode(body[: max(0, body.find(_ITEMS))] + b"}", type=_Head).metadata
    return None


def _end(body: bytes) -> int:
    """Where the objects end, if nothing comes after them; else -1."""
    end = body.rfind(b"]")
    return end if body[end + 1 :].strip() == b"}" else -1


def _cut(body: bytes, between: bytes, start: int, end: int) -> int:
    """The comma between two objects, the first one after `start`; else the end."""
    found = body.find(between, start, end)
    return end if found < 0 else found + 1


def _fitting(size: float, left: int) -> int:
    """Objects of a page, if each has so many bytes and so many are left."""
    page = max(_SMALL, min(_LARGE, left * size / _PARTS))
    return max(_LEAST, min(_MOST, int(page / max(1, size))))
