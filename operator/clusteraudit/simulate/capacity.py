"""What is free, and how much of it is of use: F1 to F6 by group of nodes, every resource.

The cluster, its pools, its zones and its nodes are groups of nodes like any other. All of them are
measured by the workload of the whole cluster, so that the figures of the groups add up to those of
the cluster; what a group's nodes refuse to take shows as the cause `constraint`.
"""

from collections.abc import Iterator, Mapping
from math import sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import Amounts
from clusteraudit.simulate.accept import Accepted, accepted
from clusteraudit.simulate.fragmentation import Copies, Grouping, Waste, packing, waste
from clusteraudit.simulate.pools import of_nodes
from clusteraudit.simulate.room import Room, room
from clusteraudit.simulate.snapshot import SLOTS
from clusteraudit.simulate.workload import Class, Workload, workload

COMPUTE = ("cpu", "memory")
MAX_SHAPES = 20
"""Classes of which headroom is published, the most frequent ones."""


class Expected(msgspec.Struct, frozen=True, gc=False):
    """F3 of a resource, in its base unit: expectations, hence no integers."""

    amount: float
    """The sum of the causes but for `not_requested`."""
    own: float
    other: tuple[tuple[str, float], ...]
    slots: float
    constraint: float
    not_requested: float


class Measure(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Of one resource in one group, in its base unit."""

    resource: str
    allocatable: int
    """Of all nodes, those that take no pods included; so are `requested` and `limits`."""
    requested: int
    limits: int
    free: int
    """On nodes that take pods."""
    unavailable: int
    """Left on nodes that are cordoned or NotReady."""
    overcommitted: int
    """Requested beyond allocatable, node by node: allocatable - requested + this is what is left"""
    reclaimable: int
    largest: int
    node: str | None
    """Where the largest amount is free; None where nothing is."""
    expected: Expected | None
    """None without a workload; so is the next."""
    stranded: int | None
    stranded_on: tuple[str, ...]

    @property
    def fragmented(self) -> float | None:
        """Share of what is free that the expected pod cannot use; None where nothing is free."""
        return self.expected.amount / self.free if self.expected and self.free else None


class Fit(msgspec.Struct, frozen=True, gc=False):
    """F2 of a class in a group; `loss` is None where even the pooled room holds none."""

    name: str
    fits: int
    ideal: int

    @property
    def loss(self) -> float | None:
        """Packing loss: the share of copies that is lost because room is in pieces."""
        return None if self.ideal == 0 else 1 - self.fits / self.ideal


class Group(msgspec.Struct, frozen=True, gc=False):
    """What is known of a group of nodes."""

    name: str
    nodes: tuple[str, ...]
    resources: tuple[Measure, ...]
    shapes: tuple[Fit, ...]
    imbalance: float | None
    """F6: 1 - cosine of what is free and what is asked for, CPU and memory; 0 is a perfect match"""
    pod: Amounts
    """F5 jointly: the largest pod of the workload's CPU to memory ratio that fits on one node."""
    pod_node: str | None

    def of(self, resource: str) -> Measure | None:
        """The figures of a resource."""
        return next((one for one in self.resources if one.resource == resource), None)


class Question(msgspec.Struct, frozen=True):
    """What every measurement reads."""

    room: Room
    workload: Workload
    accepted: Accepted
    waste: Waste


def question(cluster: Cluster, whole: Workload) -> Question:
    """The room of a cluster, and what of it this workload cannot use."""
    asked = {resource for one in whole for resource, _ in one.shape.requests}
    wide = room(cluster).wider(asked)
    masks = accepted(cluster, tuple(dict.fromkeys(one.shape.constraints for one in whole)))
    return Question(wide, whole, masks, waste(wide, whole, masks))


def everything(one: Question) -> Grouping:
    """All nodes as one group."""
    return Grouping(("",), [0] * len(one.room.nodes))


def groups(one: Question, grouping: Grouping, shapes: int | None = None) -> Iterator[Group]:
    """The figures of each group; of so many classes only, the most frequent ones."""
    classes = one.workload[:shapes]
    fits = [
        packing(one.room, c.shape, one.accepted[c.shape.constraints], grouping) for c in classes
    ]
    columns = _Columns(one, grouping)
    demand = _demand(one.workload)
    for group, name in enumerate(grouping.names):
        members = grouping.members(group)
        pod, at = _largest_pod(one.room, members, demand)
        yield Group(
            name=name,
            nodes=tuple(one.room.nodes[member] for member in members),
            resources=tuple(columns.measures(group, members)),
            shapes=tuple(_fit(c, found, group) for c, found in zip(classes, fits, strict=True)),
            imbalance=_imbalance(one.room, members, demand),
            pod=pod,
            pod_node=at,
        )


def _fit(one: Class, found: Copies, group: int) -> Fit:
    return Fit(one.name, int(found.fits[group]), int(found.ideal[group]))


class _Columns:
    """Sums of every column by group, made once for all groups."""

    def __init__(self, one: Question, grouping: Grouping) -> None:
        room, lost = one.room, one.waste
        self._room, self._lost, sums = room, lost, grouping.sums
        self._allocatable, self._requested = sums(room.allocatable), sums(room.requested)
        self._limits, self._reclaimable = sums(room.limits), sums(room.reclaimable)
        self._free, self._unavailable = sums(room.free), sums(room.unavailable)
        self._over, self._stranded = sums(room.overcommitted), sums(lost.stranded)
        self._own, self._slots = sums(lost.own), sums(lost.slots)
        self._constraint, self._idle = sums(lost.constraint), sums(lost.not_requested)
        self._other = {key: sums(amounts) for key, amounts in lost.other.items()}

    def measures(self, group: int, members: NDArray[np.intp]) -> Iterator[Measure]:
        """The figures of a group, resource by resource."""
        told = bool(self._lost.pods)
        for at, resource in enumerate(self._room.resources):
            free = self._room.free[members, at]
            largest = max(free, default=0)
            held = self._lost.stranded[members, at]
            yield Measure(
                resource=resource,
                allocatable=int(self._allocatable[group, at]),
                requested=int(self._requested[group, at]),
                limits=int(self._limits[group, at]),
                free=int(self._free[group, at]),
                unavailable=int(self._unavailable[group, at]),
                overcommitted=int(self._over[group, at]),
                reclaimable=int(self._reclaimable[group, at]),
                largest=int(largest),
                node=self._room.nodes[members[list(free).index(largest)]] if largest else None,
                expected=self._expected(group, at) if told else None,
                stranded=int(self._stranded[group, at]) if told else None,
                stranded_on=tuple(self._room.nodes[m] for m in members[held > 0]) if told else (),
            )

    def _expected(self, group: int, at: int) -> Expected:
        pods = self._lost.pods
        others = {key[1]: n[group] for key, n in self._other.items() if key[0] == at and n[group]}
        own, slots = self._own[group, at], self._slots[group, at]
        constraint = self._constraint[group, at]
        return Expected(
            amount=(own + slots + constraint + sum(others.values())) / pods,
            own=own / pods,
            other=tuple((self._room.resources[r], n / pods) for r, n in sorted(others.items())),
            slots=slots / pods,
            constraint=constraint / pods,
            not_requested=self._idle[group, at] / pods,
        )


def _demand(whole: Workload) -> dict[str, int]:
    """CPU and memory that all of the workload asks for: what matters is their ratio."""
    asked = dict.fromkeys(COMPUTE, 0)
    for one in whole:
        for resource, amount in one.shape.requests:
            if resource in asked:
                asked[resource] += amount * one.pods
    return {resource: amount for resource, amount in asked.items() if amount}


def _imbalance(room: Room, members: NDArray[np.intp], demand: Mapping[str, int]) -> float | None:
    allocatable, free = (
        [sum(array[members, room.column[r]]) if r in room.column else 0 for r in COMPUTE]
        for array in (room.allocatable, room.free)
    )
    if not demand or not all(allocatable):
        return None
    left = [amount / total for amount, total in zip(free, allocatable, strict=True)]
    asked = [demand.get(r, 0) / total for r, total in zip(COMPUTE, allocatable, strict=True)]
    sizes = sqrt(sum(x * x for x in left)) * sqrt(sum(x * x for x in asked))
    dot = sum(x * y for x, y in zip(left, asked, strict=True))
    return max(0.0, 1 - dot / sizes) if sizes else None


def _largest_pod(
    room: Room, members: NDArray[np.intp], demand: Mapping[str, int]
) -> tuple[Amounts, str | None]:
    """`max over n of min over r of F/d, times d`: as much of each as one node has of all."""
    if not demand or not len(members):
        return (), None
    free = {r: room.comparable[room.column[r], members] for r in demand}
    slots = room.comparable[room.column[SLOTS], members] > 0
    parts = np.min([free[r] / amount for r, amount in demand.items()], axis=0)
    best = int(np.where(slots, parts, 0).argmax())
    if not (slots[best] and parts[best]):
        return (), None
    held = {r: int(amounts[best]) for r, amounts in free.items()}
    pod = {r: min(demand[r] * held[s] // demand[s] for s in demand) for r in demand}
    return tuple(sorted(pod.items())), room.nodes[members[best]]


# What the operator publishes


class Whole(msgspec.Struct, frozen=True, gc=False):
    """The cluster and its pools, measured by the cluster's own workload."""

    workload: Workload
    cluster: Group
    pools: tuple[Group, ...]


@derived
def whole(cluster: Cluster) -> Whole | None:
    """What is published; None unless all nodes and pods are known."""
    if not (cluster.complete("Node") and cluster.complete("Pod")):
        return None
    one = question(cluster, workload(cluster))
    names, of_node = of_nodes(cluster, "pool")
    pooled = groups(one, Grouping(names, of_node), 0)
    return Whole(one.workload, next(groups(one, everything(one))), tuple(pooled))


def headroom(found: Whole) -> tuple[tuple[str, int], ...]:
    """Copies that fit of the most frequent shapes, by what they request.

    Of shapes that request the same and may run on different nodes, the one with the least room.
    """
    frequent: dict[str, int] = {}
    least: dict[str, int] = {}
    for one, fit in zip(found.workload, found.cluster.shapes, strict=True):
        label = one.name.partition("#")[0]
        frequent[label] = frequent.get(label, 0) + one.pods
        least[label] = min(fit.fits, least.get(label, fit.fits))
    chosen = sorted(frequent, key=lambda label: (-frequent[label], label))[:MAX_SHAPES]
    return tuple((label, least[label]) for label in sorted(chosen))
