"""What containers of a node may take at most, against what there is.

Limits that are not set are counted, never made into a number: what is unlimited has no sum.
Critical pods are left out: pressure does not evict them, and their limits are the distribution's.
"""

from collections.abc import Mapping

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import amount_of
from clusteraudit.simulate.loads import loads
from clusteraudit.simulate.room import sites


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
def promised(cluster: Cluster) -> Mapping[str, Promised]:
    """The memory limits of the pods on each node that have not ended and are not critical."""
    known, held = sites(cluster), loads(cluster)
    rows = held.rows([site.name for site in known])
    limits = held.amounts("evictable", "memory", rows).tolist()
    unlimited = held.amounts("unlimited", "", rows).tolist()
    return {
        site.name: Promised(site.name, limit, free, amount_of(site.allocatable, "memory"))
        for site, limit, free in zip(known, limits, unlimited, strict=True)
    }
