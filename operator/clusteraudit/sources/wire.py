"""What watches send, as far as it is read before the objects: events and versions."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.kube.paced import Paced
from clusteraudit.sources import documents as docs

T = TypeVar("T")

_PIECE = 0.005
"""Seconds of work after which other tasks get their turn; several lists are read side by side."""
_LONGEST_LINE = 2**26
"""Bytes of one event, far beyond what a server stores."""
OF_OBJECTS = frozenset({"ADDED", "MODIFIED", "DELETED"})
"""Types of events whose object is one of the kind."""
_DIGITS = 20
"""Of a resourceVersion: it is an unsigned 64-bit number."""


class _Marks(msgspec.Struct, frozen=True):
    end: str = msgspec.field(default="", name="k8s.io/initial-events-end")


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """What every object has."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    annotations: _Marks = _Marks()

    @property
    def last(self) -> bool:
        """Whether it is of the bookmark with which a streamed list ends."""
        return self.annotations.end == "true"


class Peek(msgspec.Struct, frozen=True):
    """What every object has, and what a Status has instead."""

    metadata: Meta = Meta()
    code: int = 0
    message: str = ""


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: Peek


class _Whole(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Told(msgspec.Struct, Generic[T], frozen=True):
    type: str
    object: T


class Event(msgspec.Struct, frozen=True):
    """A line of a watch, and as much of its object as can be read."""

    type: str
    line: bytes
    document: docs.ObjectDoc | None = None
    """The object, if it is one of its kind and not a bookmark or an error."""
    peek: Peek | None = None
    """Else what it has at least, if it has that."""

    @property
    def object(self) -> msgspec.Raw:
        """The object as it came, looked for a second time."""
        return _whole.decode(self.line).object


class BrokenWatchError(Exception):
    """The stream must be started anew: with a list, or where it stopped."""

    def __init__(self, why: str, *, relist: bool) -> None:
        super().__init__(why)
        self.relist = relist


_line = msgspec.json.Decoder(_Line)
_whole = msgspec.json.Decoder(_Whole)
_peek = msgspec.json.Decoder(Peek)


class Events:
    """Reads what a watch on one kind sends, the usual line once."""

    def __init__(self, document: type[docs.ObjectDoc]) -> None:
        told = _Told[document]  # type: ignore[valid-type] # a type known at run time
        self._decoder = msgspec.json.Decoder(told)

    def read(self, line: bytes) -> Event:
        """A line; raises BrokenWatchError."""
        with suppress(*UNREADABLE):
            told = self._decoder.decode(line)
            if told.type in OF_OBJECTS:
                return Event(told.type, line, told.object)
        with suppress(*UNREADABLE):
            peeked = _line.decode(line)
            return Event(peeked.type, line, None, peeked.object)
        try:
            return Event(_whole.decode(line).type, line)
        except UNREADABLE as error:
            why = f"the watch sent what is no event: {error}"
            raise BrokenWatchError(why, relist=True) from None


def peek(item: bytes | msgspec.Raw) -> Peek:
    """What an object has at least; raises one of UNREADABLE."""
    return _peek.decode(item)


def peeked(event: Event) -> Peek:
    """The same of an event that is not read any further; raises BrokenWatchError."""
    try:
        return event.peek or peek(event.object)
    except UNREADABLE as error:
        why = f"the watch sent what is no object: {error}"
        raise BrokenWatchError(why, relist=True) from None


def metadata(event: Event) -> Meta | docs.Meta:
    """Name, namespace and version of its object; raises BrokenWatchError."""
    return event.document.metadata if event.document else peeked(event).metadata


def number(version: str) -> str:
    """A resourceVersion, which is a decimal number since Kubernetes 1.35 says so of every one.

    Raises BrokenWatchError.
    """
    if version.isascii() and version.isdecimal() and len(version) <= _DIGITS:
        return version
    raise BrokenWatchError(f"{version[:40]!r} is no resourceVersion", relist=True)


def following(version: str, last: str) -> str:
    """The version of what came after `last`; one that goes backwards is of another history.

    Raises BrokenWatchError.
    """
    if int(number(version)) < int(last):
        raise BrokenWatchError(f"version {version} after {last}", relist=True)
    return version


class Turn:
    """A long piece of work on the loop, in which others get their turn now and then."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def end(self) -> None:
        """Let others go on, if it has lasted for long."""
        if time.monotonic() - self._began > _PIECE:
            await asyncio.sleep(0)
            self._began = time.monotonic()


async def lines(body: Paced) -> AsyncIterator[bytes]:
    """Lines of any length; others get their turn now and then."""
    rest, turn = bytearray(), Turn()  # an object of megabytes comes in many pieces
    async for chunk in body.iter_any():
        rest += chunk
        if len(rest) > _LONGEST_LINE:
            raise BrokenWatchError("the watch sent a line without an end", relist=True)
        for line in _taken(rest) if b"\n" in chunk else ():
            yield line
            await turn.end()


def _taken(rest: bytearray) -> list[bytes]:
    """Take the lines out of it that are whole, but for empty ones.

    To split a bytearray takes ten times as long: it looks at each byte by itself.
    """
    found, start = [], 0
    with memoryview(rest) as view:
        while (end := rest.find(b"\n", start)) >= 0:
            found.append(bytes(view[start:end]))
            start = end + 1
    del rest[:start]
    return [line for line in found if line.strip()]
