"""`drill`: what a drain, or the loss of a node or a zone, would do."""

from typing import Annotated, Literal

import typer

from clusteraudit.cli.drill_table import show
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.reading import Reading, reads
from clusteraudit.report.drill import drills
from clusteraudit.simulate.drain import drain
from clusteraudit.simulate.drill import Drill, Mode
from clusteraudit.simulate.drills import every, node_loss, zone_loss
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.node_zones import zones

_SHOWN = 10


@reads
def drill(
    reading: Reading,
    what: Annotated[
        Literal["node", "drain", "zone", "all"],
        typer.Argument(help="Lose a node, drain it, lose a zone, or lose each of them."),
    ],
    name: Annotated[str, typer.Argument(help="The node or the zone.", show_default=False)] = "",
    mode: Annotated[
        Literal["unreachable", "deleted"],
        typer.Option(help="A lost node: its machine is dead, or the Node object is gone too."),
    ] = "unreachable",
) -> Exit:
    """Say what would happen if a node were drained, or a node or a zone were lost."""
    _check(what, name)
    ground = Ground(reading.cluster)
    found = _drills(ground, what, name, mode)
    answer = drills(ground, found, reading.inputs())
    reading.show(answer, show)
    return reading.code(answer)


def _check(what: str, name: str) -> None:
    if what == "all" and name:
        raise CommandError(Exit.USAGE, "`drill all` takes no name")
    if what != "all" and not name:
        thing = "zone" if what == "zone" else "node"
        raise CommandError(Exit.USAGE, f"`drill {what}` needs the name of a {thing}")


def _drills(ground: Ground, what: str, name: str, mode: Mode) -> list[Drill]:
    if what == "all":
        return list(every(ground, mode))
    if what == "zone":
        _known("zone", name, [zone.name for zone in zones(ground.cluster)])
        return [zone_loss(ground, name, mode)]
    _known("node", name, list(ground.base.nodes))
    return [drain(ground, name) if what == "drain" else node_loss(ground, name, mode)]


def _known(thing: str, name: str, names: list[str]) -> None:
    if name in names:
        return
    shown = ", ".join(names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
    there = f"{thing}s are {shown}" if names else f"the input names no {thing}"
    raise CommandError(Exit.USAGE, f"there is no {thing} {name!r}; {there}")
