"""The nodes as constraints see them, which change far less often than what runs on them."""

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow
from clusteraudit.simulate.columns import Columns


@derived
def faces(cluster: Cluster) -> tuple[NodeRow, ...]:
    """Every node, by name, without what moves more often than what constraints read of it."""
    return tuple(
        msgspec.structs.replace(one, ready=None, pressure=(), allocatable=(), capacity=())
        for one in cluster.all(NodeRow, "Node")
    )


@derived
def bare(cluster: Cluster) -> Columns:
    """These as columns, with nothing left: what nodes alone decide is kept there."""
    made = Columns(faces(cluster), ())
    _ = made.kinds  # here, so that copies have them
    return made
