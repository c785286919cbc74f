"""The informer: one kind, listed and watched for as long as it is asked to.

Its contract: what the sink holds is what the server holds, whatever breaks. A list fills a
generation; what a whole generation did not see is gone. Any ERROR event and any 410 mean a new
list. An object that cannot be evaluated is counted and skipped, never fatal.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
import msgspec

from clusteraudit.kube.errors import (
    ApiError,
    ForbiddenError,
    GoneError,
    KubeConfigError,
    NotFoundError,
    UnreachableError,
)
from clusteraudit.kube.gate import backoff
from clusteraudit.kube.session import JSON, Session
from clusteraudit.sources.feed import KindState, Resource, Sink, TranslateError
from clusteraudit.sources.resources import path

PAGE = 500
SILENCE = 75.0
"""Seconds without a byte after which a watch counts as dead: bookmarks come each minute."""
STALE = 150.0
SLOW_RETRY = 60.0
"""Seconds, at most, until a kind that is forbidden or not served is tried again."""
_PATIENCE = 2
_TURN = 200
"""Objects after which other tasks get their turn."""
_PARTIAL = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1"
_SERVER_TIMEOUT = (240, 300)
_LASTED = 10.0
"""Seconds after which a watch that ends was none that failed: the next one need not wait."""

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
        self.generation = 0
        self._sink = sink
        self._decoder = msgspec.json.Decoder(resource.document)
        self._peek = msgspec.json.Decoder(_Peek)

    def peek(self, item: bytes | msgspec.Raw) -> _Peek:
        """What every object has, and what an error has instead."""
        return self._peek.decode(item)

    def put(self, item: bytes | msgspec.Raw) -> None:
        """An object as it now is; one that cannot be read any more is gone from the model."""
        try:
            document = self._decoder.decode(item)
            row = self.resource.translate(document)
        except (msgspec.DecodeError, TranslateError, RecursionError) as error:
            self._skip(item, error)
            return
        key = row.key
        self.known[key] = self.generation
        self._sink.put(self.resource.kind, *key, row)

    def _skip(self, item: bytes | msgspec.Raw, error: Exception) -> None:
        try:
            meta = self.peek(item).metadata
        except msgspec.DecodeError:
            meta = _Meta(name="?")
        reason = error.reason if isinstance(error, TranslateError) else "InvalidObject"
        self._sink.skipped(self.resource.kind, meta.namespace, meta.name, reason, str(error))
        self.drop((meta.namespace, meta.name))

    def drop(self, key: Key) -> None:
        """An object is gone; one that was never known needs no telling."""
        if self.known.pop(key, None) is not None:
            self._sink.put(self.resource.kind, *key, None)

    def begin(self) -> None:
        """A new generation."""
        self.generation += 1

    def end(self) -> None:
        """The generation is whole: what it did not see was deleted meanwhile."""
        for key in [key for key, seen in self.known.items() if seen != self.generation]:
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
    ) -> None:
        self.state = KindState(reason="NotSynced", since=int(clock()))
        self._session = session
        self._reader = Reader(resource, sink)
        self._resource = resource
        self._sink = sink
        self._clock = clock
        self._silence = silence
        self._rng = rng or random.Random()
        self._path = path(resource.api_version, resource.plural)
        self._version = ""
        self._streaming = True
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
        return self.state.synced and self.state.served and self._silent_for() > STALE

    def _silent_for(self) -> float:
        return time.monotonic() - self._last_sign

    async def run(self) -> None:
        """List and watch, for ever."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except BrokenWatchError as broken:
                self._version = "" if broken.relist else self._version
                lasted = time.monotonic() - began > _LASTED
                failures = 0 if lasted else failures + 1
                await asyncio.sleep(0 if lasted else backoff(failures - 1, self._rng))
            except UnreachableError as error:  # the gate makes the next attempt wait
                self._tell(reason=f"Unreachable: {error}"[:200])
            except ApiError as error:
                failures += 1
                await asyncio.sleep(self._refused(error, failures))
            except KubeConfigError as error:
                failures += 1
                self._tell(reason=f"Credentials: {error}"[:200])
                await asyncio.sleep(backoff(failures, self._rng))

    def _refused(self, error: ApiError, failures: int) -> float:
        """Note why there is no data, and say how long to wait."""
        if isinstance(error, GoneError):
            self._version = ""
        elif isinstance(error, ForbiddenError | NotFoundError):
            # A server that has just started refuses what it does not know yet: once is no answer.
            if failures > 1 or not self.state.synced:
                self._lose(error)
            return min(SLOW_RETRY, backoff(failures - 1, self._rng) * _PATIENCE)
        else:
            self._tell(reason=f"Refused: {error}"[:200])
        return max(error.retry_after or 0, backoff(failures, self._rng))

    def _lose(self, error: ApiError) -> None:
        self._version = ""
        if isinstance(error, ForbiddenError):
            self._tell(synced=False, forbidden=True, reason="Forbidden")
            return
        self._forget_all()
        self._tell(synced=True, served=False, reason="NotServed")

    def _forget_all(self) -> None:
        self._reader.begin()
        self._reader.end()

    # List

    async def _list(self) -> None:
        self._reader.begin()
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
        async for event in self._events(params):
            if event.type == "BOOKMARK":
                meta = self._reader.peek(event.object).metadata
                if meta.annotations.end == "true":
                    self._version = meta.resource_version
                    return
            else:
                self._take(event)
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
                self._version = page.metadata.resource_version
                return
            params["continue"] = page.metadata.continue_

    # Watch

    async def _watch(self) -> None:
        """Follow changes until the server ends the stream, which is no fault."""
        async for event in self._events({"resourceVersion": self._version}):
            if event.type != "BOOKMARK":
                self._take(event)
            self._version = self._reader.peek(event.object).metadata.resource_version
        raise BrokenWatchError("the server ended the watch", relist=False)

    def _take(self, event: _Event) -> None:
        if event.type == "DELETED":
            meta = self._reader.peek(event.object).metadata
            self._reader.drop((meta.namespace, meta.name))
        elif event.type in {"ADDED", "MODIFIED"}:
            self._reader.put(event.object)
        else:
            peek = self._reader.peek(event.object)
            raise BrokenWatchError(f"{event.type} {peek.code}: {peek.message}", relist=True)

    async def _events(self, params: dict[str, str]) -> AsyncIterator[_Event]:
        timeout = self._rng.randint(*_SERVER_TIMEOUT)
        asked = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout),
            **params,
        }
        decoder = msgspec.json.Decoder(_Event)
        try:
            async with self._session.stream(
                self._path, asked, silence=self._silence, accept=self._accept("")
            ) as body:
                self._sign()
                async for line in _lines(body):
                    self._sign()
                    yield decoder.decode(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BrokenWatchError(f"the watch broke: {error}", relist=False) from None
        except msgspec.DecodeError as error:
            raise BrokenWatchError(
                f"the watch sent what is no event: {error}", relist=True
            ) from None

    def _accept(self, what: str) -> str:
        return _PARTIAL.format(list=what) if self._resource.metadata_only else JSON

    def _sign(self) -> None:
        self._last_sign = time.monotonic()

    def _tell(self, **changes: bool | int | str) -> None:
        """Say what has changed of the kind's state; `since` moves with it."""
        new = msgspec.structs.replace(self.state, objects=len(self._reader.known), **changes)
        if new != self.state:
            new = msgspec.structs.replace(new, since=int(self._clock()))
            self.state = new
            self._sink.state(self._resource.kind, new)


async def _lines(body: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; others get their turn now and then."""
    rest = bytearray()  # an object of megabytes comes in many pieces
    count = 0
    async for chunk in body.iter_any():
        rest += chunk
        if b"\n" not in chunk:
            continue
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if line.strip():
                yield bytes(line)
                count += 1
                if count % _TURN == 0:
                    await asyncio.sleep(0)
