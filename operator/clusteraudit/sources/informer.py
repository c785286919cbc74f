"""The informer: one kind, listed and watched for as long as it is asked to.

Its contract: what the sink holds is what the server holds, whatever breaks. A list fills a
generation; what a whole generation did not see is gone. A new list is what follows any ERROR event,
any 410, versions that go backwards, a watch of which nothing is heard at all, and a server that was
gone: restored from a backup it takes versions that it never gave, and tells nothing of them. An
object that cannot be evaluated is counted and skipped, never fatal.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import aiohttp
import msgspec

from clusteraudit.kube.discovery import serves
from clusteraudit.kube.errors import (
    UNREADABLE,
    ApiError,
    ForbiddenError,
    GoneError,
    KubeConfigError,
    NotFoundError,
    UnreachableError,
)
from clusteraudit.kube.gate import backoff
from clusteraudit.kube.session import JSON, Session
from clusteraudit.sources.decoding import Decoding
from clusteraudit.sources.feed import KindState, Resource, Sink, TranslateError
from clusteraudit.sources.resources import path

PAGE = 500
SILENCE = 75.0
"""Seconds without a byte after which a watch counts as dead: bookmarks come each minute."""
STALE = 150.0
SLOW_RETRY = 45.0
"""Seconds, at most, until a kind that is forbidden or not served is tried again."""
_PATIENCE = 2
_PASSING = {401, 403, 404, 429}
"""Refusals that say nothing of the version that was asked for."""
_TURN = 200
"""Objects after which other tasks get their turn."""
_LONGEST_LINE = 2**26
"""Bytes of one event, far beyond what a server stores."""
_PARTIAL = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1"
_DIGITS = 20
"""Of a resourceVersion: it is an unsigned 64-bit number."""
_SERVER_TIMEOUT = (240, 300)
_LASTED = 10.0
"""Seconds after which a watch that ends was none that failed: the next one need not wait."""

_RESUMED = 5.0
"""Seconds, at most, until a watch is taken up where it stopped: that costs little, a list does."""

Key = tuple[str, str]


class _Marks(msgspec.Struct, frozen=True):
    end: str = msgspec.field(default="", name="k8s.io/initial-events-end")


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    annotations: _Marks = _Marks()


class _Peek(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    code: int = 0
    message: str = ""


class _Event(msgspec.Struct, frozen=True):
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


class Reader:
    """Decodes objects of one kind and puts their rows; counts what it cannot read."""

    def __init__(self, resource: Resource, sink: Sink) -> None:
        self.resource = resource
        self.known: dict[Key, int] = {}
        self.unread: dict[Key, int] = {}
        """What is there and cannot be evaluated."""
        self.generation = 0
        self._sink = sink
        self._decode = Decoding(resource.document)
        self._peek = msgspec.json.Decoder(_Peek)

    def peek(self, item: bytes | msgspec.Raw) -> _Peek:
        """What every object has, and what an error has instead."""
        return self._peek.decode(item)

    def put(self, item: bytes | msgspec.Raw) -> None:
        """An object as it now is; one that cannot be read any more is gone from the model."""
        try:
            document = self._decode(item)
            row = self.resource.translate(document)
        except (TranslateError, *UNREADABLE) as error:
            self._skip(item, error)
            return
        key = row.key
        self.unread.pop(key, None)
        self.known[key] = self.generation
        self._sink.put(self.resource.kind, *key, row)

    def _skip(self, item: bytes | msgspec.Raw, error: Exception) -> None:
        try:
            meta = self.peek(item).metadata
        except UNREADABLE:
            meta = _Meta(name="?")
        reason = error.reason if isinstance(error, TranslateError) else "InvalidObject"
        key = (meta.namespace, meta.name)
        self.drop(key)
        self.unread[key] = self.generation
        self._sink.skipped(self.resource.kind, *key, reason, str(error))

    def drop(self, key: Key) -> None:
        """An object is gone; one that was never known needs no telling."""
        there = [each.pop(key) for each in (self.known, self.unread) if key in each]
        if there:
            self._sink.put(self.resource.kind, *key, None)

    def begin(self) -> None:
        """A new generation."""
        self.generation += 1

    def end(self) -> None:
        """The generation is whole: what it did not see was deleted meanwhile."""
        there = [*self.known.items(), *self.unread.items()]
        for key in [key for key, seen in there if seen != self.generation]:
            self.drop(key)


class Informer:
    """Follows one kind; `run` it until it is cancelled."""

    def __init__(
        self,
        session: Session,
        resource: Resource,
        sink: Sink,
        *,
        clock: Callable[[], float] = time.time,
        silence: float = SILENCE,
        rng: random.Random | None = None,
        lists: asyncio.Semaphore | None = None,
    ) -> None:
        self.state = KindState(reason="NotSynced", since=int(clock()))
        self._session = session
        self._reader = Reader(resource, sink)
        self._resource = resource
        self._sink = sink
        self._clock = clock
        self._silence = silence
        self._rng = rng or random.Random()
        self._lists = lists or asyncio.Semaphore()
        """Shared by all kinds: how many lists may be under way."""
        self._path = path(resource.api_version, resource.plural)
        self._version = ""
        self._streaming = True
        self._outages = session.gate.outages
        self._last_sign = time.monotonic()

    @property
    def kind(self) -> str:
        """The kind that it follows."""
        return self._resource.kind

    @property
    def settled(self) -> bool:
        """Whether the kind was listed once, or refused."""
        return self.state.synced or self.state.forbidden or not self.state.served

    @property
    def stale(self) -> bool:
        """Whether nothing was heard for so long that the model may be behind."""
        return self.state.synced and self.state.served and self.silent > STALE

    @property
    def silent(self) -> float:
        """Seconds since anything was heard: an event, a bookmark, a page of a list."""
        return time.monotonic() - self._last_sign

    @property
    def objects(self) -> int:
        """How many are known."""
        return len(self._reader.known)

    async def run(self) -> None:
        """List and watch, for ever."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                if not self._version:
                    async with self._lists:
                        await self._list()
                await self._watch()
            except BrokenWatchError as broken:
                self._version = "" if broken.relist else self._version
                lasted = time.monotonic() - began > _LASTED
                failures = 0 if lasted else failures + 1
                pause = 0 if lasted else backoff(failures - 1, self._rng)
                await asyncio.sleep(pause if broken.relist else min(pause, _RESUMED))
            except UnreachableError as error:  # the gate makes the next attempt wait
                self._tell(reason=f"Unreachable: {error}"[:200])
            except ApiError as error:
                failures += 1
                await asyncio.sleep(await self._refused(error, failures))
            except KubeConfigError as error:
                failures += 1
                self._tell(reason=f"Credentials: {error}"[:200])
                await asyncio.sleep(backoff(failures, self._rng))

    async def _refused(self, error: ApiError, failures: int) -> float:
        """Note why there is no data, and say how long to wait."""
        if failures > 1 and error.status not in _PASSING:
            self._version = ""  # it may be of no version that the server knows
        if isinstance(error, ForbiddenError | NotFoundError):
            # A server that has just started refuses what it does not know yet: once is no answer.
            if failures > 1 or not self.state.synced:
                await self._lose(error)
            return min(SLOW_RETRY, backoff(failures - 1, self._rng) * _PATIENCE)
        if isinstance(error, GoneError):
            self._version = ""
        else:
            self._tell(reason=f"Refused: {error}"[:200])
        return max(error.retry_after or 0, backoff(failures, self._rng))

    async def _lose(self, error: ApiError) -> None:
        self._version = ""
        if isinstance(error, ForbiddenError):
            self._tell(synced=False, forbidden=True, reason="Forbidden")
        elif await self._is_served():  # whoever said otherwise, it is no proof that there is none
            self._tell(reason=f"Refused: {error}"[:200])
        else:
            self._forget_all()
            self._tell(synced=True, forbidden=False, served=False, reason="NotServed")

    async def _is_served(self) -> bool:
        """By the server's own account; while it gives none, yes."""
        try:
            return await serves(self._session, self._resource.api_version, self._resource.plural)
        except (ApiError, UnreachableError):
            return True

    def _forget_all(self) -> None:
        self._reader.begin()
        self._reader.end()

    # List

    async def _list(self) -> None:
        self._reader.begin()
        self._outages = self._session.gate.outages
        if self._streaming:
            try:
                await self._stream_list()
            except ApiError as error:
                if error.status not in {400, 405, 406, 422}:
                    raise
                self._streaming = False
        if not self._streaming:
            await self._page_list()
        self._reader.end()
        relists = self.state.relists + (1 if self.state.synced or self.state.relists else 0)
        self._tell(synced=True, forbidden=False, served=True, reason="", relists=relists)

    async def _stream_list(self) -> None:
        """Watch from the beginning until the bookmark that says that all has come."""
        params = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        async with aclosing(self._events(params)) as events:
            async for event in events:
                if event.type != "BOOKMARK":
                    self._take(event)
                    continue
                meta = self._peek(event).metadata
                if meta.annotations.end == "true":
                    self._version = _number(meta.resource_version)
                    return
        raise BrokenWatchError("the list ended before its end mark", relist=True)

    async def _page_list(self) -> None:
        params = {"limit": str(PAGE)}
        while True:
            page = await self._session.get(self._path, Page, params, self._accept("List"))
            for item in page.items or ():
                self._reader.put(item)
            self._sign()
            await asyncio.sleep(0)
            if not page.metadata.continue_:
                self._version = _number(page.metadata.resource_version)
                return
            params["continue"] = page.metadata.continue_

    # Watch

    async def _watch(self) -> None:
        """Follow changes until the server ends the stream, which is no fault."""
        async with aclosing(self._events({"resourceVersion": self._version})) as events:
            async for event in events:
                if event.type != "ERROR":
                    self._advance(event)
                if event.type != "BOOKMARK":
                    self._take(event)
        raise BrokenWatchError("the server ended the watch", relist=False)

    def _advance(self, event: _Event) -> None:
        """The version of what comes next; one that goes backwards is of another history."""
        version = _number(self._peek(event).metadata.resource_version)
        if int(version) < int(self._version):
            why = f"version {version} after {self._version}"
            raise BrokenWatchError(why, relist=True)
        self._version = version

    def _peek(self, event: _Event) -> _Peek:
        try:
            return self._reader.peek(event.object)
        except UNREADABLE as error:
            why = f"the watch sent what is no object: {error}"
            raise BrokenWatchError(why, relist=True) from None

    def _take(self, event: _Event) -> None:
        if event.type == "DELETED":
            meta = self._peek(event).metadata
            self._reader.drop((meta.namespace, meta.name))
        elif event.type in {"ADDED", "MODIFIED"}:
            self._reader.put(event.object)
        else:
            peek = self._peek(event)
            raise BrokenWatchError(f"{event.type} {peek.code}: {peek.message}", relist=True)

    async def _events(self, params: dict[str, str]) -> AsyncGenerator[_Event, None]:
        timeout = self._rng.randint(*_SERVER_TIMEOUT)
        asked = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout),
            **params,
        }
        decoder = msgspec.json.Decoder(_Event)
        heard = False
        try:
            async with self._session.stream(
                self._path, asked, silence=self._silence, accept=self._accept("")
            ) as body:
                if self._version and self._outages != self._session.gate.outages:
                    raise BrokenWatchError("the server was gone meanwhile", relist=True)
                async for line in _lines(body):
                    self._sign()
                    heard = True
                    yield decoder.decode(line)
        except TimeoutError:
            raise BrokenWatchError("nothing was heard", relist=not heard) from None
        except (aiohttp.ClientError, OSError) as error:
            raise BrokenWatchError(f"the watch broke: {error}", relist=False) from None
        except UNREADABLE as error:
            raise BrokenWatchError(
                f"the watch sent what is no event: {error}", relist=True
            ) from None

    def _accept(self, what: str) -> str:
        return _PARTIAL.format(list=what) if self._resource.metadata_only else JSON

    def _sign(self) -> None:
        self._last_sign = time.monotonic()

    def _tell(self, **changes: bool | int | str) -> None:
        """Say what has changed of the kind's state; `since` moves with what is known of it."""
        old = self.state
        new = msgspec.structs.replace(old, objects=self.objects, **changes)
        if (new.synced, new.forbidden, new.served) != (old.synced, old.forbidden, old.served):
            new = msgspec.structs.replace(new, since=int(self._clock()))
        if new != old:
            self.state = new
            self._sink.state(self._resource.kind, new)


def _number(version: str) -> str:
    """A resourceVersion, which is a decimal number since Kubernetes 1.35 says so of every one.

    Raises BrokenWatchError.
    """
    if version.isascii() and version.isdecimal() and len(version) <= _DIGITS:
        return version
    raise BrokenWatchError(f"{version[:40]!r} is no resourceVersion", relist=True)


async def _lines(body: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; others get their turn now and then."""
    rest = bytearray()  # an object of megabytes comes in many pieces
    count = 0
    async for chunk in body.iter_any():
        rest += chunk
        if len(rest) > _LONGEST_LINE:
            raise BrokenWatchError("the watch sent a line without an end", relist=True)
        if b"\n" not in chunk:
            continue
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if line.strip():
                yield bytes(line)
                count += 1
                if count % _TURN == 0:
                    await asyncio.sleep(0)
