"""The source of a kind: its list in pages, and its events, as the API server has them."""

import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import aiohttp

from clusteraudit.kube.discovery import serves
from clusteraudit.kube.errors import ApiError, UnreachableError
from clusteraudit.kube.session import JSON, Session
from clusteraudit.sources import wire
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.feed import Resource
from clusteraudit.sources.pages import Page, Pages
from clusteraudit.sources.resources import path
from clusteraudit.sources.wire import BrokenWatchError, Event, Events

SILENCE = 75.0
"""Seconds without a byte after which a watch counts as dead: bookmarks come each minute."""
NO_STREAM = frozenset({400, 405, 406, 422})
"""Refusals of a server that cannot stream lists."""
_SERVER_TIMEOUT = (240, 300)
"""Seconds after which the server shall end a watch; drawn by lot, so that not all end together."""
_PARTIAL = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1"
_EVERYTHING = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}


class Source:
    """Asks for one kind, and notes when it was heard of last."""

    def __init__(
        self, session: Session, resource: Resource, *, silence: float, rng: random.Random
    ) -> None:
        self._session = session
        self._resource = resource
        self._silence = silence
        self._rng = rng
        self._read = Events(resource.document).read
        self._path = path(resource.api_version, resource.plural)
        self._pages = Pages(resource.document, f"GET {self._path}", session.decoding)
        self._heard = time.monotonic()
        self._outages = session.gate.outages

    @property
    def silent(self) -> float:
        """Seconds since anything was heard: an event, a bookmark, a page of a list."""
        return time.monotonic() - self._heard

    @property
    def down(self) -> bool:
        """Whether the server is; the gate makes whoever asks wait then."""
        return self._session.gate.down

    async def served(self) -> bool:
        """Whether the kind is, by the server's own account; while it gives none, yes."""
        try:
            return await serves(self._session, self._resource.api_version, self._resource.plural)
        except (ApiError, UnreachableError):
            return True

    def begin(self) -> None:
        """Versions of now on are of the history that the server has now."""
        self._outages = self._session.gate.outages

    def pages(self) -> AsyncGenerator[Page[ObjectDoc], None]:
        """The list; raises ApiError, UnreachableError."""
        return self._pages.all(self._page)

    async def _page(self, params: dict[str, str]) -> bytes:
        accept = self._accept("List")
        body = await self._session.send("GET", self._path, params=params, accept=accept)
        self._heard = time.monotonic()
        return body

    def everything(self) -> AsyncGenerator[Event, None]:
        """All that is there as events, a bookmark that says so, and what comes after it."""
        return self._events(_EVERYTHING)

    def since(self, version: str) -> AsyncGenerator[Event, None]:
        """What comes after a version."""
        return self._events({"resourceVersion": version})

    async def _events(self, params: dict[str, str]) -> AsyncGenerator[Event, None]:
        """Events until the server ends them; raises BrokenWatchError for whatever breaks."""
        heard = False
        try:
            async with aclosing(self._lines(params)) as lines:
                async for line in lines:
                    self._heard, heard = time.monotonic(), True
                    yield self._read(line)
        except TimeoutError:
            raise BrokenWatchError("nothing was heard", relist=not heard) from None
        except (aiohttp.ClientError, OSError) as error:
            raise BrokenWatchError(f"the watch broke: {error}", relist=False) from None

    async def _lines(self, params: dict[str, str]) -> AsyncGenerator[bytes, None]:
        seconds = self._rng.randint(*_SERVER_TIMEOUT)
        asked = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        began, accept = time.monotonic(), self._accept("")
        async with self._session.stream(
            self._path, {**asked, **params}, silence=self._silence, accept=accept
        ) as body:
            if params is not _EVERYTHING and self._outages != self._session.gate.outages:
                raise BrokenWatchError("the server was gone meanwhile", relist=True)
            async for line in wire.lines(body):
                yield line
        if time.monotonic() - began < seconds:  # it ends all of them before its time when it stops
            await self._session.gate.doubt()

    def _accept(self, what: str) -> str:
        return _PARTIAL.format(list=what) if self._resource.metadata_only else JSON
