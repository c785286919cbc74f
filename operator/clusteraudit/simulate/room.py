"""What every node has of every resource, what its pods hold of it, and what is left: F1.

Placed pods only: a pod without a node holds nothing. Pods that have ended hold nothing, those that
are terminating still do (`eventhandlers.go`). A pod holds one slot, the resource `pods`.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import Amounts, NodeRow, PodRow
from clusteraudit.simulate.snapshot import SLOTS

Exact = NDArray[np.object_]
"""Amounts as Python integers: sums of them do not overflow, whatever an object claims."""
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
CLIP = 2**50
"""Where amounts are only compared and divided: 8,000 nodes of it still add up within int64."""


class Load(msgspec.Struct, frozen=True, gc=False):
    """What the pods on a node hold."""

    requested: Amounts
    limits: Amounts
    reclaimable: Amounts
    """Of `requested`, what pods of negative priority hold: placeholders that yield."""


class Site(msgspec.Struct, frozen=True, gc=False):
    """What a node brings into the figures."""

    name: str
    allocatable: Amounts
    takes: bool
    """Whether it takes pods at all: neither cordoned nor NotReady."""


@derived
def load(cluster: Cluster, name: str) -> Load:
    """What the pods on a node hold."""
    requested: dict[str, int] = {}
    limits: dict[str, int] = {}
    reclaimable: dict[str, int] = {}
    pods = cluster.bucket(PodRow, "pods_on", name)
    for pod in pods:
        template = pod.template
        for resource, amount in template.requests:
            requested[resource] = requested.get(resource, 0) + amount
        for resource, amount in template.limits:
            limits[resource] = limits.get(resource, 0) + amount
        if template.priority < 0:
            _add(reclaimable, (*template.requests, (SLOTS, 1)))
    if pods:
        requested[SLOTS] = len(pods)
    return Load(_amounts(requested), _amounts(limits), _amounts(reclaimable))


def _add(into: dict[str, int], amounts: Iterable[tuple[str, int]]) -> None:
    for resource, amount in amounts:
        into[resource] = into.get(resource, 0) + amount


def _amounts(held: Mapping[str, int]) -> Amounts:
    return tuple(sorted(held.items()))


@derived
def sites(cluster: Cluster) -> tuple[Site, ...]:
    """Every node, by name."""
    return tuple(
        Site(one.name, one.allocatable, not one.unschedulable and one.ready is not False)
        for one in sorted(cluster.all(NodeRow, "Node"), key=lambda one: one.name)
    )


class Room:
    """The nodes' amounts as arrays: a row a node, a column a resource, both by name."""

    def __init__(
        self, sites: tuple[Site, ...], loads: tuple[Load, ...], more: Iterable[str] = ()
    ) -> None:
        self._from = (sites, loads)
        self.nodes = tuple(site.name for site in sites)
        self.takes: Mask = np.array([site.takes for site in sites], dtype=np.bool_)
        listed = [*(site.allocatable for site in sites), *(one.requested for one in loads)]
        named = {resource for amounts in listed for resource, _ in amounts}
        self.resources = tuple(sorted({SLOTS, *named, *more}))
        self.column = {resource: at for at, resource in enumerate(self.resources)}
        self.allocatable = self._array(site.allocatable for site in sites)
        self.requested = self._array(one.requested for one in loads)

    def _array(self, amounts: Iterable[Amounts]) -> Exact:
        array = np.zeros((len(self.nodes), len(self.resources)), dtype=np.object_)
        for at, held in enumerate(amounts):
            for resource, amount in held:
                if resource in self.column:
                    array[at, self.column[resource]] = amount
        return array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Room) and self._from == other._from

    __hash__ = None  # type: ignore[assignment]  # arrays: compared as a derived value, never a key

    def full(self, resource: str, permille: int) -> Iterator[tuple[str, int, int]]:
        """Nodes of which so many thousandths are requested: name, requested, allocatable."""
        at = self.column.get(resource)
        if at is None:
            return
        asked, whole = self.requested[:, at], self.allocatable[:, at]
        for node in np.flatnonzero((whole > 0) & (1000 * asked >= permille * whole)):
            yield self.nodes[node], int(asked[node]), int(whole[node])

    def wider(self, resources: Iterable[str]) -> "Room":
        """With columns of these resources too, of which no node may have any."""
        more = set(resources) - set(self.resources)
        return Room(*self._from, more) if more else self

    @cached_property
    def limits(self) -> Exact:
        """Limits of the pods on each node; what is not limited is not in it."""
        return self._array(one.limits for one in self._from[1])

    @cached_property
    def reclaimable(self) -> Exact:
        """What pods of negative priority hold on nodes that take pods."""
        held: Exact = self._array(one.reclaimable for one in self._from[1]) * self.takes[:, None]
        return held

    @cached_property
    def left(self) -> Exact:
        """What each node has left, at least 0, whether it takes pods or not."""
        left: Exact = np.maximum(self.allocatable - self.requested, 0)
        return left

    @cached_property
    def free(self) -> Exact:
        """What is left on nodes that take pods."""
        free: Exact = self.left * self.takes[:, None]
        return free

    @cached_property
    def unavailable(self) -> Exact:
        """What is left on nodes that are cordoned or NotReady."""
        away: Exact = self.left * ~self.takes[:, None]
        return away

    @cached_property
    def overcommitted(self) -> Exact:
        """Requested beyond what is allocatable."""
        over: Exact = np.maximum(self.requested - self.allocatable, 0)
        return over

    @cached_property
    def comparable(self) -> Counts:
        """`free`, clipped to what int64 arithmetic bears; by resource, then by node."""
        return np.ascontiguousarray(np.minimum(self.free, CLIP).astype(np.int64).T)


@derived
def room(cluster: Cluster) -> Room:
    """The room of the cluster."""
    known = sites(cluster)
    return Room(known, tuple(load(cluster, one.name) for one in known))
