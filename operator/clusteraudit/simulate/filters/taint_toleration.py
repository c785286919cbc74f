"""TaintToleration: a taint of effect NoSchedule or NoExecute must be tolerated."""

from collections.abc import Iterator

from clusteraudit.model.rows import NodeRow
from clusteraudit.model.tolerations import Toleration, untolerated
from clusteraudit.simulate.columns import FITS, REFUSED, Columns, Levels
from clusteraudit.simulate.filters.kit import Answer, Constraints, Refusal

NAME = "TaintToleration"


def taint_toleration(constraints: Constraints, node: NodeRow) -> Iterator[Answer]:
    """One refusal, for the first such taint, as the scheduler names it (`taint_toleration.go`)."""
    taint = untolerated(node.taints, constraints.tolerations)
    if taint is not None:
        yield Refusal(NAME, "UntoleratedTaint", f"taint {taint}")


def toleration_levels(columns: Columns, tolerations: tuple[Toleration, ...]) -> Levels:
    """The same of all nodes."""

    def ask(node: NodeRow) -> int:
        return FITS if untolerated(node.taints, tolerations) is None else REFUSED

    return columns.kept(
        (NAME, tolerations), lambda: columns.of_nodes(lambda node: node.taints, ask)
    )
