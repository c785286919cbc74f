"""How much of what is free is of use, and to whom.

F2: copies that fit, against what the pooled room would hold: H(m) = sum over nodes of min over
resources of floor(F/D), ideal(m) = floor(min over resources of sum F / D), loss = 1 - H/ideal.
F3: free amount that the expected pod cannot use (fragmentation gradient descent, ATC'23,
generalised to every resource). F4: free amount on nodes that take no pod of any shape.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import Amounts, NodeRow, Ref, amount_of
from clusteraudit.simulate.filters.kit import Shape, shape_of
from clusteraudit.simulate.fit import eligible
from clusteraudit.simulate.snapshot import SLOTS, free

Column = NDArray[np.int64]
_CLIP = 2**50  # 5,000 nodes of it still add up within int64


class Fit(msgspec.Struct, frozen=True, gc=False):
    """F2 of one shape; `loss` in permille of ideal, None where ideal is 0."""

    placeable: int
    ideal: int
    eligible: int

    @property
    def loss(self) -> int | None:
        """Packing loss in permille."""
        return None if self.ideal == 0 else 1000 - 1000 * self.placeable // self.ideal


class Hole(msgspec.Struct, frozen=True, gc=False):
    """The resource that most eligible nodes lack for a shape, and the largest room there is."""

    resource: str
    requested: int
    largest: int
    node: str
    pooled: int


class Fragmentation(msgspec.Struct, frozen=True, gc=False):
    """F3 and F4 of one resource, in its base unit; `expected` leaves `not_requested` out."""

    free: int
    expected: int
    not_requested: int
    stranded: int


class Room:
    """Free amounts by resource, a column each, over nodes that can take pods."""

    def __init__(self, left: Mapping[str, Amounts]) -> None:
        self.nodes = tuple(sorted(left))
        resources = sorted({name for one in left.values() for name, _ in one})
        self._columns = {name: self._column(left, name) for name in resources}
        self._masks: dict[frozenset[str], NDArray[np.bool_]] = {}

    def _column(self, left: Mapping[str, Amounts], resource: str) -> Column:
        values = [min(max(0, amount_of(left[name], resource)), _CLIP) for name in self.nodes]
        return np.array(values, dtype=np.int64)

    def column(self, resource: str) -> Column:
        """Free amounts of a resource, by node; zeros where no node has it."""
        found = self._columns.get(resource)
        return np.zeros(len(self.nodes), dtype=np.int64) if found is None else found

    def mask(self, names: frozenset[str]) -> NDArray[np.bool_]:
        """Which of the nodes are among these."""
        if names not in self._masks:
            self._masks[names] = np.array([name in names for name in self.nodes], dtype=np.bool_)
        return self._masks[names]

    def copies(self, requests: Amounts) -> Column:
        """How many copies each node takes; pod slots count for one each."""
        count = self.column(SLOTS)
        for resource, amount in requests:
            if amount > 0:
                count = np.minimum(count, self.column(resource) // min(amount, _CLIP))
        return count


@derived
def room(cluster: Cluster) -> tuple[tuple[str, Amounts], ...]:
    """Free amounts of nodes that take pods: neither cordoned nor NotReady."""
    usable = (
        n for n in cluster.all(NodeRow, "Node") if not n.unschedulable and n.ready is not False
    )
    return tuple((node.name, free(cluster, node.name)) for node in usable)


def fit(cluster: Cluster, whole: Room, shape: Shape) -> Fit:
    """F2 of a shape."""
    mask = whole.mask(eligible(cluster, shape.constraints))
    placeable = int(whole.copies(shape.requests)[mask].sum())
    needs = [(r, amount) for r, amount in (*shape.requests, (SLOTS, 1)) if amount > 0]
    ideal = min(int(whole.column(r)[mask].sum()) // amount for r, amount in needs)
    return Fit(placeable, ideal, int(mask.sum()))


def hole(cluster: Cluster, whole: Room, shape: Shape) -> Hole | None:
    """What a shape lacks on most nodes that it may run on; None where it may run on none."""
    mask = whole.mask(eligible(cluster, shape.constraints))
    if not mask.any():
        return None
    asked = [(r, amount) for r, amount in shape.requests if amount > 0]
    lacks = {r: int((whole.column(r)[mask] < amount).sum()) for r, amount in asked}
    if not lacks or not max(lacks.values()):
        return None
    resource = max(sorted(lacks), key=lambda r: lacks[r])
    column = np.where(mask, whole.column(resource), -1)
    at = int(column.argmax())
    pooled = int(whole.column(resource)[mask].sum())
    return Hole(resource, dict(asked)[resource], int(column[at]), whole.nodes[at], pooled)


def fragmentation(
    cluster: Cluster, whole: Room, weights: Mapping[Shape, int], resource: str
) -> Fragmentation:
    """F3 and F4 of a resource over the shapes, each weighed by its number of pods."""
    column = whole.column(resource)
    total = sum(weights.values())
    expected, idle, useful = 0, 0, np.zeros(len(whole.nodes), dtype=np.bool_)
    for shape, weight in weights.items():
        takes = whole.mask(eligible(cluster, shape.constraints)) & (
            whole.copies(shape.requests) > 0
        )
        useful |= takes
        if amount_of(shape.requests, resource):
            expected += weight * int(column[~takes].sum())
        else:
            idle += weight * int(column.sum())
    return Fragmentation(
        free=int(column.sum()),
        expected=expected // total if total else 0,
        not_requested=idle // total if total else 0,
        stranded=int(column[~useful].sum()) if total else 0,
    )


@derived
def weights(cluster: Cluster) -> Mapping[Shape, Mapping[Ref, int]]:
    """How many pods each controller has of each shape; DaemonSets' pods are tied to their node."""
    found: dict[Shape, dict[Ref, int]] = {}
    for template, number in cluster.templates().items():
        owner = template.owner
        if owner is not None and owner.kind != "DaemonSet" and template.requests:
            owners = found.setdefault(shape_of(template), {})
            owners[owner] = owners.get(owner, 0) + number
    return found
