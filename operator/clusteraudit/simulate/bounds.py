"""How many nodes the placed pods need: F7, a lower and an upper bound, and nodes that could go.

The lower bound is arithmetic: for each resource the fewest of the largest nodes that cover what
the pods request, without what every node holds for itself. The upper bound is a placement: pods,
largest share first, each on the first node that has room and accepts it (first fit decreasing).
Nodes that the placement leaves empty are `removable`; fewer nodes than the upper bound are never
claimed. A pod that may not move, or of which that is not known, pins its node.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import (
    BudgetRow,
    ClaimRow,
    Key,
    NodeRow,
    PodRow,
    PodTemplate,
    VolumeRow,
)
from clusteraudit.simulate.accept import accepted
from clusteraudit.simulate.disruption import KIND, Standing, covered, refusal, standing
from clusteraudit.simulate.filters.kit import Shape, shape_of
from clusteraudit.simulate.filters.volume_binding import reaches
from clusteraudit.simulate.filters.volume_zone import in_zone
from clusteraudit.simulate.fit import volumes_of
from clusteraudit.simulate.pools import CONTROL_PLANE, pool_of, roles_of
from clusteraudit.simulate.room import CLIP, Counts, Mask, Room
from clusteraudit.simulate.snapshot import SLOTS

EVIDENCE = ("Node", "Pod", "PodDisruptionBudget", "PersistentVolumeClaim", "PersistentVolume")
_HOST = "kubernetes.io/hostname"
_STAYS = "Stays"
"""Of a pod that comes and goes with its node, or is on its way out."""


class Pin(msgspec.Struct, frozen=True, gc=False):
    """Why a node must stay: the first pod, by key, that holds it; none for a control plane's."""

    node: str
    reason: str
    namespace: str = ""
    pod: str = ""


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """F7 of a group of nodes; those that take no pods are not counted."""

    lower: int
    upper: int
    removable: tuple[str, ...]


Item = tuple[Shape, tuple[str, ...]]
"""Pods that are alike: their shape, and the volumes by which they are bound."""


@dataclass
class Stock:
    """The pods of a cluster by what may be done with them."""

    room: Room
    held: Counts
    """By node and resource: what stays whatever moves, DaemonSets' pods above all."""
    pinned: Counts
    """By node and resource: what pods hold that may not move."""
    pins: dict[int, Pin]
    items: list[Item] = field(default_factory=list)
    accepts: list[Mask] = field(default_factory=list)
    of_pod: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    on: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    """Of each pod that may move: the number of its item, and of its node."""
    number: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    """By node: how many pods may move."""


def stock(cluster: Cluster, room: Room, pods_on: Mapping[str, list[PodRow]]) -> Stock:
    """Sort the placed pods into what stays, what is pinned and what may move."""
    shape = room.allocatable.shape
    found = Stock(room, np.zeros(shape, np.int64), np.zeros(shape, np.int64), {})
    judge = _Judge(cluster, room, pods_on)
    moving: list[tuple[int, int]] = []
    for at, name in enumerate(room.nodes):
        if not room.takes[at]:
            continue
        if judge.control_plane(name):
            found.pins[at] = Pin(name, "ControlPlane")
        for pod in pods_on[name]:
            reason = judge.pins(pod)
            if reason == _STAYS:
                _hold(found.held, room, at, pod)
            elif reason:
                found.pins.setdefault(at, Pin(name, reason, pod.namespace, pod.name))
                _hold(found.pinned, room, at, pod)
            else:
                moving.append((judge.item(pod), at))
    found.items = judge.items
    found.accepts = judge.masks()
    if moving:
        found.of_pod, found.on = np.array(moving, dtype=np.int64).T
    found.number = np.bincount(found.on, minlength=len(room.nodes))
    return found


def _hold(held: Counts, room: Room, at: int, pod: PodRow) -> None:
    for resource, amount in (*pod.template.requests, (SLOTS, 1)):
        held[at, room.column[resource]] += min(amount, CLIP)


