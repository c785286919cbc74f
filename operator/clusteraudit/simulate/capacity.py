"""What is free of the cluster, and how much of it is of use: F1, F3 and F4, for CPU and memory."""

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow, amount_of
from clusteraudit.simulate.fit import free
from clusteraudit.simulate.fragmentation import Room, Shape, fragmentation, room, weights

RESOURCES = ("cpu", "memory")


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
def capacity(cluster: Cluster) -> tuple[Capacity, ...] | None:
    """Capacity of the cluster; None unless all nodes and pods are known."""
    if not (cluster.complete("Node") and cluster.complete("Pod")):
        return None
    whole = Room(dict(room(cluster)))
    mix = {shape: sum(owners.values()) for shape, owners in weights(cluster).items()}
    nodes = cluster.all(NodeRow, "Node")
    return tuple(_capacity(cluster, resource, nodes, whole, mix) for resource in RESOURCES)


def _capacity(
    cluster: Cluster,
    resource: str,
    nodes: list[NodeRow],
    whole: Room,
    mix: dict[Shape, int],
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
