"""NodeDeclaredFeatures: a feature that the pod makes use of must be declared by its node."""

from collections.abc import Iterator

from clusteraudit.model.rows import NodeRow
from clusteraudit.simulate.filters.kit import Answer, Constraints, Doubt, Refusal

NAME = "NodeDeclaredFeatures"


def node_declared_features(constraints: Constraints, node: NodeRow) -> Iterator[Answer]:
    """`status.declaredFeatures` (`nodedeclaredfeatures.go`).

    A node that declares none at all may be older than the filter is: that cannot be told apart.
    """
    missing = [one for one in constraints.features if one not in node.features]
    if missing and node.features:
        yield Refusal(NAME, "MissingFeature", f"feature {missing[0]} is not declared")
    elif missing:
        yield Doubt(NAME, "declaredFeatures")