class _Judge:
    """Says of a pod whether it may move, and where to. What its template decides is asked once."""

    def __init__(self, cluster: Cluster, room: Room, pods_on: Mapping[str, list[PodRow]]) -> None:
        self._cluster, self._room = cluster, room
        self._nodes = {node.name: node for node in cluster.all(NodeRow, "Node")}
        self._budgets = _budgets(cluster)
        self._agents = _agents(self._nodes, pods_on)
        self._reasons: dict[int, str] = {}
        self._numbers: dict[int, int] = {}
        self._number: dict[Item, int] = {}

    @property
    def items(self) -> list[Item]:
        """Pods that are alike, by number."""
        return list(self._number)

    def control_plane(self, name: str) -> bool:
        """Whether a node is of the control plane."""
        return any(role in CONTROL_PLANE for role in roles_of(self._nodes[name]))

    def pins(self, pod: PodRow) -> str:
        """Why it may not move, or why that is not known; empty where it may."""
        reason = self._reasons.get(id(pod.template))
        if reason is None:
            reason = self._reasons[id(pod.template)] = _of_template(pod.template)
        if pod.terminating or (reason == "StaticPod" and pod.key in self._agents):
            return _STAYS
        return reason or self._budgets.get(pod.key, "") or self._volume_pins(pod)

    def item(self, pod: PodRow) -> int:
        """The number of what it is like."""
        if pod.claims:
            return self._numbered((shape_of(pod.template), volumes_of(self._cluster, pod)))
        number = self._numbers.get(id(pod.template))
        if number is None:
            number = self._numbered((shape_of(pod.template), ()))
            self._numbers[id(pod.template)] = number
        return number

    def _numbered(self, item: Item) -> int:
        return self._number.setdefault(item, len(self._number))

    def _volume_pins(self, pod: PodRow) -> str:
        for claim in pod.claims:
            row = self._cluster.find(ClaimRow, "PersistentVolumeClaim", pod.namespace, claim)
            volume = self._volume(row.volume) if row and row.volume else None
            if volume is None:
                return "UnknownVolume"
            if _local(volume):
                return "LocalVolume"
        return ""

    def _volume(self, name: str) -> VolumeRow | None:
        return self._cluster.find(VolumeRow, "PersistentVolume", "", name)

    def masks(self) -> list[Mask]:
        """Nodes that accept each item, by its constraints and within reach of its volumes."""
        asked = tuple(dict.fromkeys(shape.constraints for shape, _ in self._number))
        by_constraints = accepted(self._cluster, asked)
        within: dict[object, Mask] = {}
        return [
            by_constraints[shape.constraints] & self._reach(volumes, within)
            for shape, volumes in self._number
        ]

    def _reach(self, volumes: tuple[str, ...], within: dict[object, Mask]) -> Mask:
        mask: Mask = np.ones(len(self._room.nodes), dtype=np.bool_)
        for name in volumes:
            row = self._volume(name)
            if row is not None:
                key = (row.affinity, row.zones)
                if key not in within:
                    nodes = (self._nodes[name] for name in self._room.nodes)
                    within[key] = np.array(
                        [not any((*reaches(row, n), *in_zone(row, n))) for n in nodes], np.bool_
                    )
                mask = mask & within[key]
        return mask


def _of_template(template: PodTemplate) -> str:
    """What a template says of whether its pods may move."""
    if template.static:
        return "StaticPod"
    if template.owner is None:
        return "BarePod"
    if template.owner.kind == "DaemonSet":
        return _STAYS
    return "Unmodelled" if template.unmodelled or template.entangled else ""


def _local(volume: VolumeRow) -> bool:
    """Whether it can be used on the nodes only that it names."""
    terms = volume.affinity.terms if volume.affinity else ()
    return any(one.key == _HOST for term in terms for one in term.expressions) or any(
        term.fields for term in terms
    )


def _budgets(cluster: Cluster) -> dict[Key, str]:
    """Pods that the eviction API would refuse now, and why."""
    of: dict[Key, list[Standing]] = {}
    for budget in cluster.all(BudgetRow, KIND):
        stands = standing(cluster, *budget.key)
        if stands:
            for key in covered(cluster, *budget.key):
                of.setdefault(key, []).append(stands)
    pods = ((key, cluster.find(PodRow, "Pod", *key)) for key in of)
    said = ((key, refusal(pod, of[key])) for key, pod in pods if pod)
    return {key: str(why) for key, why in said if why}


