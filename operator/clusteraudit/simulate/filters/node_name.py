"""NodeName: a template that names a node means that one and no other.

What the scheduler wrote into a pod's `spec.nodeName` is not asked: such a pod is placed again.
"""

from collections.abc import Iterator

from clusteraudit.model.rows import NodeRow
from clusteraudit.simulate.filters.kit import Answer, Constraints, Refusal

NAME = "NodeName"


def node_name(constraints: Constraints, node: NodeRow) -> Iterator[Answer]:
    """The node of a workload's template (`node_name.go`)."""
    if constraints.node_name and constraints.node_name != node.name:
        yield Refusal(NAME, "NodeNameMismatch", f"it names node {constraints.node_name}")
