"""The pods of a cluster by what may be done with them: what stays, what is pinned, what may move.

A pod comes and goes with its node (DaemonSets' pods, agents), or it may not move, or it is not
known whether it may, and pins its node; or it may move, and then it is known where to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import (
    SLOTS,
    BudgetRow,
    ClaimRow,
    Key,
    NodeRow,
    PodRow,
    PodTemplate,
    VolumeRow,
)
from clusteraudit.model.selectors import Labels
from clusteraudit.simulate.accept import accepted
from clusteraudit.simulate.columns import FITS
from clusteraudit.simulate.disruption import KIND, Standing, covered, refusal, standing
from clusteraudit.simulate.filters.inter_pod_affinity import inter_pod_affinity
from clusteraudit.simulate.filters.kit import Shape, shape_of
from clusteraudit.simulate.filters.volume_binding import reaches
from clusteraudit.simulate.filters.volume_zone import in_zone
from clusteraudit.simulate.fit import volumes_of
from clusteraudit.simulate.pools import CONTROL_PLANE, pool_of, roles_of
from clusteraudit.simulate.room import CLIP, Counts, Mask, Room
from clusteraudit.simulate.snapshot import snapshot
from clusteraudit.simulate.templates import beyond

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


Item = tuple[Shape, tuple[str, ...], tuple[str, Labels] | None]
"""Pods that are alike: their shape, the volumes by which they are bound, and, where pods keep
others away, the namespace and labels by which they are known."""


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
        self._numbers: dict[tuple[str, int], int] = {}
        self._first: dict[int, PodRow] = {}
        self._repelled = bool(cluster.group("repelling", ""))
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
        if not reason and self._budgets:
            reason = self._budgets.get(pod.key, "")
        return reason or (self._volume_pins(pod) if pod.claims else "")

    def item(self, pod: PodRow) -> int:
        """The number of what it is like."""
        number = None if pod.claims else self._numbers.get((pod.namespace, id(pod.template)))
        if number is None:
            whom = (pod.namespace, pod.template.labels) if self._repelled else None
            volumes = volumes_of(self._cluster, pod) if pod.claims else ()
            item = (shape_of(pod.template), volumes, whom)
            number = self._number.setdefault(item, len(self._number))
            self._first.setdefault(number, pod)
            self._numbers[pod.namespace, id(pod.template)] = number
        return number

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
        """Nodes that accept each item: constraints, reach of volumes, pods that keep it away."""
        asked = tuple(dict.fromkeys(shape.constraints for shape, *_ in self._number))
        by_constraints = accepted(self._cluster, asked)
        within: dict[object, Mask] = {}
        return [
            by_constraints[shape.constraints]
            & self._reach(volumes, within)
            & self._unrepelled(self._first[number])
            for number, (shape, volumes, _) in enumerate(self._number)
        ]

    def _unrepelled(self, pod: PodRow) -> Mask:
        """Nodes from which no pod keeps this one away; those that do have pinned their node."""
        everywhere: Mask = np.ones(len(self._room.nodes), dtype=np.bool_)
        if not self._repelled:
            return everywhere
        now = snapshot(self._cluster)
        check = inter_pod_affinity(now, pod)
        return check.levels(now.columns) == FITS if check and check.levels else everywhere

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
    return next(iter(beyond(template)), "")


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