def _agents(nodes: Mapping[str, NodeRow], pods_on: Mapping[str, list[PodRow]]) -> set[Key]:
    """Static pods of which every node of a pool runs its own, as a DaemonSet's: kube-proxy."""
    size: dict[str, int] = {}
    seen: dict[tuple[str, str, str], list[Key]] = {}
    for name, node in nodes.items():
        pool = pool_of(node)
        size[pool] = size.get(pool, 0) + 1
        for pod in pods_on[name]:
            if pod.template.static:
                stem = pod.name.removesuffix(f"-{name}")
                seen.setdefault((pool, pod.namespace, stem), []).append(pod.key)
    every = (keys for (pool, _, _), keys in seen.items() if len(keys) == size[pool] > 1)
    return {key for keys in every for key in keys}


def bounds(found: Stock, members: NDArray[np.intp]) -> Bounds:
    """The bounds of a group of nodes: its pods, placed on its own nodes only."""
    room = found.room
    inside = members[room.takes[members]]
    stay = np.array([at in found.pins for at in inside.tolist()], dtype=np.bool_)
    used: Mask = stay | (found.number[inside] > 0)
    if len(inside) <= 1:
        opened, least = used, 0
    else:
        moving = np.isin(found.on, inside)
        counts = np.bincount(found.of_pod[moving], minlength=len(found.items))
        opened, least = _placed(found, inside, stay, counts, used), _least(found, inside, counts)
    upper = int(opened.sum())
    lower = upper if len(inside) <= 1 else min(upper, max(least, int(stay.sum())))
    gone = tuple(room.nodes[at] for at in inside[~opened].tolist())
    return Bounds(lower, upper, gone)


def _placed(found: Stock, inside: NDArray[np.intp], stay: Mask, counts: Counts, used: Mask) -> Mask:
    """Nodes that first fit decreasing opens; those used now, where it is no better or fails."""
    room = found.room
    left = np.minimum(room.allocatable[inside], CLIP).astype(np.int64)
    left = np.maximum(left - found.held[inside] - found.pinned[inside], 0)
    order = _order(left, stay)
    left, opened = left[order], stay[order]
    for item, request in _decreasing(found, counts):
        accepts = found.accepts[item][inside][order]
        at = np.concatenate((np.flatnonzero(opened), np.flatnonzero(~opened)))
        copies = np.where(accepts, _copies(left, request), 0)[at]
        before = np.cumsum(copies) - copies
        taken = np.clip(counts[item] - before, 0, copies)
        if taken.sum() < counts[item]:
            return used
        for column, amount in request:
            left[at, column] -= taken * amount
        opened[at[taken > 0]] = True
    back = np.empty_like(opened)
    back[order] = opened
    return back if back.sum() <= used.sum() else used


def _order(left: Counts, stay: Mask) -> NDArray[np.intp]:
    """Nodes that must stay, then the largest; of equals the first by name."""
    whole = left.sum(axis=0)
    size = (left / np.where(whole > 0, whole, 1)).sum(axis=1)
    found: NDArray[np.intp] = np.lexsort((-size, ~stay))
    return found


def _decreasing(found: Stock, counts: Counts) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Items by their largest share of the largest node, with requests by column."""
    room = found.room
    largest = room.allocatable.max(axis=0)
    sized = []
    for at in np.flatnonzero(counts):
        shape, volumes = found.items[at]
        asked = ((room.column[r], min(n, CLIP)) for r, n in (*shape.requests, (SLOTS, 1)))
        request = list(asked)
        share = max(n / max(1, largest[column]) for column, n in request)
        sized.append((-share, shape.requests, str(shape.constraints), volumes, int(at), request))
    sized.sort()
    for *_, item, request in sized:
        yield item, request


def _copies(left: Counts, request: list[tuple[int, int]]) -> Counts:
    found: Counts = np.min([left[:, column] // amount for column, amount in request], axis=0)
    return found


def _least(found: Stock, inside: NDArray[np.intp], counts: Counts) -> int:
    """The largest, over resources, of the least numbers of nodes that cover what is requested."""
    room = found.room
    wanted = found.pinned[inside].astype(np.object_).sum(axis=0)
    for at in np.flatnonzero(counts):
        for resource, amount in (*found.items[at][0].requests, (SLOTS, 1)):
            wanted[room.column[resource]] += amount * int(counts[at])
    size = np.maximum(room.allocatable[inside] - found.held[inside], 0)
    least = 0
    for column, amount in enumerate(wanted):
        covered_by = np.cumsum(sorted(size[:, column], reverse=True))
        if amount and len(inside):
            enough = np.flatnonzero(covered_by >= amount)
            least = max(least, int(enough[0]) + 1 if len(enough) else len(inside))
    return least
