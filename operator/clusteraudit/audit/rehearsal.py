"""Drills that nobody asked for: the loss of every node and zone, a few between two audits.

A pass loses each of them in turn, in the cluster as it is at that moment. Another begins when one
has ended and the cluster has changed since it began.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Literal

import msgspec

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS, USAGE
from clusteraudit.model.store import Cell
from clusteraudit.simulate.drill import Mode, Verdict
from clusteraudit.simulate.drills import node_loss, zone_loss
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.node_zones import zones

MODE: Mode = "unreachable"
"""A machine that is dead while its Node object stays: what happens most."""
MAX_PODS = 5_000
"""Pods of a zone that is lost by itself; one drill may hold up the audit for a second or two."""

_OPENER = "drills"
_APART = (*USAGE, "Service", "EndpointSlice", "NetworkPolicy", "ResourceQuota", "LimitRange")
"""Kinds that no drill asks of."""
_CELLS: frozenset[Cell] = frozenset(
    (what, kind) for what in ("table", "evidence") for kind in KINDS if kind not in _APART
)
_Target = tuple[Literal["node", "zone"], str]


class Rehearsed(msgspec.Struct, frozen=True, gc=False):
    """The verdicts of a pass, by name; `as_of` is when it began."""

    as_of: int
    nodes: tuple[tuple[str, Verdict], ...]
    zones: tuple[tuple[str, Verdict], ...]

    @property
    def counts(self) -> Counter[Verdict]:
        """How many nodes have each verdict."""
        return Counter(verdict for _, verdict in self.nodes)

    @property
    def fatal(self) -> tuple[str, ...]:
        """Nodes whose loss fails."""
        return tuple(name for name, verdict in self.nodes if verdict is Verdict.FAILS)


class Rehearsal:
    """The pass that is under way, and what the last one said; the audit's thread owns it."""

    def __init__(self, cluster: Cluster) -> None:
        self.last: Rehearsed | None = None
        """None until a pass has ended, and while nodes or pods are not known in full."""
        self.fault: tuple[str, Exception] | None = None
        """What failed first in the pass, a fault of ours: of which loss, and how."""
        self._cluster = cluster
        self._ground: Ground | None = None
        self._due: list[_Target] = []
        self._found: list[tuple[_Target, Verdict]] = []
        self._began = 0
        self._changed = True

    def touched(self, cells: AbstractSet[Cell]) -> None:
        """These cells changed: what was found of the cluster before may be so no more."""
        if not _CELLS.isdisjoint(cells):
            self._ground = None
            self._changed = True
        if not self._known():
            self.last, self._due = None, []

    def step(self, now: int) -> bool:
        """One drill more; whether there was one to do."""
        if not self._due and not self._begin(now):
            return False
        target = self._due.pop()
        self._cluster.recorder.begin(_OPENER)
        try:
            verdict = self._verdict(*target)
        finally:
            self._cluster.recorder.end()
        if verdict is not None:
            self._found.append((target, verdict))
        if not self._due:
            self.last = self._ended()
        return True

    def _known(self) -> bool:
        return self._cluster.complete("Node") and self._cluster.complete("Pod")

    def _begin(self, now: int) -> bool:
        if not self._changed or not self._known():
            return False
        self._began, self._changed, self._found = now, False, []
        self.fault = None
        ground = self._ground = Ground(self._cluster)
        self._due = [("zone", zone.name) for zone in zones(self._cluster)]
        self._due += [("node", name) for name in ground.base.nodes]
        if not self._due:
            self.last = self._ended()
        return bool(self._due)

    def _verdict(self, kind: Literal["node", "zone"], name: str) -> Verdict | None:
        """None for what is gone since the pass began."""
        ground = self._ground = self._ground or Ground(self._cluster)
        inside = [name] if kind == "node" else _nodes_of(self._cluster, name)
        held = [ground.base.nodes[node] for node in inside if node in ground.base.nodes]
        if not held:
            return None
        if kind == "zone" and sum(len(node.pods) for node in held) > MAX_PODS:
            return Verdict.UNKNOWN
        lose = node_loss if kind == "node" else zone_loss
        try:
            return lose(ground, name, MODE).verdict
        except Exception as error:  # of this drill nothing is told, the others go on
            self.fault = self.fault or (f"{kind} {name}", error)
            return Verdict.UNKNOWN

    def _ended(self) -> Rehearsed:
        return Rehearsed(self._began, _of("node", self._found), _of("zone", self._found))


def _nodes_of(cluster: Cluster, name: str) -> tuple[str, ...]:
    return next((zone.nodes for zone in zones(cluster) if zone.name == name), ())


def _of(kind: str, found: Iterable[tuple[_Target, Verdict]]) -> tuple[tuple[str, Verdict], ...]:
    return tuple(sorted((target[1], verdict) for target, verdict in found if target[0] == kind))
