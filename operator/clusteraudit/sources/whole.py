"""A list in one answer, read as it comes: metrics-server does not heed `limit`.

Of 150,000 pods that is 100 MB.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TypeVar

import aiohttp

from clusteraudit.kube.errors import ApiError
from clusteraudit.kube.session import Session
from clusteraudit.sources.arrays import Arrays
from clusteraudit.sources.chunks import HEAD
from clusteraudit.sources.faults import ParseError
from clusteraudit.sources.jsons import begin_of_items, peek

T = TypeVar("T")


async def whole(
    session: Session, where: str, shape: type[T]
) -> AsyncGenerator[Sequence[T] | Sequence[bytes], None]:
    """The items, some of them as soon as they are whole; as they came if one is of another shape.

    Raises ApiError and UnreachableError.
    """
    try:
        async with session.body(where) as body:
            async for some in _items(body, shape):
                yield some
    except ParseError as error:
        raise ApiError(200, f"GET {where}: the answer {error}") from None


async def _items(
    body: aiohttp.StreamReader, shape: type[T]
) -> AsyncIterator[Sequence[T] | Sequence[bytes]]:
    arrays, head, begin = Arrays(shape), b"", None
    async for piece in body.iter_any():
        if begin is not None:
            found = arrays.feed(piece)
        else:
            head += piece
            begin = _begin(head)
            found = iter(()) if begin is None else arrays.feed(head[begin:])
        for some in found:
            yield some
    for some in arrays.close() if begin is not None else [_few(head)]:
        yield some


def _few(head: bytes) -> Sequence[bytes]:
    """The items of a list that is short, and written as nobody writes a long one."""
    return [bytes(one) for one in peek(head).items or ()]


def _begin(head: bytes) -> int | None:
    begin = begin_of_items(head)
    if begin is None and len(head) > HEAD:
        raise ParseError("is no list of objects")
    return begin
