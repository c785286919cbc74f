"""The table of `drill`: the verdict, why, and each pod; of many drills, a line for each."""

from collections import Counter
from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from clusteraudit.cli import output
from clusteraudit.report.drill_shapes import DrilledPod, DrillResult, DrillShape

_STYLES = {
    "survives": "bold green",
    "degrades": "bold yellow",
    "fails": "bold red",
    "unknown": "bold magenta",
    "placed": "green",
    "unaffected": "dim",
    "pending": "red",
    "blocked": "red",
    "lost": "red",
    "pendingUntilScaleUp": "yellow",
}
_WORST_FIRST = ("fails", "unknown", "degrades", "survives")
_OUTCOMES = ("lost", "blocked", "pending", "unknown", "pendingUntilScaleUp", "placed", "unaffected")


def show(answer: DrillShape, console: Console) -> None:
    """Print what drills say as people read it."""
    output.show(console, _parts(answer))


def _parts(answer: DrillShape) -> Iterator[RenderableType]:
    one = len(answer.drills) == 1
    yield from _whole(answer.drills[0]) if one else _many(answer.drills)
    if answer.inputs.partial:
        yield "If the input holds every object that exists, --complete tells more."


def _whole(drill: DrillResult) -> Iterator[RenderableType]:
    yield _head(drill)
    yield Padding(Text(_recovery(drill)), (0, 0, 0, 2))
    yield Padding(Text(f"assuming {', '.join(drill.assumptions)}", style="dim"), (0, 0, 0, 2))
    if drill.pods:
        yield ""
        yield _pods(drill)
    if drill.budgets:
        yield ""
        yield _budgets(drill)
    if drill.volumes:
        yield ""
        yield _volumes(drill)


def _head(drill: DrillResult) -> Text:
    what = {"drain": "drain node", "node": "lose node", "zone": "lose zone"}[drill.kind]
    head = Text(f"{what} {drill.target}", style="bold")
    head.append(f" ({drill.mode})" if drill.mode else "")
    head.append(": ").append(drill.verdict, style=_STYLES[drill.verdict])
    if drill.reasons:
        head.append(f" ({', '.join(drill.reasons)})")
    return head


def _recovery(drill: DrillResult) -> str:
    rounds = f"{drill.rounds} round{'s' if drill.rounds != 1 else ''}; " if drill.rounds else ""
    wait, why = drill.recovery_seconds.min, drill.recovery_seconds.reason
    if wait is None:
        return f"{rounds}does not recover by itself: {why}"
    return f"{rounds}recovers after {wait} s at the earliest: {why}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        number = heading in {"HEALTHY", "DESIRED", "ALLOWED", "AFTER", "NODES", "ROUND"}
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    return table


def _pods(drill: DrillResult) -> Table:
    rounds = ["ROUND"] if drill.rounds else []
    table = _table("POD", "OUTCOME", *rounds, "WHERE, OR WHY NOT")
    for pod in sorted(drill.pods, key=lambda one: _OUTCOMES.index(one.outcome)):
        outcome = Text(pod.outcome, style=_STYLES.get(pod.outcome, ""))
        turn = [str(pod.round or "")] if drill.rounds else []
        table.add_row(f"{pod.namespace}/{pod.name}", outcome, *turn, _why(pod))
    return table


def _why(pod: DrilledPod) -> str:
    if pod.node:
        return f"for example {pod.node}"
    return f"{pod.reason}: {pod.detail}" if pod.detail else pod.reason


def _budgets(drill: DrillResult) -> Table:
    table = _table("BUDGET", "HEALTHY", "DESIRED", "ALLOWED", "AFTER", "")
    for one in drill.budgets:
        numbers = (one.current_healthy, one.desired_healthy, one.allowed, one.healthy_after)
        blocks = Text("ends the drain" if one.blocks else "", style="red")
        table.add_row(f"{one.namespace}/{one.name}", *map(str, numbers), blocks)
    return table


def _volumes(drill: DrillResult) -> Table:
    table = _table("CLAIM", "VOLUME", "POD", "NODES")
    for one in drill.volumes:
        left = "" if one.nodes is None else str(one.nodes)
        table.add_row(f"{one.namespace}/{one.claim}", one.volume, one.pod, left)
    return table


def _many(drills: list[DrillResult]) -> Iterator[RenderableType]:
    table = _table("LOST", "VERDICT", "PODS", "WHY")
    for one in sorted(drills, key=lambda one: _WORST_FIRST.index(one.verdict)):
        table.add_row(
            f"{one.kind} {one.target}",
            Text(one.verdict, style=_STYLES[one.verdict]),
            _counts(one),
            ", ".join(one.reasons),
        )
    yield table
    yield ""
    yield Text(_totals(drills), style="bold")


def _counts(drill: DrillResult) -> str:
    counts = Counter[str](pod.outcome for pod in drill.pods)
    said = [f"{counts[name]} {name}" for name in _OUTCOMES if counts[name]]
    return ", ".join(said) or "none"


def _totals(drills: list[DrillResult]) -> str:
    """`11 nodes: fails 3, survives 8; 2 zones: survives 2`."""
    said = []
    for kind in ("node", "zone"):
        verdicts = Counter[str](one.verdict for one in drills if one.kind == kind)
        whole = sum(verdicts.values())
        if whole:
            named = [f"{name} {verdicts[name]}" for name in _WORST_FIRST if verdicts[name]]
            said.append(f"{whole} {kind}{'s' if whole > 1 else ''}: {', '.join(named)}")
    return "; ".join(said) or "there is no node"
