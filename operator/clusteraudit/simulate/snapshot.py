"""A cluster as the scheduler sees it: nodes with the pods on them, and copies to try things on.

Source: kube-scheduler 1.37 `pkg/scheduler/backend/cache/snapshot.go`, `framework/types.go`.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import Amounts, Key, NodeRow, PodRow

SLOTS = "pods"
"""The resource of which every pod takes one."""


class NodeInfo(msgspec.Struct, frozen=True, gc=False):
    """A node and the pods on it; terminating pods count, pods that have ended do not."""

    node: NodeRow
    pods: tuple[PodRow, ...]
    free: Mapping[str, int]
    """What is left by resource, pod slots included; negative where the node is overcommitted."""

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name

    def left(self, resource: str) -> int:
        """What is left of a resource, 0 where the node has none of it."""
        return self.free.get(resource, 0)


def info_of(node: NodeRow, pods: Iterable[PodRow]) -> NodeInfo:
    """A node with these pods on it."""
    held = tuple(pods)
    free = dict(node.allocatable)
    for pod in held:
        for resource, amount in pod.template.requests:
            free[resource] = free.get(resource, 0) - amount
    free[SLOTS] = free.get(SLOTS, 0) - len(held)
    return NodeInfo(node, held, free)


@derived
def node_info(cluster: Cluster, name: str) -> NodeInfo | None:
    """A node and what runs on it; None where the model holds no such node."""
    node = cluster.find(NodeRow, "Node", "", name)
    return info_of(node, cluster.bucket(PodRow, "pods_on", name)) if node else None


@derived
def free(cluster: Cluster, name: str) -> Amounts:
    """What a node has left by resource, pod slots included; nothing where there is no such node."""
    info = node_info(cluster, name)
    return tuple(sorted(info.free.items())) if info else ()


class Snapshot:
    """Nodes by name, at one moment. What is changed is a fork; the snapshot itself never is.

    What a filter asks beyond nodes and pods it reads through the cluster's doors, so that whoever
    asks is asked again when that changes. Use it within one audit: it does not follow the cluster.
    """

    def __init__(self, cluster: Cluster, nodes: Mapping[str, NodeInfo]) -> None:
        self.cluster = cluster
        self.nodes = nodes
        self.moved: Mapping[Key, str | None] = {}
        """Pods that are elsewhere than the cluster says, and where: None for nowhere."""

    def fork(self) -> "Fork":
        """A copy to change."""
        return Fork(self)

    def known(self, kind: str) -> bool:
        """Whether what is not held of a kind does not exist."""
        return self.cluster.complete(kind)

    def node_of(self, pod: Key) -> str | None:
        """The node that a pod is on, None where it is on none."""
        if pod in self.moved:
            return self.moved[pod]
        row = self.cluster.find(PodRow, "Pod", *pod)
        return row.node if row and row.active and row.node in self.nodes else None

    def infos(self) -> Iterator[NodeInfo]:
        """Every node, by name."""
        return iter(self.nodes.values())

    def without(self, pod: PodRow) -> "Snapshot":
        """As if the pod had to be placed again: its own share is released."""
        if self.node_of(pod.key) is None:
            return self
        fork = self.fork()
        fork.remove_pod(pod.key)
        return fork


class Fork(Snapshot):
    """A snapshot that can be changed; what it was made of stays as it is."""

    nodes: dict[str, NodeInfo]
    moved: dict[Key, str | None]

    def __init__(self, base: Snapshot) -> None:
        super().__init__(base.cluster, dict(base.nodes))
        self.moved = dict(base.moved)

    def add_pod(self, pod: PodRow, node: str) -> None:
        """Put a pod onto a node."""
        info = self.nodes[node]
        self._put(info.node, (*info.pods, pod))
        self.moved[pod.key] = node

    def remove_pod(self, pod: Key) -> None:
        """Take a pod off its node."""
        name = self.node_of(pod)
        if name is not None:
            info = self.nodes[name]
            self._put(info.node, (one for one in info.pods if one.key != pod))
        self.moved[pod] = None

    def remove_node(self, name: str) -> None:
        """Take a node away, and with it the pods on it."""
        for pod in self.nodes.pop(name).pods:
            self.moved[pod.key] = None

    def replace_node(self, node: NodeRow) -> None:
        """Let a node be otherwise; its pods stay."""
        self._put(node, self.nodes[node.name].pods)

    def add_node(self, node: NodeRow, pods: Iterable[PodRow] = ()) -> None:
        """Add a node; its name must be new."""
        self._put(node, ())
        for pod in pods:
            self.add_pod(pod, node.name)

    def _put(self, node: NodeRow, pods: Iterable[PodRow]) -> None:
        self.nodes[node.name] = info_of(node, pods)


@derived
def snapshot(cluster: Cluster) -> Snapshot:
    """The cluster as it is; made anew when a node or a pod on one changes."""
    names = (node.name for node in cluster.all(NodeRow, "Node"))
    infos = ((name, node_info(cluster, name)) for name in names)
    return Snapshot(cluster, {name: info for name, info in infos if info})
