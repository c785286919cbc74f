"""NodeUnschedulable: a cordoned node takes only pods that tolerate its taint."""

from collections.abc import Iterator

from clusteraudit.model.rows import NodeRow
from clusteraudit.model.tolerations import UNSCHEDULABLE, Taint, untolerated
from clusteraudit.simulate.filters.kit import Answer, Constraints, Refusal

NAME = "NodeUnschedulable"
_CORDON = Taint(UNSCHEDULABLE)


def node_unschedulable(constraints: Constraints, node: NodeRow) -> Iterator[Answer]:
    """`spec.unschedulable` (`node_unschedulable.go`)."""
    if node.unschedulable and untolerated((_CORDON,), constraints.tolerations):
        yield Refusal(NAME, "Unschedulable", "cordoned")
