"""Room is free, but in pieces too small to be of use.

## What it looks at
For each shape of pod (requests and constraints): the copies that fit on nodes one by one, against
the copies that the same free room would hold in one piece. Critical: pods of the shape wait, none
fits, and the pooled room would hold one. Medium: at least half of the copies are lost
(`lossPermille`), and the idle room is worth the talk (`idlePermille` of all).

## Why it matters
A cluster that is full on paper and idle in fact: dashboards show free CPU, pods stay Pending, and
more nodes are bought for room that is already there.

## What to do
Lower a request that is larger than the need, so that it fits into the holes; or put larger nodes,
or fewer; or let pods move (descheduler, bin packing).

## When it stays silent
Where little is idle, however badly it is cut, and where one more copy fits. What could wait is only
told while nothing does. While a node may be on its way: for `provisionSeconds` where Karpenter or
cluster-autoscaler is at work, for a third of that where the provider may run one; where one is at
work, what could wait is low. As long while a node is nominated, which others have to leave. Pods of
negative priority hold a place for others: that they wait is their purpose. The room of nodes that
are cordoned or NotReady is not free. Filters that are not modelled could refuse more, never less.
"""

from collections.abc import Iterator

from msgspec.structs import replace
from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.quantity import cores, show
from clusteraudit.model.rows import PodRow, UsageRow
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Finding,
    Layer,
    Ref,
    Settings,
    Severity,
    broken,
    count,
    found,
    rule,
    sound,
)
from clusteraudit.simulate.autoscaling import PROVISION_SECONDS, outlook, patience
from clusteraudit.simulate.capacity import whole
from clusteraudit.simulate.filters.kit import Shape, constraints_of, shape_of
from clusteraudit.simulate.hole import Hole, fit, hole
from clusteraudit.simulate.homes import too_large
from clusteraudit.simulate.room import room
from clusteraudit.simulate.workload import owners


class FragmentedCapacitySettings(Settings):
    for_seconds: int = Field(
        60, ge=0, le=86_400, description="How long a pod may wait, in seconds."
    )
    provision_seconds: int = Field(
        PROVISION_SECONDS,
        ge=0,
        le=86_400,
        description="How long it may wait where something makes nodes, in seconds.",
    )
    loss_permille: int = Field(
        500, ge=1, le=1000, description="Share of copies lost, from which it is said of a shape."
    )
    idle_permille: int = Field(
        100, ge=0, le=1000, description="Idle share of allocatable below which nothing is said."
    )


def _nodes(count: int, cpu: str) -> list[build.Manifest]:
    return [build.node(f"node-{number}", cpu) for number in range(count)]


_BUSY = [
    one
    for number in range(4)
    for one in build.pods_of(f"web-{number}", on=f"node-{number}", cpu="5")
]


@rule(
    code="CMP101",
    title="Free room is in pieces too small to use",
    subject="Cluster",
    layer=Layer.SCHEDULING,
    failure=Failure.SCHEDULING,
    severity=Severity.CRITICAL,
    reads=("Node", "Pod"),
    complete=("Node", "Pod"),
    uses=(
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "PodMetrics",
        "DeviceClass",
    ),
    leads_to=("pod-pending",),
    message="{subject}: {whom} cannot be placed although {pooled} are free: {biggest}.",
    remedy="Lower the request to {largest} or less{used}, or add a node with {request} or more.",
    since="0.1",
    settings=FragmentedCapacitySettings,
    examples=(
        broken(
            "12 CPU are free on four nodes, and a pod of 6 waits",
            _nodes(4, "8"),
            _BUSY,
            build.deployment("search", cpu="6"),
            build.pods_of("search", unschedulable=600, cpu="6"),
            mend=build.node("node-0", "32"),
        ),
        broken(
            "nothing waits yet, but one more pod of 4 CPU would, with 12 CPU free",
            _nodes(4, "8"),
            _BUSY,
            build.node("node-4", "4"),
            build.deployment("batch", cpu="4"),
            build.pods_of("batch", on="node-4", cpu="4"),
            mend=build.node("node-0", "32"),
        ),
        sound(
            "the pod waits because there is no room at all",
            _nodes(4, "5"),
            _BUSY,
            build.deployment("search", cpu="6"),
            build.pods_of("search", unschedulable=600, cpu="6"),
        ),
    ),
)
def fragmented_capacity(cluster: Cluster, settings: FragmentedCapacitySettings) -> Iterator[Answer]:
    waiting = _waiting(cluster, settings)
    told: set[Ref] = set()
    for (owner, shape), pods in sorted(waiting.items(), key=lambda one: (one[0][0], -len(one[1]))):
        if too_large(cluster, shape):
            continue
        copies, lack = fit(cluster, shape), hole(cluster, shape)
        if lack and copies.fits == 0 and copies.ideal >= 1 and owner not in told:
            told.add(owner)
            yield _finding(cluster, owner, lack, pods)
    if not told:
        yield from _predicted(cluster, settings, {shape for _, shape in waiting})


