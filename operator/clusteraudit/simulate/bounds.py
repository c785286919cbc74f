"""How many nodes the placed pods need: F7, a lower and an upper bound, and nodes that could go.

The lower bound is arithmetic: for each resource the fewest of the largest nodes that cover what
the pods request, without what every node holds for itself. The upper bound is a placement: pods,
largest share first, each on the first node that has room and accepts it (first fit decreasing).
Nodes that the placement leaves empty are `removable`; fewer nodes than the upper bound are never
claimed. A pod that may not move, or of which that is not known, pins its node.
"""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.rows import SLOTS
from clusteraudit.simulate.room import CLIP, Counts, Mask
from clusteraudit.simulate.stock import Stock


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """F7 of a group of nodes; those that take no pods are not counted."""

    lower: int
    upper: int
    removable: tuple[str, ...]


def bounds(found: Stock, members: NDArray[np.intp]) -> Bounds:
    """The bounds of a group of nodes: its pods, placed on its own nodes only."""
    room = found.room
    inside = members[room.takes[members]]
    stay = np.array([at in found.pins for at in inside.tolist()], dtype=np.bool_)
    used: Mask = stay | (found.number[inside] > 0)
    if len(inside) <= 1:
        opened, least = used, 0
    else:
        moving = np.isin(found.on, inside)
        counts = np.bincount(found.of_pod[moving], minlength=len(found.items))
        opened, least = _placed(found, inside, stay, counts, used), _least(found, inside, counts)
    upper = int(opened.sum())
    lower = upper if len(inside) <= 1 else min(upper, max(least, int(stay.sum())))
    gone = tuple(room.nodes[at] for at in inside[~opened].tolist())
    return Bounds(lower, upper, gone)


def _placed(found: Stock, inside: NDArray[np.intp], stay: Mask, counts: Counts, used: Mask) -> Mask:
    """Nodes that first fit decreasing opens; those used now, where it is no better or fails."""
    room = found.room
    left = np.minimum(room.allocatable[inside], CLIP).astype(np.int64)
    left = np.maximum(left - found.held[inside] - found.pinned[inside], 0)
    order = _order(left, stay)
    left, opened = left[order], stay[order]
    for item, request in _decreasing(found, counts):
        accepts = found.accepts[item][inside][order]
        at = np.concatenate((np.flatnonzero(opened), np.flatnonzero(~opened)))
        copies = np.where(accepts, _copies(left, request), 0)[at]
        before = np.cumsum(copies) - copies
        taken = np.clip(counts[item] - before, 0, copies)
        if taken.sum() < counts[item]:
            return used
        for column, amount in request:
            left[at, column] -= taken * amount
        opened[at[taken > 0]] = True
    back = np.empty_like(opened)
    back[order] = opened
    return back if back.sum() <= used.sum() else used


def _order(left: Counts, stay: Mask) -> NDArray[np.intp]:
    """Nodes that must stay, then the largest; of equals the first by name."""
    whole = left.sum(axis=0)
    size = (left / np.where(whole > 0, whole, 1)).sum(axis=1)
    found: NDArray[np.intp] = np.lexsort((-size, ~stay))
    return found


def _decreasing(found: Stock, counts: Counts) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Items by their largest share of the largest node, with requests by column."""
    room = found.room
    largest = room.allocatable.max(axis=0)
    sized = []
    for at in np.flatnonzero(counts):
        shape = found.items[at][0]
        asked = ((room.column[r], min(n, CLIP)) for r, n in (*shape.requests, (SLOTS, 1)))
        request = list(asked)
        share = max(n / max(1, largest[column]) for column, n in request)
        sized.append((-share, shape.requests, str(found.items[at]), int(at), request))
    sized.sort()
    for *_, item, request in sized:
        yield item, request


def _copies(left: Counts, request: list[tuple[int, int]]) -> Counts:
    found: Counts = np.min([left[:, column] // amount for column, amount in request], axis=0)
    return found


def _least(found: Stock, inside: NDArray[np.intp], counts: Counts) -> int:
    """The largest, over resources, of the least numbers of nodes that cover what is requested."""
    room = found.room
    wanted = found.pinned[inside].astype(np.object_).sum(axis=0)
    for at in np.flatnonzero(counts):
        for resource, amount in (*found.items[at][0].requests, (SLOTS, 1)):
            wanted[room.column[resource]] += amount * int(counts[at])
    size = np.maximum(room.allocatable[inside] - found.held[inside], 0)
    least = 0
    for column, amount in enumerate(wanted):
        covered_by = np.cumsum(sorted(size[:, column], reverse=True))
        if amount and len(inside):
            enough = np.flatnonzero(covered_by >= amount)
            least = max(least, int(enough[0]) + 1 if len(enough) else len(inside))
    return least
