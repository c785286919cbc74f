"""What every node has of every resource, what its pods hold of it, and what is left: F1.

Placed pods only: a pod without a node holds nothing. Pods that have ended hold nothing, those that
are terminating still do (`eventhandlers.go`). A pod holds one slot, the resource `pods`.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import SLOTS, Amounts, NodeRow
from clusteraudit.simulate.loads import Loads, Part, loads

Exact = NDArray[Any]
"""Amounts that add up exactly over all nodes, whatever an object claims: int64 where they are below
`LARGE`, as all that exist, else Python's integers."""
LARGE = 2**48
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
CLIP = 2**50
"""Where amounts are only compared and divided: 8,000 nodes of it still add up within int64."""


class Site(msgspec.Struct, frozen=True, gc=False):
    """What a node brings into the figures."""

    name: str
    allocatable: Amounts
    takes: bool
    """Whether it takes pods at all: neither cordoned nor NotReady."""


def exact(amounts: NDArray[Any]) -> Exact:
    """Amounts as they add up exactly."""
    small = not amounts.size or max(amounts.max(), -amounts.min()) < LARGE
    return amounts.astype(np.int64 if small else np.object_)


@derived
def sites(cluster: Cluster) -> tuple[Site, ...]:
    """Every node, by name."""
    return tuple(
        Site(one.name, one.allocatable, not one.unschedulable and one.ready is not False)
        for one in cluster.all(NodeRow, "Node")
    )


class Nodes:
    """What the nodes bring into every room, whatever runs on them; by name."""

    def __init__(self, sites: tuple[Site, ...]) -> None:
        self._sites = sites
        self.names = tuple(site.name for site in sites)
        self.takes: Mask = np.array([site.takes for site in sites], dtype=np.bool_)
        self._kinds: dict[Amounts, int] = {}
        numbers = [self._kinds.setdefault(one.allocatable, len(self._kinds)) for one in sites]
        self.kind = np.array(numbers, dtype=np.intp)
        """Of each node: those of one number have the same allocatable."""
        self.resources = {resource for amounts in self._kinds for resource, _ in amounts}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nodes) and self._sites == other._sites

    __hash__ = None  # type: ignore[assignment]  # arrays: compared as a derived value, never a key

    def allocatable(self, column: Mapping[str, int]) -> Exact:
        """A row a node, made once for nodes that have the same."""
        array = np.zeros((len(self._kinds), len(column)), dtype=np.object_)
        for amounts, at in self._kinds.items():
            for resource, amount in amounts:
                array[at, column[resource]] = amount
        found: Exact = exact(array)[self.kind]
        return found

    @cached_property
    def row(self) -> Mapping[str, int]:
        """The row of each node."""
        return {name: at for at, name in enumerate(self.names)}


@derived
def nodes(cluster: Cluster) -> Nodes:
    """The nodes of the cluster."""
    return Nodes(sites(cluster))


class Room:
    """The nodes' amounts as arrays: a row a node, a column a resource, both by name."""

    def __init__(self, of: Nodes, loads: Loads, more: Iterable[str] = ()) -> None:
        self._from = (of, loads)
        self.nodes, self.takes = of.names, of.takes
        self._rows = loads.rows(self.nodes)
        self.resources = tuple(sorted({SLOTS, *of.resources, *self.named("requested"), *more}))
        self.column = {resource: at for at, resource in enumerate(self.resources)}
        self.allocatable = of.allocatable(self.column)
        self.requested = self._held("requested")

    def _held(self, part: Part) -> Exact:
        return exact(np.stack([self.held(part, one) for one in self.resources], axis=1))

    def held(self, part: Part, resource: str) -> Exact:
        """What the pods on each node hold of a resource."""
        return self._from[1].amounts(part, resource, self._rows)

    def named(self, part: Part) -> set[str]:
        """Resources of which a pod on one of the nodes says something."""
        return self._from[1].resources(part, self._rows)

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
        return self._held("limits")

    @cached_property
    def reclaimable(self) -> Exact:
        """What pods of negative priority hold on nodes that take pods."""
        held: Exact = self._held("reclaimable") * self.takes[:, None]
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

    @property
    def row(self) -> Mapping[str, int]:
        """The row of each node."""
        return self._from[0].row

    @cached_property
    def standing(self) -> Counts:
        """`left`, clipped likewise: also of nodes that are cordoned or NotReady."""
        return np.ascontiguousarray(np.minimum(self.left, CLIP).astype(np.int64).T)


@derived
def room(cluster: Cluster) -> Room:
    """The room of the cluster."""
    return Room(nodes(cluster), loads(cluster))
