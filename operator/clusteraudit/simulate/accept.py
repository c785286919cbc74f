"""Which nodes accept a class of pods, whatever room they have: the one door to the filters."""

import numpy as np

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.simulate.columns import REFUSED
from clusteraudit.simulate.faces import bare
from clusteraudit.simulate.filters.kit import Constraints
from clusteraudit.simulate.room import Mask
from clusteraudit.simulate.schedule import static_levels


class Accepted:
    """A mask over the nodes, by name, for each set of constraints."""

    def __init__(self, masks: dict[Constraints, Mask]) -> None:
        self.masks = masks

    def __getitem__(self, constraints: Constraints) -> Mask:
        return self.masks[constraints]

    def agrees(self, other: "Accepted") -> bool:
        """Whether both say the same of what both were asked."""
        both = self.masks.keys() & other.masks.keys()
        return all(np.array_equal(self.masks[one], other.masks[one]) for one in both)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Accepted)
            and self.masks.keys() == other.masks.keys()
            and all(np.array_equal(mask, other.masks[key]) for key, mask in self.masks.items())
        )

    __hash__ = None  # type: ignore[assignment]  # arrays: compared as a derived value, never a key


@derived
def accepted(cluster: Cluster, asked: tuple[Constraints, ...]) -> Accepted:
    """Nodes that no filter refuses which a template and a node decide: room and volumes aside.

    Where such a filter is in doubt the node counts as one that accepts: an upper bound.
    """
    columns = bare(cluster)
    return Accepted({one: static_levels(columns, one) != REFUSED for one in asked})
