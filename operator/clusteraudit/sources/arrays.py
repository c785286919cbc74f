"""Objects of a list, decoded many at a time: it is cut between two of them, never within one.

To find the end of each of them takes ten times as long.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.sources.splitter import Splitter

T = TypeVar("T")

_PART = 2**16
"""Bytes that are decoded at a time, at least; at most about twice as many."""
_NAME = 64
"""Bytes of the first name in an object, at most."""


def mark(data: bytes, start: int) -> bytes:
    """What stands between two objects of which one begins at `start`: all begin with one name.

    No text in an object holds it: quotes are escaped there. Within an object it can stand, as
    between two templates of claims; what is cut there cannot be read.
    """
    name = data[start : start + _NAME].partition(b":")[0]
    return b"}," + name + b":" if name.startswith(b'{"') else b"\0"


def array(data: bytes, start: int, end: int) -> bytes:
    """These objects as a list."""
    return b"".join((b"[", memoryview(data)[start:end], b"]"))


class Arrays(Generic[T]):
    """Reads what follows the bracket that begins a list, as it comes; holds little of it."""

    def __init__(self, shape: type[T]) -> None:
        several: Any = list[shape]  # type: ignore[valid-type] # a type known at run time
        self._decoder: msgspec.json.Decoder[list[T]] = msgspec.json.Decoder(several)
        self._pieces: list[bytes] = []
        self._held = 0
        self._splitter: Splitter | None = None

    def feed(self, piece: bytes) -> Iterator[Sequence[T] | Sequence[bytes]]:
        """Objects that are whole now, or as they came where one is of another shape.

        Raises ParseError for what is no list of JSON values.
        """
        if self._splitter:
            yield list(self._splitter.feed(piece))
            return
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held >= 2 * _PART:
            yield from self._take(b"".join(self._pieces))

    def close(self) -> Iterator[Sequence[T] | Sequence[bytes]]:
        """The last objects; raises ParseError if the list did not end."""
        if not self._splitter:
            data = b"".join(self._pieces)
            end = data.rfind(b"]")
            ends = end >= 0 and data[end + 1 :].strip() == b"}"
            if ends and (found := self._read(data, 0, end)) is not None:
                yield found
                return
            yield from self._split(data)
        if self._splitter:
            yield list(self._splitter.close())

    def _take(self, data: bytes) -> Iterator[Sequence[T] | Sequence[bytes]]:
        between, at = mark(data, 0), 0
        while len(data) - at >= 2 * _PART:
            comma = data.find(between, at + _PART) + 1
            found = self._read(data, at, comma) if comma else None
            if found is None:  # large objects, or not as the API server writes them
                yield from self._split(data[at:])
                return
            yield found
            at = comma + 1
        self._pieces, self._held = [data[at:]], len(data) - at

    def _split(self, data: bytes) -> Iterator[Sequence[bytes]]:
        self._splitter, self._pieces = Splitter(), []
        yield list(self._splitter.feed(data))

    def _read(self, data: bytes, start: int, end: int) -> Sequence[T] | Sequence[bytes] | None:
        """Objects; None if that is not what it is."""
        text = array(data, start, end)
        with suppress(*UNREADABLE):
            return self._decoder.decode(text)
        with suppress(*UNREADABLE):
            return [bytes(one) for one in msgspec.json.decode(text, type=list[msgspec.Raw])]
        return None
