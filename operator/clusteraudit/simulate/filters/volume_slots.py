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


def roomy(cluster: Cluster, nodes: Sequence[str], drivers: Iterable[str], more: int) -> Mask:
    """Nodes that are sure to have these drivers, and to take so many volumes more."""
    left = _left(cluster)
    found: Mask = _of(left, nodes, absent=-1) >= more
    for driver in drivers:
        found &= _of(_with(cluster, driver), nodes, absent=0) > 0
    return found


def _of(numbers: Numbers, nodes: Sequence[str], *, absent: int) -> Amount:
    return np.fromiter((numbers.get(one, absent) for one in nodes), np.int64, len(nodes))


@derived
def _left(cluster: Cluster) -> Numbers:
    """How many volumes a node takes beside those that it has, at the least."""
    held = (_claims(cluster), _assumed(cluster), _attached(cluster))
    return {
        name: limit - sum(one.get(name, 0) for one in held)
        for name, limit in _limits(cluster).items()
    }


@derived
def _limits(cluster: Cluster) -> Numbers:
    """Of the drivers on each node, the least that one of them takes."""
    return {
        row.name: min((n for _, n in row.drivers if n is not None), default=_ENDLESS)
        for row in cluster.all(CSINodeRow, "CSINode")
    }


@derived
def _with(cluster: Cluster, driver: str) -> Numbers:
    """Nodes that have a driver, as 1."""
    rows = cluster.all(CSINodeRow, "CSINode")
    return {row.name: 1 for row in rows if any(name == driver for name, _ in row.drivers)}


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
    kept = {name: number for name, number in old.items() if name not in names}
    return kept | dict(_told((str(name), _claimed(held.get(name, ()))) for name in names))


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
