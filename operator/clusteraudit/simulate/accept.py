"""Which nodes accept a class of pods, whatever room they have: the one door to the filters.

Nodes that differ in nothing that a constraint reads are asked once.
"""

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow
from clusteraudit.model.selectors import Labels
from clusteraudit.model.tolerations import Taint
from clusteraudit.simulate.filters.kit import Constraints, Refusal
from clusteraudit.simulate.room import Mask
from clusteraudit.simulate.schedule import admits


class Face(msgspec.Struct, frozen=True, gc=False):
    """What constraints can read of a node; kept apart, since allocatable and health move more."""

    name: str
    labels: Labels
    taints: tuple[Taint, ...]
    unschedulable: bool


class Accepted:
    """A mask over the nodes, by name, for each set of constraints."""

    def __init__(self, masks: dict[Constraints, Mask]) -> None:
        self.masks = masks

    def __getitem__(self, constraints: Constraints) -> Mask:
        return self.masks[constraints]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Accepted)
            and self.masks.keys() == other.masks.keys()
            and all(np.array_equal(mask, other.masks[key]) for key, mask in self.masks.items())
        )

    __hash__ = None  # type: ignore[assignment]  # arrays: compared as a derived value, never a key


@derived
def faces(cluster: Cluster) -> tuple[Face, ...]:
    """Every node, by name."""
    return tuple(
        Face(one.name, one.labels, one.taints, one.unschedulable)
        for one in sorted(cluster.all(NodeRow, "Node"), key=lambda one: one.name)
    )


@derived
def accepted(cluster: Cluster, asked: tuple[Constraints, ...]) -> Accepted:
    """Nodes that no filter but room and volumes refuses, for each of these constraints."""
    nodes = faces(cluster)
    keys = sorted({key for one in asked for key in _keys(one)})
    kinds: dict[object, int] = {}
    of_node = [kinds.setdefault(_kind(node, keys), len(kinds)) for node in nodes]
    first = dict(zip(reversed(of_node), reversed(nodes), strict=True))
    patterns = [_row(first[kind]) for kind in range(len(kinds))]
    index = np.array(of_node, dtype=np.intp)
    return Accepted({one: _mask(one, patterns)[index] for one in asked})


def _mask(constraints: Constraints, nodes: Iterable[NodeRow]) -> Mask:
    """Where no filter refuses that a template and a node decide; what is in doubt is no refusal."""
    answers = (admits(constraints, node) for node in nodes)
    refused = [any(isinstance(one, Refusal) for one in said) for said in answers]
    return ~np.array(refused, dtype=np.bool_)


def _row(face: Face) -> NodeRow:
    return NodeRow(
        "", face.name, labels=face.labels, taints=face.taints, unschedulable=face.unschedulable
    )


def _keys(constraints: Constraints) -> Iterator[str]:
    """Labels that constraints read; the node's name stands under the empty key."""
    yield from (one.key for one in constraints.node_selector)
    for term in constraints.node_affinity.terms if constraints.node_affinity else ():
        yield from (one.key for one in term.expressions)
        if term.fields:
            yield ""


def _kind(face: Face, keys: list[str]) -> object:
    labels = dict(face.labels.pairs)
    values = tuple(labels.get(key) if key else face.name for key in keys)
    return (values, face.taints, face.unschedulable)
