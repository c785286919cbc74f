"""Where pods of a shape could run for good: on any node as it is meant to be, full or not.

Cordons and taints that a node has for a while are taken off, so that what is said here is a fault
of what was declared, and not of the moment.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import islice

import msgspec
import numpy as np

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow, PodRow, PodTemplate, Ref
from clusteraudit.simulate.autoscaling import lasting, patience, prospect
from clusteraudit.simulate.columns import REFUSED, Columns
from clusteraudit.simulate.faces import faces
from clusteraudit.simulate.filters.kit import Constraints, Refusal, Shape, gist, shape_of
from clusteraudit.simulate.filters.node_resources_fit import node_resources_fit
from clusteraudit.simulate.loads import stays
from clusteraudit.simulate.room import CLIP, Mask, Room, nodes, room
from clusteraudit.simulate.schedule import admits, static_levels
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot, info_of
from clusteraudit.simulate.zones import Reach, nodes_in_reach

_NEAR, _TWO = 8, 2
"""Nodes that are looked at one by one, until there are two: what changes on others asks nobody."""
_MANY = 64
"""Templates of a workload from which on their shapes are kept: a StatefulSet has one a pod."""


@derived
def meant(cluster: Cluster) -> tuple[NodeRow, ...]:
    """Every node, by name, as it is meant to be: neither cordoned nor tainted for a while."""
    return tuple(
        msgspec.structs.replace(one, unschedulable=False, taints=lasting(one))
        for one in faces(cluster)
    )


@derived
def _columns(cluster: Cluster) -> Columns:
    return Columns(meant(cluster), ())


@derived
def homes(cluster: Cluster, constraints: Constraints) -> tuple[str, ...]:
    """Nodes, by name, that no filter refuses which a template and a node decide."""
    names = _columns(cluster).names
    return tuple(names[at] for at in np.flatnonzero(_accepting(cluster, constraints)))


def _accepting(cluster: Cluster, constraints: Constraints) -> Mask:
    found: Mask = static_levels(_columns(cluster), constraints) != REFUSED
    return found


def turned_away(
    cluster: Cluster, constraints: Constraints, among: Container[str] | None = None
) -> tuple[tuple[str, int], ...]:
    """How many nodes refuse, by the first filter that does; most frequent first."""
    some = (one for one in meant(cluster) if among is None or one.name in among)
    counts = Counter(
        next(gist(one.reason, one.detail) for one in said if isinstance(one, Refusal))
        for said in (list(admits(constraints, node)) for node in some)
        if any(isinstance(one, Refusal) for one in said)
    )
    return tuple(sorted(counts.items(), key=lambda one: (-one[1], one)))


class _Staying:
    """What pods hold that belong to their node: a row a resource, a column a node, by name."""

    def __init__(self, room: Room) -> None:
        held = [room.held("staying", one) for one in sorted(room.named("staying"))]
        self.amounts = np.array(held).reshape(len(held), len(room.nodes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Staying) and np.array_equal(self.amounts, other.amounts)

    __hash__ = None  # type: ignore[assignment]  # an array: compared as a derived value, never a key


@derived
def _staying(cluster: Cluster) -> _Staying:
    return _Staying(room(cluster))


@derived
def _emptied(cluster: Cluster) -> tuple[int, ...]:
    """Of every node, by name, its sort: those of one number have the same left when empty."""
    sorts: dict[object, int] = {}
    rows = np.vstack((nodes(cluster).kind, _staying(cluster).amounts)).T.tolist()
    return tuple(sorts.setdefault(tuple(row), len(sorts)) for row in rows)


@derived
def rooms(cluster: Cluster, constraints: Constraints) -> tuple[NodeInfo, ...]:
    """Homes when they are empty, by name: of those that then have the same left, the first."""
    sorts, names = np.array(_emptied(cluster)), nodes(cluster).names
    within = np.flatnonzero(_accepting(cluster, constraints))
    _, first = np.unique(sorts[within], return_index=True)
    infos = (_alone(cluster, names[at]) for at in within[np.sort(first)])
    return tuple(info for info in infos if info)


def _alone(cluster: Cluster, name: str) -> NodeInfo | None:
    """A node with the pods that belong to it, and no others."""
    node = cluster.find(NodeRow, "Node", "", name)
    pods = cluster.bucket(PodRow, "pods_on", name)
    return info_of(node, (one for one in pods if stays(one.template))) if node else None


def lacks(cluster: Cluster, shape: Shape, info: NodeInfo) -> Iterator[Refusal]:
    """What a node has too little of for one pod of a shape."""
    pod = PodRow("", "", template=PodTemplate(requests=shape.requests))
    said = node_resources_fit(Snapshot(cluster, {}), pod).each(info)
    return (one for one in said if isinstance(one, Refusal))


@derived
def in_reach(
    cluster: Cluster, constraints: Constraints, reaches: tuple[Reach, ...]
) -> tuple[str, ...]:
    """Homes, by name, on which volumes can be used that reach so far."""
    found = set(homes(cluster, constraints))
    return tuple(sorted(found.intersection(*(nodes_in_reach(cluster, one) for one in reaches))))


@derived
def with_room(cluster: Cluster, shape: Shape, reaches: tuple[Reach, ...]) -> tuple[str, ...]:
    """Of those the first two that have room for one more pod: one beside any that it may be on."""
    places, wanted = in_reach(cluster, shape.constraints, reaches), _wanted(cluster, shape)
    near = (one for one in places[:_NEAR] if _holds(cluster, one, wanted))
    found = tuple(islice(near, _TWO))
    if len(found) == _TWO or len(places) <= _NEAR:
        return found
    wide, asked = _asked(cluster, shape)
    rows = np.array([wide.row[one] for one in places], dtype=np.intp)
    holds = [wide.standing[at][rows] >= amount for at, amount in asked.items()]
    return tuple(places[at] for at in np.flatnonzero(np.logical_and.reduce(holds))[:_TWO])


def _holds(cluster: Cluster, name: str, wanted: Iterable[tuple[str, int]]) -> bool:
    """Whether a node has so much left, whether it takes pods or not."""
    node = cluster.find(NodeRow, "Node", "", name)
    if node is None:
        return False
    info = info_of(node, cluster.bucket(PodRow, "held_on", name))
    return all(info.left(resource) >= amount for resource, amount in wanted)


@derived
def scarce(cluster: Cluster, shape: Shape, reaches: tuple[Reach, ...], but: str) -> tuple[str, ...]:
    """Resources of which one of those has too little for one more pod, one node aside."""
    wide, asked = _asked(cluster, shape)
    places = in_reach(cluster, shape.constraints, reaches)
    rows = [wide.row[one] for one in places if one != but]
    return tuple(
        wide.resources[at]
        for at, amount in asked.items()
        if (wide.standing[at][rows] < amount).any()
    )


def _asked(cluster: Cluster, shape: Shape) -> tuple[Room, dict[int, int]]:
    """All room, and what of it a pod must find, by column."""
    wanted = _wanted(cluster, shape)
    wide = room(cluster).wider(resource for resource, _ in shape.requests)
    return wide, {wide.column[resource]: amount for resource, amount in wanted}


@derived
def _wanted(cluster: Cluster, shape: Shape) -> tuple[tuple[str, int], ...]:
    """What a pod must find: what a node that has nothing lacks."""
    lacking = lacks(cluster, shape, info_of(NodeRow("", ""), ()))
    return tuple((one.resource, min(one.requested or 0, CLIP)) for one in lacking)


@derived
def too_large(cluster: Cluster, shape: Shape) -> bool:
    """Whether there are nodes for a shape, and none of them would hold it if it were empty."""
    found = rooms(cluster, shape.constraints)
    return bool(found) and all(any(lacks(cluster, shape, room)) for room in found)


@derived
def nowhere(cluster: Cluster, shape: Shape) -> bool:
    """Whether there are nodes, and none of them for a shape."""
    return bool(meant(cluster)) and not homes(cluster, shape.constraints)


def at_fault(
    cluster: Cluster,
    workload: Ref,
    fault: Callable[[Cluster, Shape], bool],
    usual: int,
    provision: int,
) -> list[PodRow]:
    """Pods of a workload whose shape has a fault, those that wait for too long before all.

    Else those that run or are only declared, unless somebody would make a node for them; never
    pods of negative priority, which hold a place for others.
    """
    wrong = {shape for shape in _shapes(cluster, workload) if fault(cluster, shape)}
    if not wrong:
        return []
    pods = cluster.workload_pods(workload)
    faulty = (pod for pod in pods.waiting if _is_of(pod.template, wrong))
    return _waiting(cluster, faulty, usual, provision) or [
        pod
        for alike in pods.by_template.values()
        if _is_of(alike[0].template, wrong)
        for pod in alike
        if (pod.node or pod.synthetic) and prospect(cluster, pod) is None
    ]


def _is_of(template: PodTemplate, shapes: set[Shape]) -> bool:
    return _placeable(template) and shape_of(template) in shapes


def _shapes(cluster: Cluster, workload: Ref) -> frozenset[Shape]:
    """Of its living pods that a scheduler must find nodes for."""
    many = len(cluster.workload_pods(workload).by_template) > _MANY
    return (_shapes_of_many if many else _shapes_of)(cluster, workload)


def _shapes_of(cluster: Cluster, workload: Ref) -> frozenset[Shape]:
    alike = cluster.workload_pods(workload).by_template.values()
    return frozenset(shape_of(pods[0].template) for pods in alike if _placeable(pods[0].template))


_shapes_of_many = derived(_shapes_of)


def _placeable(template: PodTemplate) -> bool:
    return template.priority >= 0 and not stays(template)


def _waiting(cluster: Cluster, pods: Iterable[PodRow], usual: int, provision: int) -> list[PodRow]:
    waiting = ((pod, pod.unschedulable_since) for pod in pods)
    return [
        pod
        for pod, since in waiting
        if since is not None
        and cluster.older(since, patience(prospect(cluster, pod), pod.nominated, usual, provision))
    ]
