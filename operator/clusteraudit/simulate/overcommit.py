"""What containers of a node may take at most, against what there is.

Limits that are not set are counted, never made into a number: what is unlimited has no sum.
Critical pods are left out: pressure does not evict them, and their limits are the distribution's.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import amount_of
from clusteraudit.simulate.room import room, sites


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
def promised(cluster: Cluster, permille: int) -> Mapping[str, Promised]:
    """Nodes with limits of more thousandths than so many of what is allocatable, by name.

    Limits are those of pods on the node that have not ended and are not critical.
    """
    wide = room(cluster).wider(("memory",))
    limits, unlimited = wide.held("evictable", "memory"), wide.held("unlimited", "")
    allocatable = wide.allocatable[:, wide.column["memory"]]
    near = np.flatnonzero(limits > permille // 1000 * allocatable)
    amounts = (one[near].tolist() for one in (limits, unlimited, allocatable))
    found = map(Promised, (wide.nodes[at] for at in near), *amounts)
    return {one.node: one for one in found if one.permille > permille}


@derived
def unsaid(cluster: Cluster) -> frozenset[str]:
    """Nodes that have not said how much memory they have, by name."""
    known = sites(cluster)
    return frozenset(site.name for site in known if not amount_of(site.allocatable, "memory"))
