"""Usage by polling: metrics.k8s.io has no watch. Nodes at once, pods namespace by namespace.

metrics-server does not heed `limit`: 150,000 pods are one answer of 100 MB. So namespaces take
turns, evenly over the time between two polls, and an answer is read as it comes.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable

import aiohttp
import msgspec

from clusteraudit.kube.errors import ApiError, ForbiddenError, NotFoundError, UnreachableError
from clusteraudit.kube.session import Session
from clusteraudit.sources.chunks import HEAD
from clusteraudit.sources.faults import ParseError
from clusteraudit.sources.feed import STALE, KindState, Resource, Sink
from clusteraudit.sources.jsons import begin_of_items, peek
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.resources import path, resource
from clusteraudit.sources.splitter import Splitter

EVERY = 60.0
_SOON = 1.0
"""Seconds until pods are asked for, while no namespace is known yet."""


_SPREAD = 0.9
"""Part of the time between two polls over which namespaces take turns."""
_TURN = 200
"""Samples after which other tasks get their turn."""


class UsagePoller:
    """Polls node and pod usage; each round is a generation, what it did not see is gone."""

    def __init__(
        self,
        session: Session,
        sink: Sink,
        namespaces: Callable[[], Iterable[str]],
        every: float = EVERY,
    ) -> None:
        self._session = session
        self._sink = sink
        self._namespaces = namespaces
        self._every = every
        self._readers = {
            kind: Reader(resource(kind), sink) for kind in ("NodeMetrics", "PodMetrics")
        }
        self._states: dict[str, KindState] = {}
        self._heard = dict.fromkeys(self._readers, time.monotonic())

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that it polls."""
        return tuple(self._readers)

    def silent(self, kind: str) -> float:
        """Seconds since an answer about a kind."""
        return time.monotonic() - self._heard[kind]

    def stale(self, kind: str) -> bool:
        """Whether there was no answer for longer than two rounds and some patience."""
        state = self._states.get(kind, KindState())
        return state.synced and state.served and self.silent(kind) > STALE + self._every

    def objects(self, kind: str) -> int:
        """How many are known."""
        return len(self._readers[kind].known)

    async def run(self) -> None:
        """Poll, until cancelled; the first round waits for nothing."""
        nodes, pods = (self._readers[kind].resource for kind in ("NodeMetrics", "PodMetrics"))
        pause = 0.0
        while True:
            began = time.monotonic()
            served = await self._round("NodeMetrics", [_all(nodes)])
            namespaces = sorted(self._namespaces())
            if not served:
                self._tell("PodMetrics", self._states["NodeMetrics"])
            elif namespaces:
                paths = [_of(pods, one) for one in namespaces]
                await self._round("PodMetrics", paths, pause / len(paths))
                pause = _SPREAD * self._every
            known = namespaces or not served
            wait = self._every - (time.monotonic() - began) if known else _SOON
            await asyncio.sleep(max(0.0, min(self._every, wait)))

    async def _round(self, kind: str, paths: Iterable[str], pause: float = 0.0) -> bool:
        """Ask for one kind's samples, path by path; whether they could be had."""
        reader = self._readers[kind]
        reader.begin()
        try:
            for where in paths:
                began = time.monotonic()
                await self._read(reader, where)
                self._heard[kind] = time.monotonic()
                await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)))
        except (ApiError, UnreachableError) as error:
            self._lost(kind, error)
            return False
        reader.end()
        self._tell(kind, KindState(synced=True, served=True, objects=len(reader.known)))
        return True

    async def _read(self, reader: Reader, where: str) -> None:
        """The samples of one answer, each forgotten before the next."""
        count = 0
        try:
            async with self._session.body(where) as body:
                async for item in _items(body):
                    reader.put(item)
                    count += 1
                    if count % _TURN == 0:
                        await asyncio.sleep(0)
        except ParseError as error:
            raise ApiError(200, f"GET {where}: the answer {error}") from None

    def _lost(self, kind: str, error: ApiError | UnreachableError) -> None:
        """No usage is no evidence; rows stay, since rules will not be asked of them."""
        if isinstance(error, ForbiddenError):
            self._tell(kind, KindState(forbidden=True, reason="Forbidden"))
        elif isinstance(error, NotFoundError):
            self._tell(kind, KindState(served=False, reason="NotServed"))
        else:
            self._tell(kind, KindState(served=False, reason="Unavailable"))

    def _tell(self, kind: str, state: KindState) -> None:
        if self._states.get(kind) != state:
            self._states[kind] = state
            self._sink.state(kind, msgspec.structs.replace(state, since=int(time.time())))


def _all(kind: Resource) -> str:
    return path(kind.api_version, kind.plural)


def _of(kind: Resource, namespace: str) -> str:
    return f"/apis/{kind.api_version}/namespaces/{namespace}/{kind.plural}"


async def _items(body: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The items of a list, as soon as each is whole; raises ParseError."""
    splitter, head, begin = Splitter(), b"", None
    async for piece in body.iter_any():
        if begin is not None:
            found = splitter.feed(piece)
        else:
            head += piece
            begin = _begin(head)
            found = splitter.feed(head[begin:]) if begin is not None else iter(())
        for item in found:
            yield item
    for item in splitter.close() if begin is not None else (peek(head).items or ()):
        yield bytes(item)


def _begin(head: bytes) -> int | None:
    begin = begin_of_items(head)
    if begin is None and len(head) > HEAD:
        raise ParseError("is no list of objects")
    return begin
