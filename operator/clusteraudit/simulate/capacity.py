"""What is free, and how much of it is of use: F1 to F6 by group of nodes, every resource.

The cluster, its pools, its zones and its nodes are groups of nodes like any other. All of them are
measured by the workload of the whole cluster, so that the figures of the groups add up to those of
the cluster; what a group's nodes refuse to take shows as the cause `constraint`.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import hypot

import msgspec
import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.cluster import Cluster, derived, mendable
from clusteraudit.model.rows import SLOTS, Amounts
from clusteraudit.simulate.accept import Accepted, accepted
from clusteraudit.simulate.fragmentation import Grouping, Survey, Waste, packing, together
from clusteraudit.simulate.pools import of_nodes
from clusteraudit.simulate.room import Exact, Room, room
from clusteraudit.simulate.workload import Workload, workload

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
    found = Survey(*_measured(cluster, whole))
    return Question(found.room, whole, found.accepted, found.waste)


def _measured(cluster: Cluster, whole: Workload) -> tuple[Room, Workload, Accepted]:
    asked = {resource for one in whole for resource, _ in one.shape.requests}
    wide = room(cluster).wider(asked)
    masks = accepted(cluster, tuple(dict.fromkeys(one.shape.constraints for one in whole)))
    return wide, whole, masks


@mendable(lambda cluster, old, _: old.mended(*_measured(cluster, workload(cluster))))
def survey(cluster: Cluster) -> Survey:
    """The cluster's own workload against its nodes."""
    return Survey(*_measured(cluster, workload(cluster)))


def everything(one: Question) -> Grouping:
    """All nodes as one group."""
    return together(len(one.room.nodes))


def groups(one: Question, grouping: Grouping, shapes: int | None = None) -> Iterator[Group]:
    """The figures of each group; copies of so many classes only, the most frequent ones.

    With none of them the largest pod is left out too.
    """
    classes = one.workload[:shapes]
    shaped = ((c.shape, one.accepted[c.shape.constraints]) for c in classes)
    found = [packing(one.room, shape, accepts, grouping) for shape, accepts in shaped]
    copies = [(each.fits.tolist(), each.ideal.tolist()) for each in found]
    yield from _groups(one, grouping, _sums(one, grouping), copies)


def _groups(
    one: Question,
    grouping: Grouping,
    sums: "_Sums",
    copies: Sequence[tuple[list[int], list[int]]],
) -> Iterator[Group]:
    """Of the first classes copies are known: how many fit of each, and would, by group."""
    classes = one.workload[: len(copies)]
    columns = _Columns(one, sums)
    demand = _demand(one.workload)
    for group, name in enumerate(grouping.names):
        members = grouping.members(group)
        pod, at = _largest_pod(one.room, members, demand) if classes else ((), None)
        measures = tuple(columns.measures(group, members))
        yield Group(
            name=name,
            nodes=tuple(map(one.room.nodes.__getitem__, members.tolist())),
            resources=measures,
            shapes=tuple(
                Fit(c.name, fits[group], ideal[group])
                for c, (fits, ideal) in zip(classes, copies, strict=True)
            ),
            imbalance=_imbalance({one.resource: one for one in measures}, demand),
            pod=pod,
            pod_node=at,
        )


class _Sums(msgspec.Struct, frozen=True):
    """What adds up over nodes: a row a group; and of each group the largest that is free."""

    of: dict[str, Exact]
    """A column a resource; of `other`, a column a pair of `Waste.other`."""
    largest: Exact
    first: NDArray[np.intp]
    """The first node that has the largest amount."""

    def together(self) -> "_Sums":
        """Of all groups as one."""
        largest: Exact = self.largest.max(axis=0, keepdims=True, initial=0)
        first = np.where(self.largest == largest, self.first, np.iinfo(np.intp).max)
        return _Sums(
            {name: sums.sum(axis=0, keepdims=True) for name, sums in self.of.items()},
            largest,
            first.min(axis=0, keepdims=True, initial=np.iinfo(np.intp).max),
        )


def _sums(one: Question, grouping: Grouping) -> _Sums:
    room, lost = one.room, one.waste
    amounts = {
        "allocatable": room.allocatable,
        "requested": room.requested,
        "limits": room.limits,
        "reclaimable": room.reclaimable,
        "free": room.free,
        "unavailable": room.unavailable,
        "overcommitted": room.overcommitted,
        "stranded": lost.stranded,
    }
    weights = {
        "own": lost.own,
        "slots": lost.slots,
        "constraint": lost.constraint,
        "not_requested": lost.not_requested,
    }
    pairs = (len(lost.other), len(room.nodes))
    others = np.array(list(lost.other.values()), dtype=np.int64).reshape(pairs).T
    paired = room.free[:, [at for at, _ in lost.other]]
    return _Sums(
        {name: grouping.sums(each) for name, each in amounts.items()}
        | {name: grouping.weighed(room.free, each) for name, each in weights.items()}
        | {"other": grouping.weighed(paired, others)},
        *grouping.largest(room.free),
    )


