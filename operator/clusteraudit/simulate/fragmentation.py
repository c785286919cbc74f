"""How much of what is free is of use, and to whom: F2, F3, F4, by group of nodes.

With F the free amount, D a class's request, E the nodes that accept it and p its weight:

- F2, copies: `fits = sum over E of min over r of floor(F/D)`, slots included;
  `ideal = floor(min over r of sum over E of F / D)`; packing loss `1 - fits/ideal`.
- F3, expected fragmentation of r: `sum of p * F` over the classes that ask for r and the nodes on
  which they do not fit (fragmentation gradient descent, ATC'23, generalised to every resource).
  The published figure for one resource also holds what no class asks for: `notRequested`.
- F4, stranded: `F` on nodes on which no class fits that asks for anything.

Sums are exact: integers weighed by numbers of pods, divided once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.rows import SLOTS, Amounts
from clusteraudit.simulate.accept import Accepted
from clusteraudit.simulate.filters.kit import Shape
from clusteraudit.simulate.room import CLIP, Counts, Exact, Mask, Room
from clusteraudit.simulate.workload import Class, Workload

N = TypeVar("N", bound=np.generic)


class Grouping:
    """Nodes in groups, each in one: sums of a row a node become sums of a row a group."""

    def __init__(self, names: Sequence[str], of_node: Sequence[int]) -> None:
        self.names = tuple(names)
        self.of_node = np.array(of_node, dtype=np.intp)
        self._order = np.argsort(self.of_node, kind="stable")
        self._sizes = np.bincount(self.of_node, minlength=len(self.names))
        self._starts = np.concatenate(([0], np.cumsum(self._sizes)[:-1])).astype(np.intp)

    def members(self, group: int) -> NDArray[np.intp]:
        """Rows of the nodes of a group."""
        return self._order[self._starts[group] :][: self._sizes[group]]

    def sums(self, rows: NDArray[N]) -> NDArray[N]:
        """Sums by group, over the first axis; every group has a node, unless there is none."""
        if not len(self.of_node):
            return np.zeros((len(self.names), *rows.shape[1:]), dtype=rows.dtype)
        found: NDArray[N] = np.add.reduceat(rows[self._order], self._starts, axis=0)
        return found


@dataclass(frozen=True)
class Copies:
    """F2 of a class, by group."""

    fits: Counts
    ideal: Counts


@dataclass(frozen=True)
class Waste:
    """F3 and F4, a row a node and a column a resource; the weights are numbers of pods."""

    pods: int
    own: Exact
    """Too little of the resource itself."""
    other: dict[tuple[int, int], Exact]
    """By resource and the other of which the least part is there: too little of that one."""
    slots: Exact
    constraint: Exact
    not_requested: Exact
    stranded: Exact
    """Not weighed: all that is free where nothing fits."""


def copies(room: Room, requests: Amounts) -> Counts:
    """How many copies each node has room for; a copy takes a slot."""
    count: Counts = room.comparable[room.column[SLOTS]]
    for resource, amount in requests:
        count = np.minimum(count, room.comparable[room.column[resource]] // min(amount, CLIP))
    return count


def packing(room: Room, shape: Shape, accepts: Mask, grouping: Grouping) -> Copies:
    """F2 of a class."""
    fits = grouping.sums(np.where(accepts, copies(room, shape.requests), 0))
    pooled = [
        grouping.sums(np.where(accepts, room.comparable[room.column[r]], 0)) // min(amount, CLIP)
        for r, amount in (*shape.requests, (SLOTS, 1))
    ]
    return Copies(fits, np.min(pooled, axis=0))


def waste(room: Room, workload: Workload, accepted: Accepted) -> Waste:
    """F3 and F4 of a workload, node by node."""
    tally = _Tally(room)
    for one in workload:
        tally.add(one, accepted[one.shape.constraints])
    return tally.weighed()


class _Tally:
    """Counts pods by why they do not fit, for each node and resource."""

    def __init__(self, room: Room) -> None:
        self._room = room
        shape = (len(room.resources), len(room.nodes))
        self._pods = 0
        self._own, self._slots, self._constraint = (np.zeros(shape, np.int64) for _ in range(3))
        self._other: dict[tuple[int, int], Counts] = {}
        self._not_requested = np.zeros(len(room.resources), np.int64)
        self._useful = np.zeros(len(room.nodes), np.bool_)

    def add(self, one: Class, accepts: Mask) -> None:
        """Count a class, over all nodes."""
        room, requests = self._room, one.shape.requests
        self._pods += one.pods
        asked = {room.column[r]: min(amount, CLIP) for r, amount in (*requests, (SLOTS, 1))}
        lacks = {at: accepts & (room.comparable[at] < amount) for at, amount in asked.items()}
        full = np.logical_or.reduce(list(lacks.values()))
        if requests:
            self._useful |= accepts & ~full
        scarcest = self._scarcest(asked) if full.any() else None
        for at in range(len(room.resources)):
            if at not in asked:
                self._not_requested[at] += one.pods
                continue
            self._constraint[at] += np.where(accepts, 0, one.pods)
            self._own[at] += np.where(lacks[at], one.pods, 0)
            if scarcest is not None:
                self._others(one, at, full & ~lacks[at], lacks, scarcest)

    def _scarcest(self, asked: dict[int, int]) -> NDArray[np.intp]:
        """On each node, the resource of which it has the least part; slots are told apart."""
        slots = self._room.column[SLOTS]
        named = [at for at in asked if at != slots] or [slots]
        parts = np.stack([self._room.comparable[at] / asked[at] for at in named])
        found: NDArray[np.intp] = np.array(named, dtype=np.intp)[parts.argmin(axis=0)]
        return found

    def _others(
        self, one: Class, at: int, rest: Mask, lacks: dict[int, Mask], scarcest: NDArray[np.intp]
    ) -> None:
        """Where not the resource itself is lacking: a slot, or another resource."""
        if not rest.any():
            return
        slots = self._room.column[SLOTS]
        no_slot = rest & lacks[slots]
        self._slots[at] += np.where(no_slot, one.pods, 0)
        rest &= ~no_slot
        for other in lacks:
            here = rest & (scarcest == other)
            if other != at and here.any():
                count = self._other.setdefault((at, other), np.zeros(len(here), np.int64))
                count += np.where(here, one.pods, 0)

    def weighed(self) -> Waste:
        """Free amounts by those counts."""
        free = self._room.free
        return Waste(
            pods=self._pods,
            own=free * self._own.T,
            other={key: free[:, key[0]] * count for key, count in sorted(self._other.items())},
            slots=free * self._slots.T,
            constraint=free * self._constraint.T,
            not_requested=free * self._not_requested,
            stranded=free * ~self._useful[:, None],
        )
