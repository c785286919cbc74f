"""VolumeZone: a volume with zone labels is used on nodes of those zones.

A node without any zone label passes (`volume_zone.go`).
"""

from collections.abc import Iterator

from clusteraudit.model.rows import NodeRow, VolumeRow
from clusteraudit.simulate.filters.kit import Answer, Refusal

NAME = "VolumeZone"
_BETA = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}


def in_zone(volume: VolumeRow, node: NodeRow) -> Iterator[Answer]:
    """Whether the node lies in the zones and regions of a volume's labels."""
    if not any(node.labels.get(key) is not None for key in (*_BETA, *_BETA.values())):
        return
    if not all(_zone(node, key) in values for key, values in volume.zones):
        yield Refusal(NAME, "VolumeZoneConflict", "in another zone than its volume")


def _zone(node: NodeRow, key: str) -> str | None:
    own = node.labels.get(key)
    return node.labels.get(_BETA.get(key, key)) if own is None else own
