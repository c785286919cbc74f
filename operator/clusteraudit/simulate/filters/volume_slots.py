"""How many volumes nodes can take for sure, counted so quickly that few need to be asked.

What they hold is counted from above: a claim may be of any driver, and a volume may be counted
twice, as attached and as a pod's.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from clusteraudit.model.cluster import Cluster, derived, mendable, parts
from clusteraudit.model.provisioning import CSINodeRow
from clusteraudit.model.rows import PodRow, Row
from clusteraudit.model.store import Cell
from clusteraudit.simulate.columns import Amount, Mask

NAME = "NodeVolumeLimits"
_ENDLESS = 2**31
"""More volumes than any node takes: of a driver without a limit, and of pods that tell nothing."""
Numbers = Mapping[str, int]
"""By the name of the node; those of which there is none are not in it."""


class _Column:
    """Numbers in the order of some nodes, which are the same for whoever asks, as a rule."""

    def __init__(self, numbers: Numbers, absent: int) -> None:
        self._numbers, self._absent = numbers, absent
        self._made: tuple[Sequence[str], Amount] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Column) and self._numbers == other._numbers

    __hash__ = None  # type: ignore[assignment]  # compared as a derived value, never a key

    def of(self, nodes: Sequence[str]) -> Amount:
        """The number of each node."""
        if self._made is None or self._made[0] is not nodes:
            numbers = (self._numbers.get(one, self._absent) for one in nodes)
            self._made = (nodes, np.fromiter(numbers, np.int64, len(nodes)))
        return self._made[1]


def roomy(cluster: Cluster, nodes: Sequence[str], drivers: Iterable[str], more: int) -> Mask:
    """Nodes that are sure to have these drivers, and to take so many volumes more."""
    found: Mask = _left(cluster).of(nodes) >= more
    for driver in drivers:
        found &= _with(cluster, driver).of(nodes) > 0
    return found


@derived
def _left(cluster: Cluster) -> _Column:
    """How many volumes a node takes beside those that it has, at the least."""
    held = (_claims(cluster), _assumed(cluster), _attached(cluster))
    left = {
        name: limit - sum(one.get(name, 0) for one in held)
        for name, limit in _limits(cluster).items()
    }
    return _Column(left, absent=-1)


@derived
def _limits(cluster: Cluster) -> Numbers:
    """Of the drivers on each node, the least that one of them takes."""
    return {
        row.name: min((n for _, n in row.drivers if n is not None), default=_ENDLESS)
        for row in cluster.all(CSINodeRow, "CSINode")
    }


@derived
def _with(cluster: Cluster, driver: str) -> _Column:
    """Nodes that have a driver, as 1."""
    rows = cluster.all(CSINodeRow, "CSINode")
    has = {row.name: 1 for row in rows if any(name == driver for name, _ in row.drivers)}
    return _Column(has, absent=0)


def _told(counted: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    return ((name, number) for name, number in counted if number)


def _claimed(rows: Collection[Row]) -> int:
    """How many claims pods name, which is as many volumes; too many where one does not tell."""
    pods = [row for row in rows if isinstance(row, PodRow)]
    if any(NAME in pod.template.unmodelled for pod in pods):
        return _ENDLESS
    return sum(len(pod.claims) for pod in pods)


def _all_claims(cluster: Cluster) -> Numbers:
    buckets = cluster.buckets("held_on").items()
    return dict(_told((str(name), _claimed(rows)) for name, rows in buckets))


def _claims_mended(cluster: Cluster, old: Numbers, causes: frozenset[Cell]) -> Numbers:
    names = parts(causes, "held_on")
    if names is None:
        return _all_claims(cluster)
    held = cluster.buckets("held_on")
    made = dict(old)
    for name in map(str, names):
        made.pop(name, None)
    return made | dict(_told((str(name), _claimed(held.get(name, ()))) for name in names))


@mendable(_claims_mended)
def _claims(cluster: Cluster) -> Numbers:
    """Claims of the pods on each node."""
    return _all_claims(cluster)


@derived
def _assumed(cluster: Cluster) -> Numbers:
    """The same of pods that are about to be bound to it."""
    buckets = cluster.buckets("assumed_on").items()
    return {str(name): _claimed(rows) for name, rows in buckets}


@derived
def _attached(cluster: Cluster) -> Numbers:
    """Volumes that are attached to each node."""
    buckets = cluster.buckets("attachments_on").items()
    return {str(name): len(rows) for name, rows in buckets}
