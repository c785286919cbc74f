"""Every drill that can be asked for."""

from collections.abc import Iterator

from clusteraudit.simulate.drill import Drill, Mode
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.loss import lose
from clusteraudit.simulate.node_zones import zones


def node_loss(ground: Ground, name: str, mode: Mode) -> Drill:
    """A node is lost."""
    return lose(ground, "node", name, [name], mode)


def zone_loss(ground: Ground, name: str, mode: Mode) -> Drill:
    """All nodes of a zone are lost."""
    nodes = next(zone.nodes for zone in zones(ground.cluster) if zone.name == name)
    return lose(ground, "zone", name, nodes, mode)


def every(ground: Ground, mode: Mode) -> Iterator[Drill]:
    """The loss of every node, then of every zone, by name."""
    for name in ground.base.nodes:
        yield node_loss(ground, name, mode)
    for zone in zones(ground.cluster):
        yield zone_loss(ground, zone.name, mode)
