"""A cluster before anything happens to it, and what many drills ask of it, found once."""

from functools import cached_property

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import NodeRow, PodRow, PodTemplate, Ref, VolumeRow
from clusteraudit.simulate.autoscaling import Prospect, models, prospect
from clusteraudit.simulate.columns import FITS
from clusteraudit.simulate.controllers import remade
from clusteraudit.simulate.disruption import ByLabel, Standing, by_label, selecting, standing
from clusteraudit.simulate.node_zones import zone_key
from clusteraudit.simulate.schedule import levels
from clusteraudit.simulate.snapshot import snapshot
from clusteraudit.simulate.zones import Reach, nodes_in_reach, reach_of


class Ground:
    """The cluster, its snapshot, and answers that no drill changes. Use it within one audit."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.base = snapshot(cluster)
        self.columns = self.base.columns
        """Made before any fork, so that forks share what the nodes alone decide."""
        self._owners: dict[Ref, Ref] = {}
        self._ready: dict[Ref, int] = {}
        self._standings: dict[Ref, Standing | None] = {}
        self._by_label: dict[str, ByLabel] = {}
        self._budgets: dict[object, tuple[Ref, ...]] = {}
        self._candidates: dict[object, NDArray[np.uint8]] = {}
        self._templates: dict[int, PodTemplate] = {}
        self._prospects: dict[object, Prospect | None] = {}
        self._reach: dict[Reach, frozenset[str]] = {}

    def owner(self, pod: PodRow) -> Ref:
        """The workload that speaks for a pod."""
        controller = pod.template.owner
        if controller is None:
            return self.cluster.owner(pod)
        if controller not in self._owners:
            self._owners[controller] = self.cluster.owner(pod)
        return self._owners[controller]

    def ready(self, workload: Ref) -> int:
        """How many of its pods are on nodes, ready and not going."""
        if workload not in self._ready:
            self._ready[workload] = sum(
                pod.ready and not pod.terminating and pod.active and pod.on in self.base.nodes
                for pod in self.cluster.pods_of(workload)
            )
        return self._ready[workload]

    @cached_property
    def zones(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Of each zone, how many nodes there are, and how many of them are not ready."""
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for node in self.cluster.all(NodeRow, "Node"):
            size, down = found.get(zone_key(node), (0, 0))
            found[zone_key(node)] = (size + 1, down + (node.ready is False))
        return found

    def budgets(self, pod: PodRow) -> tuple[Ref, ...]:
        """The budgets that select a pod."""
        kind = (pod.namespace, pod.template.labels)
        if kind not in self._budgets:
            if pod.namespace not in self._by_label:
                self._by_label[pod.namespace] = by_label(self.cluster, pod.namespace)
            self._budgets[kind] = selecting(self._by_label[pod.namespace], pod.template.labels)
        return self._budgets[kind]

    def standing(self, budget: Ref) -> Standing | None:
        """How a budget stands now."""
        if budget not in self._standings:
            self._standings[budget] = standing(self.cluster, *budget.key)
        return self._standings[budget]

    def reach(self, volume: str) -> frozenset[str] | None:
        """Nodes that can use a volume, None where it is not known; one answer for each place."""
        row = self.cluster.find(VolumeRow, "PersistentVolume", "", volume) if volume else None
        if row is None:
            return None
        place = reach_of(row)
        if place not in self._reach:
            self._reach[place] = nodes_in_reach(self.cluster, place)
        return self._reach[place]

    def prospect(self, pod: PodRow, without: frozenset[str]) -> Prospect | None:
        """Whether a node may be made for a pod, in other zones than these."""
        kind = (id(pod.template), pod.namespace, pod.claims, without)
        if kind not in self._prospects:
            self._prospects[kind] = prospect(self.cluster, remade(pod), without=without)
        return self._prospects[kind]

    @cached_property
    def nodes_are_made(self) -> bool:
        """Whether somebody makes nodes, as far as can be seen."""
        return any(model.certain for model in models(self.cluster))

    def remade(self, pod: PodRow) -> PodRow:
        """The pod that takes its place; of pods with one template, these have one too."""
        made = remade(pod)
        template = self._templates.setdefault(id(pod.template), made.template)
        return made if made.template is template else replace(made, template=template)

    def candidates_at(self, pod: PodRow) -> NDArray[np.int64]:
        """Nodes that would take one more pod such as this as the cluster is, by their places.

        Kept as bits: there are thousands of kinds of pods, and of nodes.
        """
        kind = (id(pod.template), pod.namespace, pod.claims)
        if kind not in self._candidates:
            self._candidates[kind] = np.packbits(levels(self.base, pod) == FITS)
        return np.flatnonzero(np.unpackbits(self._candidates[kind], count=len(self.base.nodes)))
