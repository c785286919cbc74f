"""Usage by polling: metrics.k8s.io has no watch. Nodes at once, pods namespace by namespace.

metrics-server does not heed `limit`: 150,000 pods are one answer of 100 MB. So namespaces take
turns, evenly over the time between two polls or longer, and an answer is read as it comes.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing

import msgspec

from clusteraudit.kube.errors import ApiError, ForbiddenError, NotFoundError, UnreachableError
from clusteraudit.kube.session import Session
from clusteraudit.model.kinds import USAGE
from clusteraudit.sources.feed import STALE, KindState, Resource, Sink
from clusteraudit.sources.names import Names
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.resources import path, resource
from clusteraudit.sources.whole import whole
from clusteraudit.sources.wire import Turn

EVERY = 60.0
_SOON = 1.0
"""Seconds until it is asked again which namespaces there are, while there are none."""

_NODES, _PODS = map(resource, USAGE)
_ALL_NODES = path(_NODES.api_version, _NODES.plural)
_SPREAD = 0.9
"""Part of the time between two polls over which namespaces take turns."""
A_SECOND = 750
"""Samples a second, at most, once all were had: they shall take a hundredth of a core, or little
more. 150,000 pods take 200 s, two thirds of the time for which a rule takes a sample for fresh."""


class UsagePoller:
    """Polls node and pod usage: what an answer does not name any more, is gone.

    `like` are nodes and pods that are known, whose names it shares; until they are, let there be no
    `namespaces`.
    """

    def __init__(
        self,
        session: Session,
        sink: Sink,
        namespaces: Callable[[], Iterable[str]],
        every: float = EVERY,
        like: Names | None = None,
    ) -> None:
        self._session = session
        self._sink = sink
        self._namespaces = namespaces
        self._every = every
        self._like = like
        self._nodes = Reader(_NODES, sink, like)
        self._pods: dict[str, Reader] = {}
        """By namespace."""
        self._states: dict[str, KindState] = {}
        self._heard = dict.fromkeys(self.kinds, time.monotonic())

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that it polls."""
        return USAGE

    def silent(self, kind: str) -> float:
        """Seconds since an answer about a kind."""
        return time.monotonic() - self._heard[kind]

    def stale(self, kind: str) -> bool:
        """Whether there was no answer for longer than two rounds and some patience."""
        state = self._states.get(kind, KindState())
        return state.synced and state.served and self.silent(kind) > STALE + self._every

    def objects(self, kind: str) -> int:
        """How many are known."""
        readers = (self._nodes,) if kind == "NodeMetrics" else self._pods.values()
        return sum(len(one.known) for one in readers)

    async def run(self) -> None:
        """Poll, until cancelled; the first round waits for nothing but namespaces."""
        pause = 0.0
        while True:
            began = time.monotonic()
            if not await self._round("NodeMetrics", {_ALL_NODES: self._nodes}):
                self._tell("PodMetrics", self._states["NodeMetrics"])
            elif namespaces := await self._some(began + self._every):
                readers = await self._those_of(namespaces)
                await self._round("PodMetrics", readers, pause / len(readers))
                pause = _SPREAD * self._every
            await asyncio.sleep(max(0.0, self._every - (time.monotonic() - began)))

    async def _some(self, until: float) -> list[str]:
        """Namespaces, as soon as there are some; none where there are none by then."""
        while True:
            known = sorted(self._namespaces())
            if known or time.monotonic() + _SOON > until:
                return known
            await asyncio.sleep(_SOON)

    async def _those_of(self, namespaces: Sequence[str]) -> dict[str, Reader]:
        """Where the usage of each namespace's pods is, and who reads it; others forget theirs."""
        for name in self._pods.keys() - set(namespaces):
            await self._pods.pop(name).forget()
        for name in namespaces:
            if name not in self._pods:
                self._pods[name] = Reader(_PODS, self._sink, self._like)
        return {_of(_PODS, name): self._pods[name] for name in namespaces}

    async def _round(self, kind: str, readers: Mapping[str, Reader], pause: float = 0.0) -> bool:
        """Ask for one kind's samples, path by path; whether they could be had."""
        began, seen = time.monotonic(), 0
        try:
            for number, (where, reader) in enumerate(readers.items(), start=1):
                await self._read(reader, where)
                self._heard[kind] = time.monotonic()
                seen += len(reader.known)
                due = max(number * pause, seen / A_SECOND) if pause else 0.0
                await asyncio.sleep(max(0.0, due - (time.monotonic() - began)))
        except (ApiError, UnreachableError) as error:
            self._lost(kind, error)
            return False
        self._tell(kind, KindState(synced=True, served=True, objects=self.objects(kind)))
        return True

    async def _read(self, reader: Reader, where: str) -> None:
        """The samples of one answer, each forgotten before the next."""
        turn = Turn()
        reader.begin()
        async with aclosing(whole(self._session, where, reader.resource.document)) as answer:
            async for some in answer:
                for item in some:
                    reader.put(item)
                    await turn.end()
        await reader.end()

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


def _of(kind: Resource, namespace: str) -> str:
    return f"/apis/{kind.api_version}/namespaces/{namespace}/{kind.plural}"
