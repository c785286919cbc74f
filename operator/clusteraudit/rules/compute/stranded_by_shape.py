"""One resource of a pool is used up, and what is left of another is of use to nobody.

## What it looks at
Nodes on which no pod of those that run in the cluster would fit: at most `exhaustedPermille` of
their CPU, memory or pod slots is left, and at least `idlePermille` of another resource. Told of a
pool and a resource where that adds up: to `poolPermille` of the pool, and to `minMillicores` or
`minBytes`.

## Why it matters
It is paid for and cannot be used: the pods that come need the other resource too. Dashboards that
show one resource each call the nodes half empty.

## What to do
Choose nodes with another ratio of CPU to memory for the pool; or mix in workloads that need what is
left; or lower requests for the resource that is used up, if they are larger than the need.

## When it stays silent
Where pods of the cluster still fit, and where no resource is used up: room that lies in pieces too
small is another fault (`fragmented-capacity`). Where the requests are more than the use, that hangs
above this (`full-on-paper`). Nodes that are cordoned or NotReady do not count.
"""

from collections.abc import Iterator

import msgspec
from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.kinds import ref
from clusteraudit.model.places import pool_ref
from clusteraudit.model.quantity import cores, show
from clusteraudit.model.rows import SLOTS, NodeRow, amount_of
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Settings,
    Severity,
    broken,
    count,
    found,
    rule,
    some,
    sound,
)
from clusteraudit.simulate.capacity import Group, Measure, whole
from clusteraudit.simulate.snapshot import free

_USED_UP = ("cpu", "memory", SLOTS)


class StrandedByShapeSettings(Settings):
    exhausted_permille: int = Field(
        50, ge=0, le=500, description="Share of a resource up to which what is left is nothing."
    )
    idle_permille: int = Field(
        500, ge=1, le=1000, description="Share of another from which a node is idle in it."
    )
    pool_permille: int = Field(
        250, ge=1, le=1000, description="Share of the pool's from which it is said."
    )
    min_millicores: int = Field(
        4000, ge=1, le=10**9, description="CPU from which it is said, in millicores."
    )
    min_bytes: int = Field(
        16 * 2**30, ge=1, le=2**60, description="Memory from which it is said, in bytes."
    )


class _Idle(msgspec.Struct, frozen=True):
    """What a node has left of a resource, and of which others it has next to nothing."""

    node: str
    left: int
    allocatable: int
    used_up: tuple[str, ...]


def _pool(memory: str) -> tuple[build.Manifest, ...]:
    labels = {"cloud.google.com/gke-nodepool": "stranded-by-shape"}
    return (
        *(build.node(f"node-{one}", "4", memory, labels=labels) for one in "ab"),
        build.deployment("web", replicas=4, cpu="2", memory="1Gi"),
        *build.pods_of("web", 2, on="node-a", cpu="2", memory="1Gi"),
        *build.pods_of("web", 4, on="node-b", cpu="2", memory="1Gi")[3:],
    )


@rule(
    code="CMP106",
    title="One resource is used up, and another lies idle",
    subject="Cluster",
    layer=Layer.NODE_CAPACITY,
    failure=Failure.SCHEDULING,
    severity=Severity.MEDIUM,
    reads=("Node", "Pod"),
    complete=("Node", "Pod"),
    message="{subject}: {amount} is of no use to any pod that runs in the cluster: on "
    "{idle} of {nodesInPool} the {usedUpText} is used up, most is left on {worst} ({left} of "
    "{allocatableText}).",
    remedy="Choose nodes with less {what} to their {usedUpText} for the pool, or lower requests "
    "for {usedUpText} that are larger than the need.",
    since="0.1",
    settings=StrandedByShapeSettings,
    examples=(
        broken(
            "all CPU of two nodes is requested, and 28Gi of memory are left",
            _pool("16Gi"),
            mend=[build.node("node-a", "4", "4Gi"), build.node("node-b", "4", "4Gi")],
        ),
        sound("there is little memory beside it", _pool("4Gi")),
    ),
)
def stranded_by_shape(cluster: Cluster, settings: StrandedByShapeSettings) -> Iterator[Answer]:
    figures = whole(cluster)
    for pool in figures.pools if figures else ():
        for measure in pool.resources:
            bound = _bound(measure, settings)
            if bound and (measure.stranded or 0) >= bound:
                idle = list(_idle(cluster, measure, settings))
                if sum(one.left for one in idle) >= bound:
                    yield _finding(pool, measure, idle)


def _bound(measure: Measure, settings: StrandedByShapeSettings) -> int:
    """The amount from which it is said; 0 for resources of which it is never said."""
    least = {"cpu": settings.min_millicores, "memory": settings.min_bytes}
    if measure.resource not in least and "/" not in measure.resource:
        return 0
    share = -(-measure.allocatable * settings.pool_permille // 1000)
    return max(share, least.get(measure.resource, 1))


def _idle(cluster: Cluster, measure: Measure, settings: StrandedByShapeSettings) -> Iterator[_Idle]:
    """Nodes that nothing fits on because another resource is used up."""
    for name in measure.stranded_on:
        node, left = cluster.find(NodeRow, "Node", "", name), free(cluster, name)
        if node is None:
            continue
        there = {one: amount_of(node.allocatable, one) for one in (*_USED_UP, measure.resource)}
        used_up = tuple(
            one
            for one in _USED_UP
            if one != measure.resource
            and 1000 * amount_of(left, one) <= settings.exhausted_permille * there[one]
        )
        whole_of, rest = there[measure.resource], amount_of(left, measure.resource)
        if used_up and 1000 * rest >= settings.idle_permille * whole_of:
            yield _Idle(name, rest, whole_of, used_up)


def _finding(pool: Group, measure: Measure, idle: list[_Idle]) -> Answer:
    resource = measure.resource
    worst = min(idle, key=lambda one: (-one.left, one.node))
    amount = sum(one.left for one in idle)
    used_up = tuple(sorted({what for one in idle for what in one.used_up}))
    return found(
        pool_ref(pool.name),
        key=resource,
        refs=[ref("Node", "", one.node) for one in idle],
        resource=resource,
        stranded=amount,
        allocatable=measure.allocatable,
        usedUp=used_up,
        nodesIdle=len(idle),
        nodesInPool=len(pool.nodes),
        names=tuple(one.node for one in idle[:5]),
        words={
            "amount": f"{_amount(resource, amount)} {_name(resource)}",
            "what": _name(resource),
            "idle": count(len(idle), "node"),
            "usedUpText": some([_name(one) for one in used_up]),
            "worst": worst.node,
            "left": _amount(resource, worst.left),
            "allocatableText": _amount(resource, worst.allocatable),
        },
    )


def _name(resource: str) -> str:
    return {"cpu": "CPU", SLOTS: "number of pods"}.get(resource, resource)


def _amount(resource: str, value: int) -> str:
    return cores(value) if resource == "cpu" else show(resource, value)
