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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.rows import SLOTS, Amounts
from clusteraudit.simulate.accept import Accepted
from clusteraudit.simulate.filters.kit import Constraints, Shape
from clusteraudit.simulate.room import CLIP, Counts, Exact, Mask, Room
from clusteraudit.simulate.workload import Class, Workload

N = TypeVar("N", bound=np.generic)
_AT_ONCE = 2**14
"""Pairs of a class and a node that are looked at together."""
_HALF = 24
"""Bits of half an amount of int64: such halves by numbers of pods add up within int64."""
_FLOAT32 = 2**24
"""Pods that float32 counts exactly: twice as fast as float64."""


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
        if len(self.names) == 1:
            columns = np.ascontiguousarray(rows.T)  # to be added up in a third of the time
            found: NDArray[N] = np.add.reduce(columns, axis=-1, keepdims=True).T
        else:
            found = np.add.reduceat(rows[self._order], self._starts, axis=0)
        return found

    def weighed(self, amounts: Exact, weights: Counts) -> Exact:
        """Sums by group of amounts by numbers of pods."""
        if amounts.dtype == np.object_:
            return self.sums(amounts * weights)
        low = self.sums((amounts & 2**_HALF - 1) * weights)
        high = self.sums((amounts >> _HALF) * weights).astype(np.object_)
        found: Exact = (high << _HALF) + low
        return found

    def largest(self, rows: Exact) -> tuple[Exact, NDArray[np.intp]]:
        """The largest by group and column, over the first axis, and the first row that has it."""
        if not len(self.of_node):
            nothing = np.zeros((len(self.names), *rows.shape[1:]), dtype=np.intp)
            return nothing, nothing
        found = np.maximum.reduceat(rows[self._order], self._starts, axis=0)
        at = np.arange(len(rows))[:, None]
        first = np.where(rows == found[self.of_node], at, len(rows))[self._order]
        return found, np.minimum.reduceat(first, self._starts, axis=0)


@lru_cache(maxsize=4)
def together(nodes: int) -> Grouping:
    """So many nodes as one group."""
    return Grouping(("",), [0] * nodes)


@dataclass(frozen=True)
class Copies:
    """F2 of a class, by group."""

    fits: Counts
    ideal: Counts


@dataclass(frozen=True)
class Waste:
    """F3 and F4, a row a node and a column a resource: for how many pods what is free is no use."""

    pods: int
    own: Counts
    """Too little of the resource itself."""
    other: dict[tuple[int, int], Counts]
    """By resource and the other of which the least part is there: too little of that one."""
    slots: Counts
    constraint: Counts
    not_requested: Counts
    """A column a resource, the same on every node."""
    stranded: Exact
    """The amount that is free where nothing fits."""


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


