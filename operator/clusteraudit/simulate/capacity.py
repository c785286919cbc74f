"""What is free of the cluster, and how much of it is of use: F1 to F5, for CPU and memory."""

from collections.abc import Iterable, Mapping

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.quantity import show
from clusteraudit.model.rows import Amounts, NodeRow, PodRow, amount_of
from clusteraudit.simulate.filters.kit import Shape
from clusteraudit.simulate.fit import eligible
from clusteraudit.simulate.fragmentation import Room, fit, fragmentation, room, weights
from clusteraudit.simulate.pools import Pool, pools
from clusteraudit.simulate.snapshot import free

RESOURCES = ("cpu", "memory")
MAX_SHAPES = 20


class Capacity(msgspec.Struct, frozen=True, gc=False):
    """Of one resource, in its base unit; `free` is that of nodes that take pods."""

    resource: str
    allocatable: int
    requested: int
    free: int
    unavailable: int
    """Free on nodes that are cordoned or NotReady."""
    fragmented: int
    """Of `free`, what the expected pod of the cluster's own mix cannot use."""
    stranded: int
    """Of `free`, what lies on nodes that take no pod of that mix at all."""


@derived
def mix_of(cluster: Cluster) -> Mapping[Shape, int]:
    """The cluster's own mix: how many pods there are of each shape."""
    return {shape: sum(owners.values()) for shape, owners in weights(cluster).items()}


@derived
def capacity(cluster: Cluster) -> tuple[Capacity, ...] | None:
    """Capacity of the cluster; None unless all nodes and pods are known."""
    if not (cluster.complete("Node") and cluster.complete("Pod")):
        return None
    whole = Room(dict(room(cluster)))
    mix = mix_of(cluster)
    nodes = cluster.all(NodeRow, "Node")
    return tuple(_capacity(cluster, resource, nodes, whole, mix) for resource in RESOURCES)


def _capacity(
    cluster: Cluster,
    resource: str,
    nodes: list[NodeRow],
    whole: Room,
    mix: Mapping[Shape, int],
) -> Capacity:
    allocatable = sum(amount_of(node.allocatable, resource) for node in nodes)
    left = {node.name: amount_of(free(cluster, node.name), resource) for node in nodes}
    found = fragmentation(cluster, whole, mix, resource)
    away = (left[node.name] for node in nodes if node.name not in whole.nodes)
    return Capacity(
        resource=resource,
        allocatable=allocatable,
        requested=allocatable - sum(left.values()),
        free=found.free,
        unavailable=sum(max(0, amount) for amount in away),
        fragmented=found.expected,
        stranded=found.stranded,
    )


class PoolCapacity(msgspec.Struct, frozen=True, gc=False):
    """Of one resource in one pool, in its base unit."""

    pool: str
    resource: str
    allocatable: int
    """Of all of its nodes."""
    limits: int
    """Of all pods on all of its nodes; what is not limited is not in it."""
    free: int
    """On its nodes that take pods."""
    fragmented: int
    """Of `free`, what the expected pod of the mix that may run in the pool cannot use."""
    stranded: int
    largest: int
    """The largest amount that is free on one node."""


@derived
def by_pool(cluster: Cluster) -> tuple[PoolCapacity, ...] | None:
    """Capacity of each pool; None unless all nodes and pods are known."""
    if not (cluster.complete("Node") and cluster.complete("Pod")):
        return None
    left = dict(room(cluster))
    mix = mix_of(cluster)
    found: list[PoolCapacity] = []
    for pool in pools(cluster):
        names = frozenset(pool.nodes)
        whole = Room({name: left[name] for name in pool.nodes if name in left})
        own = {shape: n for shape, n in mix.items() if eligible(cluster, shape.constraints) & names}
        found += (_pool(cluster, pool, whole, own, resource) for resource in RESOURCES)
    return tuple(found)


def _pool(
    cluster: Cluster, pool: Pool, whole: Room, mix: Mapping[Shape, int], resource: str
) -> PoolCapacity:
    found = fragmentation(cluster, whole, mix, resource)
    return PoolCapacity(
        pool=pool.name,
        resource=resource,
        allocatable=sum(_allocatable(cluster, name, resource) for name in pool.nodes),
        limits=sum(amount_of(limits(cluster, name), resource) for name in pool.nodes),
        free=found.free,
        fragmented=found.expected,
        stranded=found.stranded,
        largest=int(whole.column(resource).max(initial=0)),
    )


def _allocatable(cluster: Cluster, name: str, resource: str) -> int:
    node = cluster.find(NodeRow, "Node", "", name)
    return amount_of(node.allocatable, resource) if node else 0


@derived
def limits(cluster: Cluster, name: str) -> Amounts:
    """Limits of the pods on a node, by resource."""
    total = dict.fromkeys(RESOURCES, 0)
    for pod in cluster.bucket(PodRow, "pods_on", name):
        for resource in RESOURCES:
            total[resource] += amount_of(pod.template.limits, resource)
    return tuple(sorted(total.items()))


@derived
def headroom(cluster: Cluster) -> tuple[tuple[str, int], ...] | None:
    """Copies that fit of the most frequent shapes of the mix, by what they request.

    Of shapes that request the same and may run on different nodes, the one with the least room.
    """
    if not (cluster.complete("Node") and cluster.complete("Pod")):
        return None
    whole = Room(dict(room(cluster)))
    frequent: dict[str, int] = {}
    shapes: dict[str, list[Shape]] = {}
    for shape, pods in mix_of(cluster).items():
        label = label_of(shape.requests)
        frequent[label] = frequent.get(label, 0) + pods
        shapes.setdefault(label, []).append(shape)
    chosen = sorted(frequent, key=lambda label: (-frequent[label], label))[:MAX_SHAPES]
    return tuple((label, _least(cluster, whole, shapes[label])) for label in sorted(chosen))


def _least(cluster: Cluster, whole: Room, shapes: Iterable[Shape]) -> int:
    return min(fit(cluster, whole, shape).placeable for shape in shapes)


def label_of(requests: Amounts) -> str:
    """`cpu=500m,memory=1Gi`."""
    return ",".join(f"{name}={show(name, amount)}" for name, amount in requests if amount)
