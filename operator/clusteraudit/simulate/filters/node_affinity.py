"""NodeAffinity: `nodeSelector` and the required terms of `nodeAffinity`, both must match."""

from collections.abc import Iterator

import numpy as np

from clusteraudit.model.rows import NodeRow
from clusteraudit.simulate.columns import REFUSED, Amount, Columns, Levels, levels_of
from clusteraudit.simulate.filters.kit import Answer, Constraints, Refusal

NAME = "NodeAffinity"


def node_affinity(constraints: Constraints, node: NodeRow) -> Iterator[Answer]:
    """The selector first; of terms one must match (`nodeaffinity.go`, `RequiredNodeAffinity`)."""
    unmet = [one for one in constraints.node_selector if not one.matches(node.labels)]
    affinity = constraints.node_affinity
    if unmet:
        yield Refusal(NAME, "NodeSelectorMismatch", f"node selector {unmet[0]} does not match")
    elif affinity is not None and not affinity.matches(node.name, node.labels):
        yield Refusal(NAME, "NodeAffinityMismatch", "node affinity does not match")


def affinity_levels(columns: Columns, constraints: Constraints) -> Levels:
    """The same of all nodes."""
    selector, affinity = constraints.node_selector, constraints.node_affinity

    def make() -> Levels:
        mask = columns.selected(selector)
        return levels_of(mask if affinity is None else mask & columns.admitted(affinity))

    return columns.kept((NAME, selector, affinity), make)


def affinity_sorts(columns: Columns, constraints: Constraints) -> Amount:
    """Nodes by which requirement of the selector is the first that does not match, if any is."""
    found = np.zeros(len(columns.names), dtype=np.int64)
    found[affinity_levels(columns, constraints) == REFUSED] = 1
    for at, one in reversed(list(enumerate(constraints.node_selector, 2))):
        found[~columns.selected((one,))] = at
    return found
