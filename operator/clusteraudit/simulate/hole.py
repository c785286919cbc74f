"""Why a shape of pods finds no room although there is some: the resource that lies in pieces."""

import msgspec
import numpy as np

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.simulate.accept import accepted
from clusteraudit.simulate.capacity import Fit
from clusteraudit.simulate.filters.kit import Shape
from clusteraudit.simulate.fragmentation import packing, together
from clusteraudit.simulate.room import room
from clusteraudit.simulate.workload import label_of


class Hole(msgspec.Struct, frozen=True, gc=False):
    """The resource that most nodes lack for a shape, and the largest room there is."""

    resource: str
    requested: int
    largest: int
    node: str
    pooled: int


@derived
def fit(cluster: Cluster, shape: Shape) -> Fit:
    """F2 of a shape that need not be of the workload."""
    wide = room(cluster).wider(resource for resource, _ in shape.requests)
    accepts = accepted(cluster, (shape.constraints,))[shape.constraints]
    found = packing(wide, shape, accepts, together(len(wide.nodes)))
    return Fit(label_of(shape.requests), int(found.fits[0]), int(found.ideal[0]))


@derived
def hole(cluster: Cluster, shape: Shape) -> Hole | None:
    """What a shape lacks on most nodes that accept it; None where no node does, or none lacks."""
    wide = room(cluster).wider(resource for resource, _ in shape.requests)
    accepts = accepted(cluster, (shape.constraints,))[shape.constraints] & wide.takes
    nodes = np.flatnonzero(accepts)
    free = {r: wide.free[nodes, wide.column[r]] for r, _ in shape.requests}
    lacks = {r: int((free[r] < amount).sum()) for r, amount in shape.requests}
    if not any(lacks.values()):
        return None
    resource = max(sorted(lacks), key=lambda r: lacks[r])
    at = int(free[resource].argmax())
    return Hole(
        resource=resource,
        requested=dict(shape.requests)[resource],
        largest=int(free[resource][at]),
        node=wide.nodes[nodes[at]],
        pooled=int(free[resource].sum()),
    )
