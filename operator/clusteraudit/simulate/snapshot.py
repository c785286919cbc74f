"""A cluster as the scheduler sees it: nodes with the pods on them, and copies to try things on.

Source: kube-scheduler 1.37 `pkg/scheduler/backend/cache/snapshot.go`, `framework/types.go`.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import cast

import msgspec
import numpy as np

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.constraints import HostPort, PodTerm
from clusteraudit.model.rows import SLOTS, Amounts, Key, NodeRow, PodRow
from clusteraudit.model.selectors import LabelSelector
from clusteraudit.simulate.columns import Amount, Columns
from clusteraudit.simulate.faces import bare
from clusteraudit.simulate.room import room


class NodeInfo(msgspec.Struct, frozen=True, gc=False):
    """A node and the pods on it; terminating and assumed pods count, those that ended do not."""

    node: NodeRow
    pods: tuple[PodRow, ...]
    free: Mapping[str, int]
    """What is left by resource, pod slots included; negative where the node is overcommitted."""
    ports: frozenset[HostPort]

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name

    def left(self, resource: str) -> int:
        """What is left of a resource, 0 where the node has none of it."""
        return self.free.get(resource, 0)

    def label(self, key: str) -> str | None:
        """The value of a label of the node."""
        return self.node.labels.get(key)


def info_of(node: NodeRow, pods: Iterable[PodRow]) -> NodeInfo:
    """A node with these pods on it."""
    held = tuple(pods)
    free = dict(node.allocatable)
    for pod in held:
        for resource, amount in pod.template.requests:
            free[resource] = free.get(resource, 0) - amount
    free[SLOTS] = free.get(SLOTS, 0) - len(held)
    ports = frozenset(port for pod in held for port in pod.template.host_ports)
    return NodeInfo(node, held, free, ports)


@derived
def node_info(cluster: Cluster, name: str) -> NodeInfo | None:
    """A node and what runs on it; None where the model holds no such node."""
    node = cluster.find(NodeRow, "Node", "", name)
    if node is None:
        return None
    assumed = cluster.bucket(PodRow, "assumed_on", name)
    return info_of(node, (*cluster.bucket(PodRow, "pods_on", name), *assumed))


@derived
def free(cluster: Cluster, name: str) -> Amounts:
    """What a node has left by resource, pod slots included; nothing where there is no such node."""
    info = node_info(cluster, name)
    return tuple(sorted(info.free.items())) if info else ()


class Infos(Mapping[str, NodeInfo]):
    """The nodes of a cluster and what runs on them, each put together when it is asked for."""

    def __init__(self, cluster: Cluster, names: Iterable[str]) -> None:
        self._cluster = cluster
        self._held: dict[str, NodeInfo | None] = dict.fromkeys(names)
        self._whole: dict[str, NodeInfo] = {}

    def __getitem__(self, name: str) -> NodeInfo:
        info = self._held[name]
        if info is None:
            info = self._held[name] = node_info(self._cluster, name)
        if info is None:
            raise KeyError(name)
        return info

    def copy(self) -> dict[str, NodeInfo]:
        """All of them, to be changed."""
        if not self._whole:
            self._whole = {name: self[name] for name in self}
        return self._whole.copy()

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


Placed = tuple[PodRow, NodeInfo]
"""A pod, and the node that it is on."""
Repelling = tuple[str, tuple[PodTerm, ...]]
"""The namespace and the anti-affinity of pods that have both in common."""


class Snapshot:
    """Nodes by name, at one moment. What is changed is a fork; the snapshot itself never is.

    What a filter asks beyond nodes and pods it reads through the cluster's doors, so that whoever
    asks is asked again when that changes. Use it within one audit: it does not follow the cluster.
    """

    def __init__(self, cluster: Cluster, nodes: Mapping[str, NodeInfo]) -> None:
        self.cluster = cluster
        self.nodes = nodes
        self.moved: Mapping[Key, tuple[PodRow, str] | None] = {}
        """Pods that are elsewhere than the cluster says: the pod as it is there, None for gone."""
        self.kept: dict[Hashable, tuple[Repelling, ...]] = {}
        """What was found among pods that are where the cluster says; forks share it."""
        self.made: Columns | None = None
        """The nodes as columns, if they were asked for."""

    def fork(self) -> "Fork":
        """A copy to change."""
        return Fork(self)

    @property
    def columns(self) -> Columns:
        """The nodes as columns, made at the first asking."""
        if self.made is None:
            infos = self.nodes.values()
            self.made = Columns((one.node for one in infos), (one.free for one in infos))
        return self.made

    def known(self, *kinds: str) -> bool:
        """Whether what is not held of these kinds does not exist."""
        return all(self.cluster.complete(kind) for kind in kinds)

    def infos(self) -> Iterator[NodeInfo]:
        """Every node, by name."""
        return iter(self.nodes.values())

    def node_of(self, pod: Key) -> str | None:
        """The node that a pod is on, None where it is on none."""
        if pod in self.moved:
            moved = self.moved[pod]
            return moved[1] if moved else None
        row = self.cluster.find(PodRow, "Pod", *pod)
        return row.on if row and row.active and row.on in self.nodes else None

    def onto(self) -> set[str]:
        """Nodes that hold a pod which the cluster does not say is there."""
        return {moved[1] for moved in self.moved.values() if moved}

    def without(self, pod: PodRow) -> "Snapshot":
        """As if the pod had to be placed again: its own share is released."""
        if self.node_of(pod.key) is None:
            return self
        fork = self.fork()
        fork.remove_pod(pod.key)
        return fork

    def matching(self, namespaces: Iterable[str], selector: LabelSelector) -> Iterator[Placed]:
        """Pods on nodes that a selector selects in these namespaces."""
        inside = tuple(dict.fromkeys(namespaces))
        for namespace in inside:
            for labels in self.cluster.labels("pods_by_labels", namespace, selector):
                yield from self._here("pods_by_labels", (namespace, labels))
        for pod, info in self._added():
            if pod.namespace in inside and selector.matches(pod.template.labels):
                yield pod, info

    def namespaces(self) -> tuple[str, ...]:
        """Namespaces that hold pods."""
        held = (one for one in self.cluster.groups("pods_by_labels") if isinstance(one, str))
        return (*held, *(pod.namespace for pod, _ in self._added()))

    def repelling(
        self, whom: Hashable, against: Callable[[Repelling], bool]
    ) -> Iterator[tuple[Repelling, Iterator[Placed]]]:
        """Pods on nodes that are against one: what they have in common, and which they are.

        The answer is kept for `whom`, by which all must be told that `against` decides by.
        """
        if whom not in self.kept:
            held = cast("Iterable[Repelling]", self.cluster.group("repelling", ""))
            self.kept[whom] = tuple(one for one in held if against(one))
        for one in self.kept[whom]:
            yield one, self._here("repelling", ("", one))
        for pod, info in self._added():
            own = (pod.namespace, pod.template.anti_affinity)
            if own[1] and against(own):
                yield own, iter([(pod, info)])

    def _here(self, index: str, at: tuple[object, object]) -> Iterator[Placed]:
        """Pods of an index that are where the cluster says."""
        for pod in self.cluster.bucket(PodRow, index, at):
            info = self.nodes.get(pod.on) if pod.on and pod.active else None
            if info and not (self.moved and pod.key in self.moved):
                yield pod, info

    def _added(self) -> Iterator[Placed]:
        return ((one[0], self.nodes[one[1]]) for one in self.moved.values() if one)


class Fork(Snapshot):
    """A snapshot that can be changed; what it was made of stays as it is."""

    nodes: dict[str, NodeInfo]
    moved: dict[Key, tuple[PodRow, str] | None]

    def __init__(self, base: Snapshot) -> None:
        whole = base.nodes
        super().__init__(base.cluster, whole.copy() if isinstance(whole, Infos) else dict(whole))
        self.moved = dict(base.moved)
        self.kept = base.kept
        self.made = base.made.copy() if base.made else None

    def add_pod(self, pod: PodRow, node: str) -> None:
        """Put a pod onto a node; one that is on another must be taken off it first."""
        info = self.nodes[node]
        self._put(info_of(info.node, (*info.pods, pod)))
        self.moved[pod.key] = (pod, node)

    def remove_pod(self, pod: Key) -> None:
        """Take a pod off its node."""
        name = self.node_of(pod)
        if name is not None:
            info = self.nodes[name]
            self._put(info_of(info.node, (one for one in info.pods if one.key != pod)))
        self.moved[pod] = None

    def remove_node(self, name: str) -> None:
        """Take a node away, and with it the pods on it."""
        for pod in self.nodes.pop(name).pods:
            self.moved[pod.key] = None
        if self.made:
            self.made.alive[self.made.index[name]] = False

    def hold(self, name: str, pods: Iterable[PodRow], *, closed: bool = False) -> None:
        """Let a node hold these pods instead of its own; closed, it has no slot for another one."""
        info = self.nodes[name]
        held = info_of(info.node, pods)
        if closed:
            held = msgspec.structs.replace(held, free={**held.free, SLOTS: 0})
        self.moved.update((pod.key, None) for pod in info.pods)
        self.moved.update((pod.key, (pod, name)) for pod in held.pods)
        self._put(held)

    def replace_node(self, node: NodeRow) -> None:
        """Let a node be otherwise; its pods stay."""
        self.nodes[node.name] = info_of(node, self.nodes[node.name].pods)
        self.made = None

    def add_node(self, node: NodeRow, pods: Iterable[PodRow] = ()) -> None:
        """Add a node; its name must be new."""
        self.nodes[node.name] = info_of(node, ())
        self.made = None
        for pod in pods:
            self.add_pod(pod, node.name)

    def _put(self, info: NodeInfo) -> None:
        self.nodes[info.name] = info
        if self.made:
            self.made.put(self.made.index[info.name], info.free)


@derived
def snapshot(cluster: Cluster) -> Snapshot:
    """The cluster as it is; made anew when a node or a pod on one changes."""
    cluster.buckets("pods_on")
    made = Snapshot(cluster, Infos(cluster, (one.name for one in cluster.all(NodeRow, "Node"))))
    made.made = bare(cluster).filled(_left(cluster))
    return made


def _left(cluster: Cluster) -> dict[str, Amount]:
    """What is left on each node, pods that are assumed to be there taken off."""
    known = room(cluster)
    asked = [
        (known.row[str(name)], amount)
        for name, bucket in cluster.buckets("assumed_on").items()
        if name in known.row
        for pod in bucket
        if isinstance(pod, PodRow)
        for amount in (*pod.template.requests, (SLOTS, 1))
    ]
    wide = known.wider(resource for _, (resource, _) in asked)
    left = wide.allocatable - wide.requested
    if asked:
        left = left.astype(np.object_)
    for at, (resource, amount) in asked:
        left[at, wide.column[resource]] -= amount
    held = np.clip(left, -(2**63), 2**63 - 1).astype(np.int64)
    return {resource: held[:, at].copy() for resource, at in wide.column.items()}
