"""Memory limits of a pool's nodes add up to far more than there is.

## What it looks at
For each node the memory limits of its pods, against its allocatable memory: more than
`limitsPermille` of it, twice as much by default. Containers without a limit are counted beside,
since what is unlimited has no sum. Nodes are told of by pool.

## Why it matters
Every container keeps within its bounds, and the node runs out of memory all the same, when a few
of them grow at once: a traffic peak, or a release that leaks. The kubelet then evicts, or the
kernel kills, whoever is over its request.

## What to do
Bring limits and requests closer together: lower limits that are far over the use, raise requests
that are far under it. Where latency matters, set `limitsPermille` to 1500.

## When it stays silent
Below that, and for CPU, of which too little is slow and never fatal. Pods of system-critical
priority are not counted: pressure does not evict them, and their limits are the distribution's.
Unknown for a pool of which a node has not said what it has.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.kinds import ref
from clusteraudit.model.places import pool_ref
from clusteraudit.model.quantity import show
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Settings,
    Severity,
    Unknown,
    broken,
    count,
    found,
    rule,
    sound,
)
from clusteraudit.simulate.overcommit import Promised, promised, unsaid
from clusteraudit.simulate.pools import pools


class MemoryOvercommitSettings(Settings):
    limits_permille: int = Field(
        2000,
        ge=1000,
        le=100_000,
        description="Limits in thousandths of allocatable memory, over which a node is told of.",
    )


def _limited(memory: str) -> build.Spec:
    resources = {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"memory": memory}}
    return {"containers": [{"name": "main", "image": "app:1", "resources": resources}]}


def _pool(limit: str) -> tuple[build.Manifest, ...]:
    labels = {"cloud.google.com/gke-nodepool": "memory-overcommit"}
    return (
        build.node("node-a", memory="8Gi", labels=labels),
        build.deployment("web", replicas=4, spec=_limited(limit)),
        *build.pods_of("web", 4, on="node-a", spec=_limited(limit)),
    )


@rule(
    code="CMP204",
    title="Memory limits add up to far more than there is",
    subject="Cluster",
    layer=Layer.NODE_CAPACITY,
    failure=Failure.SCHEDULING,
    severity=Severity.MEDIUM,
    reads=("Node", "Pod"),
    complete=("Pod",),
    leads_to=("eviction-risk", "node-pressure"),
    message="{subject}: the memory limits on {over} of {nodesInPool} are more than {bound} times "
    "what there is, most on {worst}: {limits} of {allocatable}{unlimited}.",
    remedy="Lower memory limits that are far over the use, and raise requests that are far under "
    "it; `kubectl describe node {worst}` lists both.",
    since="0.1",
    settings=MemoryOvercommitSettings,
    examples=(
        broken("four pods may take 6Gi each on a node of 8Gi", _pool("6Gi"), mend=_pool("2Gi")),
        sound("four pods may take 4Gi each", _pool("4Gi")),
    ),
)
def memory_overcommit(cluster: Cluster, settings: MemoryOvercommitSettings) -> Iterator[Answer]:
    of, silent = promised(cluster, settings.limits_permille), unsaid(cluster)
    for pool, names in pools(cluster):
        if not silent.isdisjoint(names):
            yield Unknown(pool_ref(pool), "NodeAllocatable")
        over = sorted(
            (of[name] for name in names if name in of),
            key=lambda one: (-one.permille, one.node),
        )
        if over:
            yield _finding(pool, over, len(names), settings.limits_permille)


def _finding(pool: str, over: list[Promised], nodes: int, bound: int) -> Answer:
    worst = over[0]
    unlimited = sum(one.unlimited for one in over)
    free = count(unlimited, "container has", "containers have")
    return found(
        pool_ref(pool),
        refs=[ref("Node", "", one.node) for one in over],
        nodesOver=len(over),
        nodesInPool=nodes,
        names=tuple(one.node for one in over[:5]),
        limitsBytes=worst.limits,
        allocatableBytes=worst.allocatable,
        limitsPermille=worst.permille,
        unlimitedContainers=unlimited,
        words={
            "over": count(len(over), "node"),
            "bound": f"{bound / 1000:g}",
            "worst": worst.node,
            "limits": show("memory", worst.limits),
            "allocatable": show("memory", worst.allocatable),
            "unlimited": f"; {free} no limit at all" if unlimited else "",
        },
    )
