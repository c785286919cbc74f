"""The table of `explain`: nodes that are refused for the same reasons are one row."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from clusteraudit.cli import output
from clusteraudit.model.quantity import show as amount
from clusteraudit.report.explain import (
    ExplainedPod,
    ExplainShape,
    NodeShape,
    PreemptionShape,
    RefusalShape,
)
from clusteraudit.simulate.filters.kit import gist

_MARKS = {True: Text("fits", "green"), False: Text("no", "red"), None: Text("?", "yellow")}
_SOME = 3
"""Names of nodes that a row shows."""
_ROWS = 12
"""Sets of reasons that a table shows."""


def show(shape: ExplainShape, console: Console) -> None:
    """Print an answer as people read it."""
    pods = (part for pod in shape.pods for part in _pod(pod))
    output.show(console, (*pods, _totals(shape)))


def _pod(pod: ExplainedPod) -> Iterator[RenderableType]:
    where = f"on {pod.node_name}" if pod.node_name else "no node"
    yield Text(f"{pod.namespace}/{pod.name}", "bold").append(f"  {where}", "dim")
    yield Text(f"  {pod.phase}, {pod.qos_class}, priority {pod.priority}", "dim")
    asked = ", ".join(f"{name} {amount(name, n)}" for name, n in pod.requests.items())
    yield Text(f"  requests {asked or 'nothing'}")
    yield Text(f"  {pod.summary}")
    if pod.nodes:
        yield _table(pod.nodes)
    yield from _below(pod)
    yield ""


def _table(nodes: Sequence[NodeShape]) -> Table:
    """A row per set of reasons, the nodes that fit first, then by how many they are."""
    groups: dict[tuple[object, ...], list[NodeShape]] = {}
    for one in nodes:
        groups.setdefault(_alike(one), []).append(one)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("  nodes", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("which", overflow="fold")
    table.add_column("why", overflow="fold")
    order = sorted(groups.values(), key=lambda one: (one[0].fits is not True, -len(one)))
    for group in order[:_ROWS]:
        names = _some([one.node for one in group])
        table.add_row(str(len(group)), _MARKS[group[0].fits], names, "\n".join(_reasons(group)))
    rest = sum(len(group) for group in order[_ROWS:])
    if rest:
        table.add_row(str(rest), "", "more", "for other sets of reasons: -o json has them all")
    return table


def _alike(node: NodeShape) -> tuple[object, ...]:
    """What nodes of a row have in common: reasons, not amounts nor the pods that are there."""
    return (
        node.fits,
        *((one.filter, one.resource or gist(one.reason, one.detail)) for one in node.refusals),
        *((one.filter, one.missing) for one in node.doubts),
    )


def _reasons(group: Sequence[NodeShape]) -> Iterator[str]:
    for at, one in enumerate(group[0].refusals):
        yield f"{one.filter}: {_detail(one, [node.refusals[at] for node in group])}"
    for doubt in group[0].doubts:
        yield f"{doubt.filter}: cannot be told, {doubt.missing}"


def _detail(one: RefusalShape, all_: Sequence[RefusalShape]) -> str:
    """Of several nodes the largest amount that is free."""
    if one.resource is None or one.requested is None:
        return one.detail if len(all_) == 1 else gist(one.reason, one.detail)
    free = {other.free or 0 for other in all_}
    most = "at most " if len(free) > 1 else ""
    wanted, held = amount(one.resource, one.requested), amount(one.resource, max(free))
    return f"{one.detail} (wants {wanted}, {most}{held} free)"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SOME
    return ", ".join(names[:_SOME]) + (f" and {more} more" if more > 0 else "")


def _below(pod: ExplainedPod) -> Iterator[Text]:
    if pod.unmodelled:
        yield Text(f"  not evaluated: {', '.join(pod.unmodelled)}", "yellow")
    told = _preemption(pod.preemption)
    if told:
        yield Text(f"  {told}")
    for one in pod.would_fit_if:
        where = f" (then {_some(one.nodes)})" if one.nodes else ""
        yield Text(f"  → {one.detail}{where}", "green")


def _preemption(found: PreemptionShape) -> str:
    if found.possible is None:
        return "preemption: cannot be told"
    if not found.possible:
        reasons = {
            "PreemptionPolicyNever": "preemption: never, its policy says so",
            "NoVictimsHelp": "preemption: no pods of lower priority are in the way",
        }
        return reasons.get(found.reason, "")
    first = found.victims[0]
    broken = f", against budget {_some(first.violates)}" if first.violates else ""
    more = f" (or on {len(found.nodes) - 1} more)" if len(found.nodes) > 1 else ""
    return f"preemption: would evict {_some(first.pods)} on {first.node}{broken}{more}"


def _totals(shape: ExplainShape) -> Text:
    homeless = sum(
        pod.fits == 0 and not any(n.fits is None for n in pod.nodes) for pod in shape.pods
    )
    told = f"{_count(len(shape.pods))} explained, {homeless} that {_fits(homeless)} on no node"
    partial = [*shape.inputs.partial, *(one.kind for one in shape.inputs.unread)]
    asked = any(node.doubts for pod in shape.pods for node in pod.nodes)
    hint = "; if the input holds every object that exists, --complete lets more be told"
    return Text(told + (hint if partial and asked else ""), "bold")


def _count(number: int) -> str:
    return "1 pod" if number == 1 else f"{number} pods"


def _fits(number: int) -> str:
    return "fits" if number == 1 else "fit"
