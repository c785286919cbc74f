"""The table of `capacity`: what is free and of what use, by group, by shape, and what could go."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from clusteraudit.cli import output
from clusteraudit.model.quantity import show as quantity
from clusteraudit.model.rows import SLOTS
from clusteraudit.report.capacity_shapes import (
    CapacityShape,
    ClassShape,
    FitShape,
    GroupShape,
    ResourceShape,
)
from clusteraudit.rules.kit import count

_FIRST = ("cpu", "memory", SLOTS)
_ROWS = 20
_UNKNOWN = "?"
_NONE = "-"
_NAMES = 6
_SKIPPED = 5


def show(report: CapacityShape, console: Console) -> None:
    """Print the answer as people read it."""
    output.show(console, _parts(report))


def _parts(report: CapacityShape) -> Iterator[RenderableType]:
    yield Text(_head(report), style="bold")
    yield _resources(report)
    yield from map(Text, _causes(report))
    yield ""
    if report.groups:
        yield _groups(report)
    if report.shapes:
        yield _shapes(report)
    yield from map(Text, (*_nodes(report), *_untold(report)))
    yield ""


def _table(*columns: str) -> Table:
    """The first column is text, the others are numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left", overflow="fold")
    return table


def _head(report: CapacityShape) -> str:
    away = sum(not node.takes_pods for node in report.nodes)
    closed = f", {away} of them cordoned or NotReady" if away else ""
    pods = sum(one.pods for one in report.workload)
    workload = f"{count(pods, 'pod')} of {count(len(report.workload), 'shape')}"
    return f"{count(len(report.nodes), 'node')}{closed}; measured by {workload}"


def _resources(report: CapacityShape) -> Table:
    table = _table(
        "RESOURCE", "ALLOCATABLE", "REQUESTED", "FREE", "FRAGMENTED", "STRANDED", "LARGEST FREE"
    )
    for name, one in _held(report):
        fit = one.largest_fit
        table.add_row(
            name,
            _amount(name, one.allocatable),
            _amount(name, one.requested),
            _amount(name, one.free),
            _fragmented(one),
            _amount(name, one.stranded.amount) if one.stranded else _UNKNOWN,
            _amount(name, fit.amount) if fit else _UNKNOWN,
        )
    return table


def _held(report: CapacityShape) -> Iterator[tuple[str, ResourceShape]]:
    """Resources of which there is any; the well-known ones first."""
    order = {name: at for at, name in enumerate(_FIRST)}
    names = sorted(report.resources, key=lambda name: (order.get(name, len(order)), name))
    for name in names:
        one = report.resources[name]
        if name in order or one.allocatable or one.requested or one.allocatable is None:
            yield name, one


def _amount(resource: str, amount: float | None) -> str:
    return _UNKNOWN if amount is None else quantity(resource, int(amount))


def _share(ratio: float | None) -> str:
    return _NONE if ratio is None else f"{ratio:.0%}"


def _fragmented(one: ResourceShape | None) -> str:
    found = one.expected_fragmentation if one else None
    return _share(found.ratio) if found else _UNKNOWN


def _causes(report: CapacityShape) -> Iterator[str]:
    """Of what is free, what the expected pod cannot use, and why."""
    for name, one in _held(report):
        found = one.expected_fragmentation
        if name == SLOTS or found is None or not found.amount:
            continue
        causes = {
            "refused by constraints": found.by_cause.constraint,
            f"too little {name}": found.by_cause.own,
            **{f"too little {other}": n for other, n in found.by_cause.other.items()},
            "no slot": found.by_cause.slots,
        }
        worst = sorted(causes.items(), key=lambda one: -one[1])
        parts = (f"{_amount(name, n)} {why}" for why, n in worst if int(n))
        said = ", ".join(parts)
        if said:
            yield f"{name}: the expected pod cannot use {_amount(name, found.amount)}: {said}"


