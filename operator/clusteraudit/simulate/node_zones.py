"""Zones, as the node controller groups nodes: by region and zone label, the old labels too.

Source: component-helpers `node/topology/helpers.go` (`GetZoneKey`).
"""

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow

ZONE = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
REGION = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")


class Zone(msgspec.Struct, frozen=True, gc=False):
    """A zone and the names of its nodes, sorted."""

    name: str
    nodes: tuple[str, ...]


def zone_of(node: NodeRow) -> str:
    """The zone of a node, empty where it names none."""
    return _first(node, ZONE)


def zone_key(node: NodeRow) -> tuple[str, str]:
    """Region and zone: what the node controller counts nodes by."""
    return (_first(node, REGION), _first(node, ZONE))


def _first(node: NodeRow, labels: tuple[str, ...]) -> str:
    values = (node.labels.get(label) for label in labels)
    return next((value for value in values if value), "")


@derived
def named_zones(cluster: Cluster) -> tuple[tuple[str, str], ...]:
    """Every node, by name, and its zone; the region is told where two have a zone of one name."""
    nodes = cluster.all(NodeRow, "Node")
    regions: dict[str, set[str]] = {}
    for node in nodes:
        regions.setdefault(zone_of(node), set()).add(zone_key(node)[0])
    return tuple((node.name, _named(node, regions)) for node in nodes)


def _named(node: NodeRow, regions: dict[str, set[str]]) -> str:
    region, zone = zone_key(node)
    return f"{region}/{zone}" if zone and region and len(regions[zone]) > 1 else zone


@derived
def zones(cluster: Cluster) -> tuple[Zone, ...]:
    """Zones by name; nodes that name none are in none."""
    found: dict[str, list[str]] = {}
    for node, zone in named_zones(cluster):
        if zone:
            found.setdefault(zone, []).append(node)
    return tuple(Zone(name, tuple(nodes)) for name, nodes in sorted(found.items()))
