"""What lists and watches send, as far as it is read before the objects: pages, events, versions."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec

from clusteraudit.kube.errors import UNREADABLE

PAGE = 500
"""Objects of a list asked for at a time."""
_TURN = 200
"""Lines after which other tasks get their turn."""
_LONGEST_LINE = 2**26
"""Bytes of one event, far beyond what a server stores."""
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


class Event(msgspec.Struct, frozen=True):
    """A line of a watch, its object not decoded yet."""

    type: str
    object: msgspec.Raw


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, frozen=True):
    """A page of a list, its objects not decoded yet."""

    items: list[msgspec.Raw] | None = None
    metadata: _ListMeta = _ListMeta()


class BrokenWatchError(Exception):
    """The stream must be started anew: with a list, or where it stopped."""

    def __init__(self, why: str, *, relist: bool) -> None:
        super().__init__(why)
        self.relist = relist


_event = msgspec.json.Decoder(Event)
_peek = msgspec.json.Decoder(Peek)


def event(line: bytes) -> Event:
    """A line of a watch; raises BrokenWatchError."""
    try:
        return _event.decode(line)
    except UNREADABLE as error:
        why = f"the watch sent what is no event: {error}"
        raise BrokenWatchError(why, relist=True) from None


def peek(item: bytes | msgspec.Raw) -> Peek:
    """What an object has at least; raises one of UNREADABLE."""
    return _peek.decode(item)


def peeked(seen: Event) -> Peek:
    """The same of an event; raises BrokenWatchError."""
    try:
        return peek(seen.object)
    except UNREADABLE as error:
        why = f"the watch sent what is no object: {error}"
        raise BrokenWatchError(why, relist=True) from None


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


async def lines(body: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; others get their turn now and then."""
    rest = bytearray()  # an object of megabytes comes in many pieces
    count = 0
    async for chunk in body.iter_any():
        rest += chunk
        if len(rest) > _LONGEST_LINE:
            raise BrokenWatchError("the watch sent a line without an end", relist=True)
        if b"\n" not in chunk:
            continue
        *whole, rest = rest.split(b"\n")
        for line in whole:
            if line.strip():
                yield bytes(line)
                count += 1
                if count % _TURN == 0:
                    await asyncio.sleep(0)