def _waiting(
    cluster: Cluster, settings: FragmentedCapacitySettings
) -> dict[tuple[Ref, Shape], list[PodRow]]:
    waiting: dict[tuple[Ref, Shape], list[PodRow]] = {}
    alike: dict[tuple[object, ...], tuple[Ref, Shape] | None] = {}
    for pod in cluster.bucket(PodRow, "unplaced", at=True):
        since, owned = pod.unschedulable_since, pod.template.owner is not None
        if since is None or pod.template.priority < 0:
            continue
        kind = (id(pod.template if owned else pod), since, pod.nominated, pod.claims)
        if kind not in alike:
            late = cluster.older(since, _patience(cluster, pod, settings))
            alike[kind] = (cluster.owner(pod), shape_of(pod.template)) if late else None
        key = alike[kind]
        if key:
            waiting.setdefault(key, []).append(pod)
    return waiting


def _patience(cluster: Cluster, pod: PodRow, settings: FragmentedCapacitySettings) -> int:
    """For how many seconds a node may be on its way, or other pods may leave one."""
    coming = outlook(cluster, pod.template.requests, constraints_of(pod.template))
    return patience(coming, pod.nominated, settings.for_seconds, settings.provision_seconds)


def _predicted(
    cluster: Cluster, settings: FragmentedCapacitySettings, waiting: set[Shape]
) -> Iterator[Finding]:
    figures = whole(cluster)
    if figures is None:
        return
    for one, copies in zip(figures.workload, figures.cluster.shapes, strict=True):
        lost = copies.loss is not None and copies.loss * 1000 >= settings.loss_permille
        if one.shape in waiting or not lost or copies.ideal <= 1 or copies.fits:
            continue
        lack = hole(cluster, one.shape)
        if lack and _worth(cluster, lack, settings.idle_permille):
            named = owners(cluster, one.shape)
            owner = _top(cluster, min(named, key=lambda ref: (-named[ref], ref)))
            if not _gives_way(cluster, owner):
                yield _gated(cluster, one.shape, _finding(cluster, owner, lack, []))


def _gives_way(cluster: Cluster, owner: Ref) -> bool:
    """Whether its pods hold a place for others."""
    pods = cluster.pods_of(owner)
    return bool(pods) and all(pod.template.priority < 0 for pod in pods)


def _gated(cluster: Cluster, shape: Shape, finding: Finding) -> Finding:
    """What could wait would wait for a short time only, where a node would come."""
    coming = outlook(cluster, shape.requests, shape.constraints)
    return replace(finding, severity=Severity.LOW) if coming and coming.certain else finding


def _worth(cluster: Cluster, lack: Hole, permille: int) -> bool:
    known = room(cluster)
    total = int(known.allocatable[:, known.column[lack.resource]].sum())
    return lack.pooled * 1000 >= total * permille


def _top(cluster: Cluster, controller: Ref) -> Ref:
    pods = cluster.pods_of(controller)
    return cluster.owner(pods[0]) if pods else controller


def _finding(cluster: Cluster, owner: Ref, lack: Hole, pods: list[PodRow]) -> Finding:
    figures = whole(cluster)
    measure = figures.cluster.of(lack.resource) if figures else None
    request = _amount(lack.resource, lack.requested)
    whom = f"{count(len(pods), 'pod')} of {request}" if pods else f"one more pod of {request}"
    return found(
        owner,
        severity=Severity.CRITICAL if pods else Severity.MEDIUM,
        pods=len(pods),
        names=tuple(pod.name for pod in pods[:5]),
        resource=lack.resource,
        requested=lack.requested,
        largestFree=lack.largest,
        node=lack.node,
        pooledFree=lack.pooled,
        fragmentedPermille=int(1000 * (measure.fragmented or 0)) if measure else 0,
        stranded=measure.stranded or 0 if measure else 0,
        words={
            "whom": whom,
            "request": request,
            "pooled": _amount(lack.resource, lack.pooled),
            "biggest": _biggest(lack),
            "largest": _amount(lack.resource, lack.largest),
            "used": _used(cluster, pods, owner, lack.resource),
        },
    )


def _biggest(lack: Hole) -> str:
    if lack.largest >= lack.requested:
        return f"no node has that and the rest of its requests, {lack.node} has the most"
    return f"the largest hole is {_amount(lack.resource, lack.largest)} on {lack.node}"


def _used(cluster: Cluster, pods: list[PodRow], owner: Ref, resource: str) -> str:
    """What the workload's running pods use at most, from one sample."""
    running = [pod for pod in cluster.pods_of(owner) if pod.node] if pods else []
    samples = [cluster.find(UsageRow, "PodMetrics", pod.namespace, pod.name) for pod in running]
    used = [one.cpu if resource == "cpu" else one.memory for one in samples if one]
    known = used and resource in {"cpu", "memory"}
    return f" (its running pods use {_amount(resource, max(used))} now)" if known else ""


def _amount(resource: str, value: int) -> str:
    if resource == "cpu":
        return f"{cores(value)} CPU"
    return f"{show(resource, value)} {resource}"
