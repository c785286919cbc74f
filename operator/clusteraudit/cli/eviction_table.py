"""The tables of `evictions`: the pods of one node, or a line for each of many."""

from collections.abc import Iterable, Iterator

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from clusteraudit.cli import output
from clusteraudit.model.quantity import show as quantity
from clusteraudit.report.evictions import EvictedPod, EvictionsShape, NodeEvictions
from clusteraudit.simulate.evictions import Group, Signal

_WIDE = 140
"""Columns from which amounts have columns of their own, too."""
_FIRST = {Group.EXCEEDS: "bold red", Group.CERTAIN: "red", Group.CRITICAL: "dim"}
_BYTES = frozenset({Signal.MEMORY, Signal.NODEFS, Signal.IMAGEFS})
_ASSUMED = {
    "DefaultThreshold": "the kubelet's default thresholds (the API does not show the real ones)",
    "ThresholdConfigured": "a threshold for processes, of which there is none by default",
    "SignalNotOnWindows": "nothing: the kubelet has no such signal on Windows",
}


def show(answer: EvictionsShape, console: Console) -> None:
    """Print the answer as people read it."""
    output.show(console, _parts(answer, wide=console.width >= _WIDE))


def _parts(answer: EvictionsShape, *, wide: bool) -> Iterator[RenderableType]:
    if len(answer.nodes) == 1:
        yield from _one(answer.nodes[0], wide=wide)
    else:
        yield _many(answer.nodes)
    yield from map(Text, _untold(answer))


def _one(node: NodeEvictions, *, wide: bool) -> Iterator[RenderableType]:
    yield Text(f"Node {node.node}, {node.signal}: {_left(node)}", style="bold")
    yield _pods(node, wide=wide) if node.pods else "It holds no pods."


def _pods(node: NodeEvictions, *, wide: bool) -> Table:
    amounts = ("REQUEST", "USAGE", "EXCESS") if wide else ()
    table = _table("RANK", "PRIORITY", *amounts, *(("QOS",) if wide else ()), "POD", "WHY")
    for pod in node.pods:
        own = [_amount(node, one) for one in (pod.request, pod.usage, pod.excess)] if wide else []
        qos = [pod.qos_class] if wide else []
        where = f"{pod.namespace}/{pod.name}"
        row = [_rank(pod), str(pod.priority), *own, *qos, where, pod.reason]
        table.add_row(*row, style=_FIRST.get(pod.group, ""))
    return table


def _many(nodes: Iterable[NodeEvictions]) -> Table:
    """Nearest to its threshold first; those of which that is not known last."""
    table = _table("NODE", "LEFT", "PODS", "FIRST", "WHY")
    inf = float("inf")
    for node in sorted(nodes, key=lambda one: inf if one.headroom is None else one.headroom):
        who, why = _first(node)
        near = "bold red" if node.headroom is not None and node.headroom <= 0 else ""
        left = _amount(node, node.headroom)
        table.add_row(node.node, left, str(len(node.pods)), who, why, style=near)
    return table


def _first(node: NodeEvictions) -> tuple[str, str]:
    """Who goes first, and why; of a tie the first by name, with how many more there are."""
    going = [pod for pod in node.pods if not pod.critical]
    first = [pod for pod in going if pod.rank is not None and pod.rank == going[0].rank]
    if not first:
        return ("?", "see what is missing") if going else ("nobody", "")
    more = f" and {len(first) - 1} more" if len(first) > 1 else ""
    return f"{first[0].namespace}/{first[0].name}{more}", first[0].reason


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        right = name in {"RANK", "PRIORITY", "REQUEST", "USAGE", "EXCESS", "LEFT", "PODS"}
        folds = name in {"POD", "FIRST", "NODE", "WHY"}
        table.add_column(
            name,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=not folds,
        )
    return table


def _rank(pod: EvictedPod) -> str:
    if pod.critical:
        return "never"
    return "?" if pod.rank is None else str(pod.rank)


def _amount(node: NodeEvictions, amount: int | None) -> str:
    if amount is None:
        return "?"
    return quantity("memory", amount) if node.signal in _BYTES else str(amount)


def _left(node: NodeEvictions) -> str:
    if node.headroom is None:
        return "what is left cannot be told"
    threshold = _amount(node, node.threshold)
    if node.headroom > 0:
        return f"{_amount(node, node.headroom)} left above the threshold of {threshold}"
    return f"{_amount(node, -node.headroom)} below the threshold of {threshold}"


def _untold(answer: EvictionsShape) -> Iterator[str]:
    """What the order rests on, and what is missing."""
    pods = (pod for one in answer.nodes for pod in one.pods)
    if any(pod.group is Group.POSSIBLE for pod in pods):
        yield "Usage is not known of all: who may use more than it requests may go sooner or later."
    missing = sorted({word for one in answer.nodes for word in one.missing})
    if missing:
        yield f"Missing: {', '.join(missing)}."
    assumed = sorted({word for one in answer.nodes for word in one.assumptions})
    if assumed:
        yield f"Assumed: {'; '.join(_ASSUMED[word] for word in assumed)}."
    if answer.inputs.partial:
        yield "If the input holds every object that exists, --complete lets more be told."