class Demand:
    """A workload as a matrix: a row a class, a column a resource, 0 where none is requested."""

    def __init__(self, room: Room, workload: Sequence[Class], accepted: Accepted) -> None:
        self.pods = np.array([one.pods for one in workload], dtype=np.int64)
        self.of = np.zeros((len(workload), len(room.resources)), dtype=np.int64)
        self.of[:, room.column[SLOTS]] = 1
        for at, one in enumerate(workload):
            for resource, amount in one.shape.requests:
                self.of[at, room.column[resource]] = min(amount, CLIP)
        self.asks = np.array([bool(one.shape.requests) for one in workload], dtype=np.bool_)
        masks: dict[Constraints, int] = {}
        kinds = [masks.setdefault(one.shape.constraints, len(masks)) for one in workload]
        self._kind = np.array(kinds, dtype=np.intp)
        held = [accepted[one] for one in masks]
        self._masks = np.array(held, dtype=np.bool_).reshape(len(held), len(room.nodes))

    def accepts(self, nodes: NDArray[np.intp]) -> Mask:
        """By class and node, whether a node accepts a class."""
        found: Mask = self._masks[:, nodes][self._kind]
        return found

    def copies(self, room: Room, nodes: NDArray[np.intp]) -> Counts:
        """How many copies of each class these nodes have room for, all together."""
        total = np.zeros(len(self.pods), dtype=np.int64)
        for some in _some(nodes, len(self.pods)):
            count = np.full((len(self.pods), len(some)), np.inf)
            for at, held in enumerate(room.comparable[:, some]):
                asked = self.of[:, at] > 0
                # exact: below CLIP a quotient cannot round up to the next integer
                part = np.floor(held / self.of[asked, at, None])
                count[asked] = np.minimum(count[asked], part)
            total += np.where(self.accepts(some), count, 0).astype(np.int64).sum(axis=1)
        return total

    def ideal(self, room: Room) -> Counts:
        """How many the room of all nodes that accept it would hold in one piece."""
        pooled = np.where(self._masks[:, None, :], room.comparable, 0).sum(axis=2)[self._kind]
        parts = np.where(self.of > 0, pooled // np.maximum(self.of, 1), np.iinfo(np.int64).max)
        found: Counts = parts.min(axis=1)
        return found


def _some(nodes: NDArray[np.intp], classes: int) -> Iterator[NDArray[np.intp]]:
    """Nodes some at a time: what so many classes take of them stays in the processor's caches."""
    most = max(1, _AT_ONCE // max(1, classes))
    return (nodes[first : first + most] for first in range(0, len(nodes), most))


class Tally:
    """Counts of pods by why they do not fit, for each resource and node."""

    def __init__(self, resources: int, nodes: int) -> None:
        self.own, self.slots, self.constraint = (
            np.zeros((resources, nodes), np.int64) for _ in range(3)
        )
        self.other: dict[tuple[int, int], Counts] = {}
        self.useful = np.zeros(nodes, np.int64)
        """How many classes that ask for something fit."""

    def copy(self) -> "Tally":
        """A tally to change."""
        made = Tally(0, 0)
        made.own, made.slots, made.constraint = (
            one.copy() for one in (self.own, self.slots, self.constraint)
        )
        made.other = {key: one.copy() for key, one in self.other.items()}
        made.useful = self.useful.copy()
        return made

    def put(self, room: Room, demand: Demand, nodes: NDArray[np.intp]) -> None:
        """Count these nodes anew."""
        for all_of in (self.own, self.slots, self.constraint, *self.other.values()):
            all_of[..., nodes] = 0
        self.useful[nodes] = 0
        self.add(room, demand, demand.pods, demand.asks.astype(np.int64), nodes)

    def add(
        self, room: Room, demand: Demand, pods: Counts, classes: Counts, nodes: NDArray[np.intp]
    ) -> None:
        """Count so many pods of each class, and classes, on top; negative ones are taken off."""
        for some in _some(nodes, len(pods)):
            _Block(self, room, demand, pods, some).count(classes.astype(np.float64))


class _Block:
    """Classes against a few nodes: of each pair, what the node lacks."""

    def __init__(
        self, tally: Tally, room: Room, demand: Demand, pods: Counts, nodes: NDArray[np.intp]
    ) -> None:
        self._tally, self._nodes = tally, nodes
        self._free, self._demand = room.comparable[:, nodes], demand.of
        self._slots = room.column[SLOTS]
        self._accepts = demand.accepts(nodes)
        self._lacks = [
            self._accepts & (free < asked[:, None])
            for free, asked in zip(self._free, self._demand.T, strict=True)
        ]
        small = np.abs(pods).sum() < _FLOAT32
        self._pods = pods.astype(np.float32 if small else np.float64)

    def _sum(self, pairs: Mask, at: int) -> Counts:
        """Pods by node, of those classes that ask for a resource."""
        weights = np.where(self._demand[:, at] > 0, self._pods, 0)
        found: Counts = (weights @ pairs.astype(weights.dtype)).astype(np.int64)
        return found

    def count(self, classes: NDArray[np.float64]) -> None:
        """Put all of it into the tally."""
        tally, nodes = self._tally, self._nodes
        full = np.logical_or.reduce(self._lacks)
        fits = (self._accepts & ~full).astype(np.float64)
        tally.useful[nodes] += (classes @ fits).astype(np.int64)
        refused = ~self._accepts
        for at, lack in enumerate(self._lacks):
            if refused.any():
                tally.constraint[at, nodes] += self._sum(refused, at)
            if lack.any():
                tally.own[at, nodes] += self._sum(lack, at)
            if at != self._slots and self._lacks[self._slots].any():
                tally.slots[at, nodes] += self._sum(self._lacks[self._slots] & ~lack, at)
        if full.any():
            self._others()

    def _others(self) -> None:
        """Where another resource is lacking: the one of which the node has the least part."""
        no_slot = self._lacks[self._slots]
        for other, decides in self._scarcest():
            for at, lack in enumerate(self._lacks):
                rest = decides & ~lack & ~no_slot
                if at != other and rest.any():
                    size = len(self._tally.useful)
                    held = self._tally.other.setdefault((at, other), np.zeros(size, np.int64))
                    held[self._nodes] += self._sum(rest, at)

    def _scarcest(self) -> Iterator[tuple[int, Mask]]:
        """By resource, where a class has the least part of it; slots are told apart."""
        named = [at for at in range(len(self._lacks)) if at != self._slots]
        lacks = np.array([self._lacks[at] for at in named])
        rows, nodes = np.nonzero(lacks.sum(axis=0) > 1)
        if len(rows):
            asked = self._demand[rows][:, named].T
            with np.errstate(divide="ignore", invalid="ignore"):
                parts = np.where(asked > 0, self._free[named][:, nodes] / asked, np.inf)
            lacks[:, rows, nodes] = False
            lacks[parts.argmin(axis=0), rows, nodes] = True
        yield from zip(named, lacks, strict=True)


class Survey:
    """A workload against the nodes: F2 of its classes, F3 and F4 of each node.

    When the room of some nodes changed, or the pods of some classes, only these are counted anew.
    """

    def __init__(self, room: Room, workload: Workload, accepted: Accepted) -> None:
        self.room, self.workload, self.accepted = room, workload, accepted
        self.demand = Demand(room, workload, accepted)
        nodes = np.arange(len(room.nodes))
        self.tally = Tally(len(room.resources), len(nodes))
        self.tally.put(room, self.demand, nodes)
        self.fits = self.demand.copies(room, nodes)

    def __eq__(self, other: object) -> bool:
        mine = (self.room, self.workload, self.accepted)
        return isinstance(other, Survey) and mine == (other.room, other.workload, other.accepted)

    __hash__ = None  # type: ignore[assignment]  # arrays: compared as a derived value, never a key

    def mended(self, room: Room, workload: Workload, accepted: Accepted) -> "Survey":
        """The same of what is now; made anew where more than a part of it changed."""
        same = room.nodes == self.room.nodes and room.resources == self.room.resources
        if not same or not accepted.agrees(self.accepted):
            return Survey(room, workload, accepted)
        differs: Mask = np.logical_or.reduce(room.comparable != self.room.comparable, axis=0)
        nodes = np.flatnonzero(differs)
        if 4 * len(nodes) > len(room.nodes):
            return Survey(room, workload, accepted)
        made = object.__new__(Survey)
        made.room, made.workload, made.accepted = room, workload, accepted
        made.demand, made.tally = Demand(room, workload, accepted), self.tally.copy()
        self._shift(made, workload)
        made.tally.put(room, made.demand, nodes)
        made.fits = self._carried(made, nodes)
        return made

    def _shift(self, made: "Survey", workload: Workload) -> None:
        """Count what came and went of classes, on the room as it was."""
        before = {one.shape: one.pods for one in self.workload}
        after = {one.shape: one.pods for one in workload}
        of = {one.shape: one for one in (*self.workload, *workload)}
        moved = [shape for shape in of if before.get(shape) != after.get(shape)]
        masks = Accepted({**self.accepted.masks, **made.accepted.masks})
        demand = Demand(self.room, [of[shape] for shape in moved], masks)
        pods = np.array([after.get(one, 0) - before.get(one, 0) for one in moved], np.int64)
        lives = np.array([(one in after) - (one in before) for one in moved], np.int64)
        nodes = np.arange(len(self.room.nodes))
        made.tally.add(self.room, demand, pods, lives * demand.asks, nodes)

    def _carried(self, made: "Survey", nodes: NDArray[np.intp]) -> Counts:
        """Copies as they were, but for the nodes that changed, and all of classes that are new."""
        had = {one.shape: int(fits) for one, fits in zip(self.workload, self.fits, strict=True)}
        kept = np.array([had.get(one.shape, -1) for one in made.workload], dtype=np.int64)
        change = made.demand.copies(made.room, nodes) - made.demand.copies(self.room, nodes)
        new = [one for one, fits in zip(made.workload, kept, strict=True) if fits < 0]
        found: Counts = kept + change
        found[kept < 0] = Demand(made.room, new, made.accepted).copies(
            made.room, np.arange(len(made.room.nodes))
        )
        return found

    @property
    def copies(self) -> Copies:
        """F2 of every class, over all nodes."""
        return Copies(self.fits, self.demand.ideal(self.room))

    @property
    def waste(self) -> Waste:
        """F3 and F4, node by node."""
        found, demand = self.tally, self.demand
        return Waste(
            pods=int(demand.pods.sum()),
            own=found.own.T,
            other=dict(sorted(found.other.items())),
            slots=found.slots.T,
            constraint=found.constraint.T,
            not_requested=demand.pods @ (demand.of == 0),
            stranded=self.room.free * (found.useful == 0)[:, None],
        )
