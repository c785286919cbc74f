"""The whole answer of `capacity`: every figure of the cluster, of its groups and of its nodes."""

from dataclasses import dataclass
from functools import cached_property

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import PodRow, UsageRow
from clusteraudit.simulate.bounds import Bounds, bounds
from clusteraudit.simulate.capacity import (
    COMPUTE,
    MAX_SHAPES,
    Group,
    Question,
    everything,
    groups,
    question,
)
from clusteraudit.simulate.fragmentation import Grouping
from clusteraudit.simulate.pools import By, of_nodes
from clusteraudit.simulate.stock import EVIDENCE as OF_BOUNDS
from clusteraudit.simulate.stock import Stock, stock
from clusteraudit.simulate.waste import Idle, idle
from clusteraudit.simulate.workload import Workload

OF_ROOM = ("Node", "Pod")


@dataclass(frozen=True)
class Answer:
    """Figures, made when asked for; whether they may be told is for the reader to judge."""

    cluster: Cluster
    workload: Workload
    by: By

    @cached_property
    def question(self) -> Question:
        """What the figures are made of."""
        return question(self.cluster, self.workload)

    @cached_property
    def whole(self) -> Group:
        """The cluster."""
        return next(groups(self.question, everything(self.question)))

    @cached_property
    def grouping(self) -> Grouping:
        """Nodes by what is asked for."""
        return Grouping(*of_nodes(self.cluster, self.by))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups, by name."""
        shapes = MAX_SHAPES if self.by == "node" else None
        return tuple(groups(self.question, self.grouping, shapes))

    @cached_property
    def nodes(self) -> tuple[Group, ...]:
        """Every node as a group of its own, without copies."""
        if self.by == "node":
            return self.groups
        names = self.question.room.nodes
        return tuple(groups(self.question, Grouping(names, range(len(names))), 0))

    @cached_property
    def pods(self) -> dict[str, list[PodRow]]:
        """The pods on each node."""
        names = self.question.room.nodes
        return {name: self.cluster.bucket(PodRow, "pods_on", name) for name in names}

    @cached_property
    def stock(self) -> Stock | None:
        """Pods by what may be done with them; None where that is not known."""
        if self.missing(OF_BOUNDS):
            return None
        return stock(self.cluster, self.question.room, self.pods)

    def missing(self, kinds: tuple[str, ...]) -> list[str]:
        """Of these kinds, those that are not known in full."""
        return [kind for kind in kinds if not self.cluster.complete(kind)]

    def bounds(self, group: int | None = None) -> Bounds | None:
        """F7 of a group, or of the cluster."""
        if self.stock is None:
            return None
        grouping = everything(self.question) if group is None else self.grouping
        return bounds(self.stock, grouping.members(group or 0))

    @cached_property
    def samples(self) -> dict[str, UsageRow | None]:
        """The sample of each node; empty where not all that there are is known."""
        if self.missing(("NodeMetrics",)):
            return {}
        found = {row.name: row for row in self.cluster.all(UsageRow, "NodeMetrics")}
        return {name: found.get(name) for name in self.question.room.nodes}

    def usage(self, resource: str, nodes: tuple[str, ...]) -> int | None:
        """The sum of the samples of nodes; None if one of them has none."""
        found = [one for name in nodes if (one := self.samples.get(name))]
        if resource not in COMPUTE or not nodes or len(found) < len(nodes):
            return None
        return sum(one.cpu if resource == "cpu" else one.memory for one in found)

    @cached_property
    def idle(self) -> dict[str, Idle] | None:
        """F9 of each node; None without samples of pods."""
        if self.missing((*OF_ROOM, "PodMetrics")):
            return None
        samples = {row.key: row for row in self.cluster.all(UsageRow, "PodMetrics")}
        return {name: idle(pods, samples) for name, pods in self.pods.items()}

    def waste(self, group: Group) -> Idle | None:
        """F9 of a group."""
        found = self.idle
        return None if found is None else sum((found[name] for name in group.nodes), Idle())
