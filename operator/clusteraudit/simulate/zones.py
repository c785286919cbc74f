"""Where volumes can be used: zones by name, and nodes.

Zones are never read from names of nodes or disks: a zone is the value of a label that ends in
`/zone`, as drivers and cloud providers set it. Azure's empty value is no zone.
"""

from functools import lru_cache

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow, VolumeRow
from clusteraudit.model.selectors import NodeSelector
from clusteraudit.simulate.filters.volume_binding import reaches
from clusteraudit.simulate.filters.volume_zone import in_zone
from clusteraudit.simulate.node_zones import zone_of

_SUFFIX = "/zone"
_WIDE = (_SUFFIX, "/region")


Zones = tuple[tuple[str, tuple[str, ...]], ...]
"""Labels of a volume that name zones, and the values of each."""


class Reach(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Where a volume can be used: the same for all volumes of a zone, so that it is asked once."""

    affinity: NodeSelector | None
    labels: Zones

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones that it names, sorted; none where a volume is not zonal, or on one node."""
        labelled = {one for key, values in self.labels if is_zone(key) for one in values}
        terms = self.affinity.terms if self.affinity else ()
        wanted = (one for term in terms for one in term.expressions if one.operator == "In")
        named = {value for one in wanted if is_zone(one.key) for value in one.values}
        return tuple(sorted((labelled or named) - {""}))


@lru_cache(maxsize=4096)
def zonal(reach: Reach) -> bool:
    """Whether it is bound to zones, and not to less: a disk of one node names that node too."""
    terms = reach.affinity.terms if reach.affinity else ()
    keys = [one.key for term in terms for one in term.expressions]
    return bool(reach.zones) and all(key.endswith(_WIDE) for key in keys)


def is_zone(key: str) -> bool:
    """Whether a label's value is a zone."""
    return key.endswith(_SUFFIX)


def reach_of(volume: VolumeRow) -> Reach:
    """Where a volume can be used."""
    return _reach(volume.affinity, volume.zones)


@lru_cache(maxsize=4096)
def _reach(affinity: NodeSelector | None, labels: Zones) -> Reach:
    """One for all volumes that reach as far."""
    return Reach(affinity, labels)


@derived
def nodes_in_reach(cluster: Cluster, reach: Reach) -> frozenset[str]:
    """Nodes on which volumes can be used that reach so far."""
    volume = VolumeRow("", "", affinity=reach.affinity, zones=reach.labels)
    return frozenset(
        node.name
        for node in cluster.all(NodeRow, "Node")
        if not any((*reaches(volume, node), *in_zone(volume, node)))
    )


@derived
def open_nodes(cluster: Cluster) -> frozenset[str]:
    """Nodes that are not cordoned and have not said that they are not ready."""
    nodes = cluster.all(NodeRow, "Node")
    return frozenset(one.name for one in nodes if not one.unschedulable and one.ready is not False)


@derived
def node_zones(cluster: Cluster) -> frozenset[str]:
    """Zones in which there are nodes."""
    return frozenset(zone for one in cluster.all(NodeRow, "Node") if (zone := zone_of(one)))


def disjoint(cluster: Cluster, volumes: list[VolumeRow]) -> bool:
    """Whether no place has all of the volumes, though each has one: zones by name, else nodes."""
    reach = [reach_of(one) for one in volumes]
    zones = [frozenset(one.zones) for one in reach]
    nodes = [nodes_in_reach(cluster, one) for one in reach]
    return any(len(sets) > 1 and all(sets) and not _common(sets) for sets in (zones, nodes))


def _common(sets: list[frozenset[str]]) -> frozenset[str]:
    return sets[0].intersection(*sets[1:])
