"""Usage by polling: metrics.k8s.io has no watch. Nodes at once, pods namespace by namespace."""

import asyncio
import time
from collections.abc import Callable, Iterable

import msgspec

from clusteraudit.kube.errors import ApiError, ForbiddenError, NotFoundError, UnreachableError
from clusteraudit.kube.session import Session
from clusteraudit.sources.feed import KindState, Resource, Sink
from clusteraudit.sources.informer import STALE, Reader
from clusteraudit.sources.resources import path, resource

EVERY = 60.0
_SOON = 1.0
"""Seconds until pods are asked for, while no namespace is known yet."""


class _Samples(msgspec.Struct):
    items: list[msgspec.Raw] | None = None


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
        while True:
            served = await self._round("NodeMetrics", [_all(nodes)])
            namespaces = sorted(self._namespaces())
            if not served:
                self._tell("PodMetrics", self._states["NodeMetrics"])
            elif namespaces:
                await self._round("PodMetrics", [_of(pods, one) for one in namespaces])
            known = namespaces or not served
            await asyncio.sleep(self._every if known else min(self._every, _SOON))

    async def _round(self, kind: str, paths: Iterable[str]) -> bool:
        """Ask for one kind's samples; whether they could be had."""
        reader = self._readers[kind]
        reader.begin()
        try:
            for where in paths:
                samples = await self._session.get(where, _Samples)
                self._heard[kind] = time.monotonic()
                for item in samples.items or ():
                    reader.put(item)
        except (ApiError, UnreachableError) as error:
            self._lost(kind, error)
            return False
        reader.end()
        self._tell(kind, KindState(synced=True, served=True, objects=len(reader.known)))
        return True

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
