"""What containers of a node may take at most, against what there is.

Limits that are not set are counted, never made into a number: what is unlimited has no sum.
Critical pods are left out: pressure does not evict them, and their limits are the distribution's.
"""

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow, PodRow, amount_of
from clusteraudit.simulate.evictions import critical


class Promised(msgspec.Struct, frozen=True, gc=False):
    """Memory that containers of a node may take, in bytes."""

    node: str
    limits: int
    """The sum over those that have a limit."""
    unlimited: int
    """How many have none."""
    allocatable: int

    @property
    def permille(self) -> int:
        """Limits in thousandths of what is allocatable; 0 where that is not known."""
        return 1000 * self.limits // self.allocatable if self.allocatable else 0


@derived
def promised(cluster: Cluster, name: str) -> Promised:
    """The memory limits of a node's pods that have not ended and are not critical."""
    node = cluster.find(NodeRow, "Node", "", name)
    limits = unlimited = 0
    for pod in cluster.bucket(PodRow, "pods_on", name):
        if not critical(pod):
            limits += amount_of(pod.template.limits, "memory")
            unlimited += pod.template.unlimited
    return Promised(
        name,
        limits=limits,
        unlimited=unlimited,
        allocatable=amount_of(node.allocatable, "memory") if node else 0,
    )