def _groups(report: CapacityShape) -> Table:
    table = _table(
        report.groups[0].by.upper(),
        "NODES",
        "NEEDED",
        "CPU FREE",
        "FRAGM.",
        "MEMORY FREE",
        "FRAGM.",
    )
    for group in _worst(report.groups):
        cpu, memory = (group.resources.get(name) for name in ("cpu", "memory"))
        table.add_row(
            group.name or "(none)",
            str(len(group.members)),
            _needed(group),
            _of("cpu", cpu),
            _fragmented(cpu),
            _of("memory", memory),
            _fragmented(memory),
        )
    if len(report.groups) > _ROWS:
        table.add_row(f"... {len(report.groups) - _ROWS} more: -o json has all")
    table.add_row()
    return table


def _worst(groups: Sequence[GroupShape]) -> Iterable[GroupShape]:
    """All by name; of many, those with most CPU that is of no use."""
    if len(groups) <= _ROWS:
        return groups
    return sorted(groups, key=lambda one: (-_lost(one), one.name))[:_ROWS]


def _lost(group: GroupShape) -> float:
    cpu = group.resources.get("cpu")
    return cpu.expected_fragmentation.amount if cpu and cpu.expected_fragmentation else 0


def _of(name: str, one: ResourceShape | None) -> str:
    return _amount(name, one.free) if one else _NONE


def _needed(group: GroupShape) -> str:
    found = group.node_bounds
    if found is None:
        return _UNKNOWN
    return str(found.upper) if found.lower == found.upper else f"{found.lower}-{found.upper}"


def _shapes(report: CapacityShape) -> Table:
    table = _table("SHAPE", "PODS", "MORE FIT", "IN ONE PIECE", "LOST")
    classes = {one.shape: one for one in report.workload}
    for one in report.shapes[:_ROWS]:
        table.add_row(
            _shape(one, classes[one.shape]),
            str(classes[one.shape].pods),
            _UNKNOWN if one.fits is None else str(one.fits),
            _UNKNOWN if one.ideal is None else str(one.ideal),
            _UNKNOWN if one.fits is None else _share(one.packing_loss),
        )
    if len(report.shapes) > _ROWS:
        table.add_row(f"... {len(report.shapes) - _ROWS} more: -o json has all")
    table.add_row()
    return table


def _shape(one: FitShape, of: ClassShape) -> str:
    """What it requests as people read it, which of its kind it is, and where it may run."""
    asked = ",".join(f"{name}={quantity(name, n)}" for name, n in one.requests.items())
    _, mark, which = one.shape.partition("#")
    wants = of.constraints
    words = [
        f"{asked or 'no requests'}{mark}{which}",
        *wants.node_selector,
        " or ".join(wants.node_affinity),
        f"tolerates {', '.join(wants.tolerations)}" if wants.tolerations else "",
    ]
    return " ".join(word for word in words if word)


def _nodes(report: CapacityShape) -> Iterator[str]:
    found, pod, waste = report.node_bounds, report.largest_pod, report.waste
    if found:
        need = f"{found.upper}" if found.lower == found.upper else f"{found.lower} to {found.upper}"
        yield f"Nodes: the placed pods need {need}{_going(found.removable)}."
    if pod and pod.requests:
        asked = ", ".join(f"{name} {quantity(name, n)}" for name, n in pod.requests.items())
        yield f"Largest pod in the workload's ratio: {asked}, on {pod.node}."
    if waste and waste.sampled:
        yield (
            f"Requested and not used in one sample: cpu {quantity('cpu', waste.cpu)}, memory "
            f"{quantity('memory', waste.memory)}; {count(waste.unsampled, 'pod')} without a sample."
        )


def _going(names: Sequence[str]) -> str:
    if not names:
        return "; none could go"
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return f"; {len(names)} could go: {', '.join(names[:_NAMES])}{more}"


def _untold(report: CapacityShape) -> Iterator[str]:
    if report.unknown:
        yield "Could not tell:"
    for one in report.unknown:
        yield f"  {one.field}: not all is known of {', '.join(one.missing)}"
    for skipped in report.inputs.skipped[:_SKIPPED]:
        yield f"  skipped {skipped.object or skipped.source}: {skipped.message}"
    if len(report.inputs.skipped) > _SKIPPED:
        yield f"  and {len(report.inputs.skipped) - _SKIPPED} more skipped: -o json has all"
    if report.inputs.partial:
        yield "If the input holds every object that exists, --complete lets more be told."