class _Columns:
    """The figures of groups, by their sums."""

    def __init__(self, one: Question, sums: _Sums) -> None:
        room, lost = one.room, one.waste
        self._room, self._pods, self._stranded = room, lost.pods, lost.stranded
        self._largest, self._first = sums.largest.tolist(), sums.first.tolist()
        self._sums = {name: each.tolist() for name, each in sums.of.items()}
        self._other: dict[int, list[tuple[str, int]]] = {}
        """By resource: of which other too little is there, and in which column that is."""
        for column, (at, other) in enumerate(lost.other):
            self._other.setdefault(at, []).append((room.resources[other], column))

    def measures(self, group: int, members: NDArray[np.intp]) -> Iterator[Measure]:
        """The figures of a group, resource by resource."""
        for at, resource in enumerate(self._room.resources):
            largest = self._largest[group][at]
            stranded = self._sum("stranded", group, at) if self._pods else None
            yield Measure(
                resource=resource,
                allocatable=self._sum("allocatable", group, at),
                requested=self._sum("requested", group, at),
                limits=self._sum("limits", group, at),
                free=self._sum("free", group, at),
                unavailable=self._sum("unavailable", group, at),
                overcommitted=self._sum("overcommitted", group, at),
                reclaimable=self._sum("reclaimable", group, at),
                largest=largest,
                node=self._room.nodes[self._first[group][at]] if largest else None,
                expected=self._expected(group, at) if self._pods else None,
                stranded=stranded,
                stranded_on=tuple(self._stranded_on(at, members)) if stranded else (),
            )

    def _sum(self, name: str, group: int, at: int) -> int:
        found: int = self._sums[name][group][at]
        return found

    def _stranded_on(self, at: int, members: NDArray[np.intp]) -> Iterator[str]:
        there = members[self._stranded[members, at] > 0]
        return (self._room.nodes[member] for member in there.tolist())

    def _expected(self, group: int, at: int) -> Expected:
        pods = self._pods
        found = ((name, self._sum("other", group, nth)) for name, nth in self._other.get(at, ()))
        others = [(name, amount) for name, amount in found if amount]
        own, slots, constraint, idle = (
            self._sum(name, group, at) for name in ("own", "slots", "constraint", "not_requested")
        )
        return Expected(
            amount=(own + slots + constraint + sum(amount for _, amount in others)) / pods,
            own=own / pods,
            other=tuple((name, amount / pods) for name, amount in others),
            slots=slots / pods,
            constraint=constraint / pods,
            not_requested=idle / pods,
        )


def _demand(whole: Workload) -> dict[str, int]:
    """CPU and memory that all of the workload asks for: what matters is their ratio."""
    asked = dict.fromkeys(COMPUTE, 0)
    for one in whole:
        for resource, amount in one.shape.requests:
            if resource in asked:
                asked[resource] += amount * one.pods
    return {resource: amount for resource, amount in asked.items() if amount}


def _imbalance(of: Mapping[str, Measure], demand: Mapping[str, int]) -> float | None:
    """1 - cosine of what is free and what is asked for, each as a share of allocatable."""
    parts = [of[resource] for resource in COMPUTE if resource in of]
    if not demand or len(parts) < len(COMPUTE) or not all(one.allocatable for one in parts):
        return None
    left = [one.free / one.allocatable for one in parts]
    asked = [demand.get(one.resource, 0) / one.allocatable for one in parts]
    sizes = hypot(*left) * hypot(*asked)
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
def _by_pool(cluster: Cluster) -> Grouping:
    return Grouping(*of_nodes(cluster, "pool"))


@derived
def whole(cluster: Cluster) -> Whole | None:
    """What is published; None unless all nodes and pods are known."""
    if not (cluster.complete("Node") and cluster.complete("Pod")):
        return None
    found = survey(cluster)
    one = Question(found.room, found.workload, found.accepted, found.waste)
    pairs = zip(found.copies.fits.tolist(), found.copies.ideal.tolist(), strict=True)
    copies = [([fits], [ideal]) for fits, ideal in pairs]
    pools = _by_pool(cluster)
    sums = _sums(one, pools)
    pooled = tuple(_groups(one, pools, sums, ()))
    return Whole(one.workload, next(_groups(one, everything(one), sums.together(), copies)), pooled)


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
