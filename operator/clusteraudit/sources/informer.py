"""The informer: one kind, listed and watched for as long as it is asked to.

Its contract: what the sink holds is what the server holds, whatever breaks. What a whole
list did not see is gone. A new list is what follows any ERROR event, any 410, versions that go
backwards, a watch of which nothing is heard at all, and a server that was gone: restored from a
backup it takes versions that it never gave, and tells nothing of them. An object that cannot be
evaluated is counted and skipped, never fatal.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing

import msgspec

from clusteraudit.kube.errors import (
    ApiError,
    ForbiddenError,
    GoneError,
    KubeConfigError,
    NotFoundError,
    UnreachableError,
)
from clusteraudit.kube.session import Session
from clusteraudit.model.rows import Key
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.feed import STALE, KindState, Resource, Sink
from clusteraudit.sources.names import Names
from clusteraudit.sources.pauses import Pauses
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.source import NO_STREAM, SILENCE, Source
from clusteraudit.sources.wire import BrokenWatchError, Turn, following, metadata, number, peeked

_PASSING = {401, 403, 404, 429}
"""Refusals that say nothing of the version that was asked for."""


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
        like: Names | None = None,
    ) -> None:
        rng = rng or random.Random()
        self.kind = resource.kind
        self.state = KindState(reason="NotSynced", since=int(clock()))
        self._source = Source(session, resource, silence=silence, rng=rng)
        self._reader = Reader(resource, sink, like)
        self._pauses = Pauses(rng)
        self._sink = sink
        self._clock = clock
        self._lists = lists or asyncio.Semaphore()
        """Shared by all kinds: how many lists may be under way."""
        self._version = ""
        """Of what was taken last; none before a list is whole."""
        self._since = ""
        """Of what was taken before the watch that is under way, or was the last."""
        self._streaming = False

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
        """Seconds since anything was heard."""
        return self._source.silent

    @property
    def objects(self) -> int:
        """How many are known."""
        return len(self.known)

    @property
    def known(self) -> Mapping[Key, Key]:
        """What is there, by namespace and name."""
        return self._reader.known

    def tighten(self) -> None:
        """Give back the room of what went, where it is much."""
        self._reader.tighten()

    async def run(self) -> None:
        """List and watch, for ever."""
        while True:
            pause = await self._follow()
            await asyncio.sleep(pause)

    async def _follow(self) -> float:
        """List if need be, and watch until that ends; the seconds to wait then."""
        began = time.monotonic()
        try:
            if not self._version:
                async with self._lists:
                    await self._list()
            await self._watch()
        except BrokenWatchError as broken:
            pause = self._ended(began, relist=broken.relist)
            self._version = "" if broken.relist else self._version
            return pause
        except UnreachableError as error:
            self._tell(reason=f"Unreachable: {error}"[:200])
            return 0 if self._source.down else self._pauses.ended(0, relist=not self._version)
        except ApiError as error:
            pause = self._pauses.refused(error)
            await self._refused(error)
            return pause
        except KubeConfigError as error:
            self._tell(reason=f"Credentials: {error}"[:200])
            return self._pauses.failed()
        return self._ended(began, relist=False)

    def _ended(self, began: float, *, relist: bool) -> float:
        relist, told = relist or not self._version, self._version != self._since
        return self._pauses.ended(time.monotonic() - began, relist=relist, told=told)

    # Refused

    async def _refused(self, error: ApiError) -> None:
        """Note why there is no data."""
        again = self._pauses.failures > 1
        if isinstance(error, GoneError) or (again and error.status not in _PASSING):
            self._version = ""  # it may be of no version that the server knows
        if isinstance(error, ForbiddenError | NotFoundError):
            # A server that has just started refuses what it does not know yet: once is no answer.
            if again or not self.state.synced:
                await self._lose(error)
        elif not isinstance(error, GoneError):
            self._tell(reason=f"Refused: {error}"[:200])

    async def _lose(self, error: ApiError) -> None:
        self._version = ""
        if isinstance(error, ForbiddenError):
            self._tell(synced=False, forbidden=True, reason="Forbidden")
        elif await self._source.served():  # whoever said otherwise, it is no proof of none
            self._tell(reason=f"Refused: {error}"[:200])
        else:
            await self._reader.forget()
            self._tell(synced=True, forbidden=False, served=False, reason="NotServed")

    # List

    async def _list(self) -> None:
        self._reader.begin()
        self._source.begin()
        self._version = await self._listed()
        await self._reader.end()
        relists = self.state.relists + (1 if self.state.synced or self.state.relists else 0)
        self._tell(synced=True, forbidden=False, served=True, reason="", relists=relists)

    async def _listed(self) -> str:
        """Take all that is there; the version as of which it is so.

        In pages, which the server makes in half of the time; if one was asked for too late, from
        then on by a stream, which cannot expire (docs/decisions/0008).
        """
        if self._streaming:
            try:
                return await self._stream_list()
            except ApiError as error:
                if error.status not in NO_STREAM:
                    raise
                self._streaming = False
        try:
            return await self._page_list()
        except GoneError:
            self._streaming = True
            raise

    async def _stream_list(self) -> str:
        """Watch from the beginning until the bookmark that says that all has come."""
        async with aclosing(self._source.everything()) as events:
            async for event in events:
                if event.type != "BOOKMARK":
                    self._reader.take(event)
                elif (meta := peeked(event).metadata).last:
                    return number(meta.resource_version)
        raise BrokenWatchError("the list ended before its end mark", relist=True)

    async def _page_list(self) -> str:
        version, turn = "", Turn()
        async with aclosing(self._source.pages()) as pages:
            async for page in pages:
                await self._put(page.items, turn)
                version = page.metadata.resource_version
                del page  # before the next one is decoded
        return number(version)

    async def _put(self, items: Iterable[ObjectDoc | msgspec.Raw], turn: Turn) -> None:
        for item in items:
            self._reader.put(item)
            await turn.end()

    # Watch

    async def _watch(self) -> None:
        """Follow changes until the server ends the stream, which is no fault."""
        self._since = self._version
        async with aclosing(self._source.since(self._version)) as events:
            async for event in events:
                version = self._version
                if event.type != "ERROR":
                    version = following(metadata(event).resource_version, version)
                if event.type != "BOOKMARK":
                    self._reader.take(event)
                self._version = version  # what it counts is taken by now

    # State

    def _tell(self, **changes: bool | int | str) -> None:
        """Say what has changed of the kind's state; `since` moves with what is known of it."""
        old = self.state
        new = msgspec.structs.replace(old, objects=self.objects, **changes)
        if (new.synced, new.forbidden, new.served) != (old.synced, old.forbidden, old.served):
            new = msgspec.structs.replace(new, since=int(self._clock()))
        if new != old:
            self.state = new
            self._sink.state(self.kind, new)
