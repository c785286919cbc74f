"""Which nodes accept a class of pods, whatever room they have: the one door to the filters."""

import msgspec
import numpy as np

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow
from clusteraudit.simulate.columns import REFUSED, Columns
from clusteraudit.simulate.filters.kit import Constraints
from clusteraudit.simulate.room import Mask
from clusteraudit.simulate.schedule import static_levels


class Accepted:
    """A mask over the nodes, by name, for each set of constraints."""

    def __init__(self, masks: dict[Constraints, Mask]) -> None:
        self.masks = masks

    def __getitem__(self, constraints: Constraints) -> Mask:
        return self.masks[constraints]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Accepted)
            and self.masks.keys() == other.masks.keys()
            and all(np.array_equal(mask, other.masks[key]) for key, mask in self.masks.items())
        )

    __hash__ = None  # type: ignore[assignment]  # arrays: compared as a derived value, never a key


@derived
def faces(cluster: Cluster) -> tuple[NodeRow, ...]:
    """Every node, by name, without what moves more often than what constraints read of it."""
    return tuple(
        msgspec.structs.replace(one, ready=None, pressure=(), allocatable=(), capacity=())
        for one in sorted(cluster.all(NodeRow, "Node"), key=lambda one: one.name)
    )


@derived
def accepted(cluster: Cluster, asked: tuple[Constraints, ...]) -> Accepted:
    """Nodes that no filter refuses which a template and a node decide: room and volumes aside.

    Where such a filter is in doubt the node counts as one that accepts: an upper bound.
    """
    columns = Columns(faces(cluster), ())
    return Accepted({one: static_levels(columns, one) != REFUSED for one in asked})
