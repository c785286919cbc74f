"""What happens in a cluster all the time, and a restart of everything."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from scale.manifests import histories, lease, node, replicaset
from scale.pods import NEW, Pods, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scale.cluster import Cluster, Workload
    from scale.etcd import Put

RATE = 200
"""Changes a second."""
RESTARTS = 250
"""Pods replaced a second: 150,000 in ten minutes."""
_TICK = 0.1
_HEARTBEATS = 0.2
_REPLACED = 0.1
"""Shares of the changes; each pod replaced is two. The rest are pods that turn ready or unready."""
_UNREADY = 0.002
"""Of all pods, at most."""

Where = tuple[int, int]


def moment(later: float = 0) -> str:
    """Now, or so many seconds later, as the API writes it."""
    at = datetime.now(tz=UTC) + timedelta(seconds=later)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Writer(Protocol):
    """Who takes what is written, as `Etcd` does."""

    async def write(self, batch: list[Put]) -> None:
        """Write a few in one transaction."""


class Life:
    """The cluster as it is by now, and what changes it."""

    def __init__(
        self,
        cluster: Cluster,
        etcd: Writer,
        now: str,
        states: dict[Where, State] | None = None,
        seed: int = 2,
    ) -> None:
        self._etcd = etcd
        self._now = now
        self._chance = random.Random(seed)
        self._cluster = cluster
        self._pods = Pods(now)
        self._workloads = {one.number: one for one in cluster.workloads}
        self._places = [
            (one.number, at) for one in cluster.workloads for at in range(len(one.nodes))
        ]
        self._history = histories(cluster)
        self._states: dict[Where, State] = {} if states is None else states
        self._unready: list[Where] = []
        self._resting = False
        self.changes = 0

    async def churn(self, seconds: float, rate: float = RATE) -> None:
        """So many changes a second for so long, or until `rest`.

        Not until cancelled: of a pod's replacement that would write a half.
        """
        self._resting = False
        began, done = time.monotonic(), 0
        while (past := time.monotonic() - began) < seconds and not self._resting:
            done += await self.change(int(rate * past - done))
            await asyncio.sleep(_TICK)

    def rest(self) -> None:
        """No more churn, once what is under way is written."""
        self._resting = True

    async def change(self, number: int) -> int:
        """So many changes, or one more; how many."""
        puts: list[Put] = []
        while len(puts) < number:
            puts += self._one()
        await self._write(puts)
        return len(puts)

    async def heartbeats(self) -> None:
        """A lease renewed each second, until cancelled: no real etcd ever stands still."""
        while True:
            await self._etcd.write([lease(moment())])
            await asyncio.sleep(1)

    async def stirring(self) -> None:
        """A pod that turns ready or unready each second, until cancelled: the quietest cluster.

        Of a kind that does not change at all the API server keeps no versions in its cache once
        etcd was compacted: pages of it would come from etcd then, in more than twice the CPU.
        """
        while True:
            where, put = self._flipped()
            await self._write([put, *self._told(self._workloads[where[0]])])
            await asyncio.sleep(1)

    def _told(self, workload: Workload) -> list[Put]:
        """What else is written then: the status of its ReplicaSet."""
        if not workload.replicated:
            return []
        name = workload.owner(self._state((workload.number, 0)).revision)
        return [replicaset(workload, name, len(workload.nodes), self._now)]

    async def restart(self, rate: float = RESTARTS) -> None:
        """Replace every pod, workload by workload, and their ReplicaSets with them."""
        began = time.monotonic()
        for done, (number, at) in enumerate(self._places):
            early = done / rate - (time.monotonic() - began)
            if early > _TICK:
                await asyncio.sleep(early)
            workload = self._workloads[number]
            if at == 0:
                await self._write(self._rolled_out(workload))
            await self._write(self._replaced((number, at), revised=1))
            if at + 1 == len(workload.nodes):
                await self._write(self._cleaned_up(workload))

    async def vanish(self, number: int) -> None:
        """The last pods go, and nothing comes in their place; the last thing to do.

        Who knows of that knows all that was before it: watches tell it in its order.
        """
        gone = [self._gone(self._places.pop()) for _ in range(min(number, len(self._places)))]
        await self._write(gone)

    def _gone(self, where: Where) -> Put:
        return self._pods.gone(self._workloads[where[0]], where[1], self._state(where))

    def _rolled_out(self, workload: Workload) -> list[Put]:
        if not workload.replicated:
            return []
        name = workload.owner(self._state((workload.number, 0)).revision + 1)
        return [replicaset(workload, name, len(workload.nodes), self._now)]

    def _cleaned_up(self, workload: Workload) -> list[Put]:
        """The last revision has no pods any more, and the oldest goes: history does not grow."""
        if not workload.replicated:
            return []
        history = self._history[workload.number]
        history.append(workload.owner(self._state((workload.number, 0)).revision - 1))
        scaled = replicaset(workload, history[-1], 0, self._now)
        return [scaled, (f"replicasets/{workload.namespace}/{history.pop(0)}", None)]

    async def _write(self, puts: list[Put]) -> None:
        """Each by itself, as an API server writes.

        A watch goes on after a revision, so of several objects of one revision it would lose those
        that it had not told yet when it ended.
        """
        self.changes += len(puts)
        for turn in _turns(puts):
            await asyncio.gather(*(self._etcd.write([put]) for put in turn.items()))

    def _state(self, where: Where) -> State:
        return self._states.get(where, NEW)

    def _one(self) -> Iterator[Put]:
        draw = self._chance.random()
        if draw < _HEARTBEATS:
            number = self._chance.randrange(self._cluster.size.nodes)
            yield node(number, self._now, moment())
        elif draw < _HEARTBEATS + _REPLACED:
            yield from self.replacement()
        else:
            yield self._flipped()[1]

    def replacement(self) -> list[Put]:
        """A pod that goes, and the one that comes in its place."""
        return self._replaced(self._chance.choice(self._places), revised=0)

    def _replaced(self, where: Where, revised: int) -> list[Put]:
        workload, at = self._workloads[where[0]], where[1]
        state, gone = self._state(where), self._gone(where)
        new = self._states[where] = State(state.revision + revised, state.life + 1)
        return [gone, self._pods.put(workload, at, new)]

    def _flipped(self) -> tuple[Where, Put]:
        """A pod that is not ready any more, or one that is again."""
        if len(self._unready) > _UNREADY * len(self._places):
            where = self._unready.pop(0)
            self._states[where] = replace(self._state(where), ready=True)
        else:
            where = self._chance.choice(self._places)
            self._unready.append(where)
            state = self._state(where)
            self._states[where] = replace(state, ready=False, restarts=state.restarts + 1)
        return where, self._pods.put(self._workloads[where[0]], where[1], self._states[where])


def _turns(puts: Iterable[Put]) -> Iterator[dict[str, bytes | None]]:
    """In the order in which they were made, where it counts: writes of a turn have no order."""
    turn: dict[str, bytes | None] = {}
    for key, value in puts:
        if key in turn:
            yield turn
            turn = {}
        turn[key] = value
    if turn:
        yield turn
