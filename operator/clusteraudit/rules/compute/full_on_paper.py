"""Nodes are full by what is requested, and idle by what is used.

## What it looks at
For each node the cpu and the memory that its pods request, and the newest sample of what it uses:
at least `requestedPermille` of allocatable requested, and at most `usedPermille` used. Nodes are
told of by pool; high if pods wait that could run there, else medium.

## Why it matters
The scheduler goes by requests: nothing more is placed there, pods wait, and nodes are bought while
those that are there do nothing.

## What to do
Lower the requests of the workloads that keep most to what they need, as their use over days shows.

## When it stays silent
Where less is requested or more is used. Unknown where metrics.k8s.io tells nothing of a node that
is full, or nothing recent, and for a pool of which a node has not said what it has. One sample is
no peak: look at a longer time before you lower anything.
"""

from collections.abc import Iterator

import msgspec
from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.kinds import ref
from clusteraudit.model.places import pool_ref
from clusteraudit.model.quantity import cores, show
from clusteraudit.model.rows import PodRow, UsageRow, amount_of
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    Unknown,
    broken,
    count,
    found,
    rule,
    some,
    sound,
)
from clusteraudit.simulate.filters.kit import constraints_of
from clusteraudit.simulate.fit import eligible, unschedulable
from clusteraudit.simulate.pools import pools
from clusteraudit.simulate.room import room, sites

_RESOURCES = ("cpu", "memory")


class FullOnPaperSettings(Settings):
    requested_permille: int = Field(
        950, ge=500, le=1000, description="Requested share of allocatable that is full."
    )
    used_permille: int = Field(
        250, ge=1, le=1000, description="Used share of allocatable up to which a node is idle."
    )
    fresh_seconds: int = Field(
        300, ge=30, le=86_400, description="How old a sample of usage may be, in seconds."
    )


class _Load(msgspec.Struct, frozen=True):
    """A node that is full by its requests, and what it uses; None where nobody tells."""

    node: str
    resource: str
    requested: int
    allocatable: int
    used: int | None = None

    def idles(self, permille: int) -> bool:
        """Whether it uses no more than so much of what there is."""
        return self.used is not None and 1000 * self.used <= permille * self.allocatable


def _pool(cpu: str, *more: build.Manifest) -> tuple[build.Manifest, ...]:
    labels = {"cloud.google.com/gke-nodepool": "full-on-paper"}
    owner = build.owned_by("StatefulSet", "api")
    return (
        *(build.node(f"node-{one}", "8", labels=labels) for one in "ab"),
        *(build.node_usage(f"node-{one}", "900m", "1Gi") for one in "ab"),
        build.stateful_set("api", replicas=2, cpu=cpu),
        build.pod("api-0", app="api", owner=owner, on="node-a", cpu=cpu),
        build.pod("api-1", app="api", owner=owner, on="node-b", cpu=cpu),
        *more,
    )


_WAITS = (build.deployment("search", cpu="2"), *build.pods_of("search", unschedulable=600, cpu="2"))


@rule(
    code="CMP103",
    title="Nodes are full on paper and idle in fact",
    subject="Cluster",
    layer=Layer.WORKLOAD,
    failure=Failure.SCHEDULING,
    severity=Severity.HIGH,
    reads=("Node", "Pod", "NodeMetrics"),
    complete=("Pod",),
    uses=("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    leads_to=("fragmented-capacity", "stranded-by-shape", "pod-pending"),
    message="{subject}: {nodes} of {nodesInPool} {are} full of requests for {resource} and idle at "
    "the last sample: {worst} has {requestedText} of {allocatableText} requested and uses "
    "{usedText}{waiting}.",
    remedy="Lower the requests of {keepers} to what days of use show that they need.",
    since="0.1",
    settings=FullOnPaperSettings,
    examples=(
        broken(
            "7.8 of 8 CPU are requested on both nodes, 0.9 are used",
            _pool("7800m"),
            mend=_pool("2"),
        ),
        broken("and a pod of 2 CPU waits", _pool("7800m", *_WAITS), mend=_pool("2")),
        sound("half of it is requested", _pool("4")),
    ),
)
def full_on_paper(cluster: Cluster, settings: FullOnPaperSettings) -> Iterator[Answer]:
    unsaid = {site.name for site in sites(cluster) if not site.allocatable}
    samples = {usage.name: usage for usage in cluster.all(UsageRow, "NodeMetrics")}
    loads = _loads(cluster, settings.requested_permille)
    for pool, names in pools(cluster):
        if not unsaid.isdisjoint(names):
            yield Unknown(pool_ref(pool), "NodeAllocatable")
        full = [
            one
            for name in names
            if name in loads
            for one in _used(cluster, loads[name], samples.get(name), settings.fresh_seconds)
        ]
        for resource in _RESOURCES:
            here = [one for one in full if one.resource == resource]
            idle = [one for one in here if one.idles(settings.used_permille)]
            if idle:
                yield _finding(cluster, pool, len(names), idle)
            elif any(one.used is None for one in here):
                yield Unknown(pool_ref(pool), "FreshNodeMetrics")


def _loads(cluster: Cluster, permille: int) -> dict[str, list[_Load]]:
    """By node, the resources of which next to nothing is left that is not requested."""
    held, found = room(cluster), dict[str, list[_Load]]()
    for resource in _RESOURCES:
        for node, requested, whole in held.full(resource, permille):
            found.setdefault(node, []).append(_Load(node, resource, requested, whole))
    return found


def _used(
    cluster: Cluster, loads: list[_Load], sample: UsageRow | None, fresh: int
) -> Iterator[_Load]:
    """With what the node uses, where its sample tells."""
    for one in loads:
        if sample is None or cluster.older(sample.at, fresh):
            yield one
        else:
            used = sample.cpu if one.resource == "cpu" else sample.memory
            yield msgspec.structs.replace(one, used=used)


def _finding(cluster: Cluster, pool: str, among: int, idle: list[_Load]) -> Answer:
    resource = idle[0].resource
    worst = min(idle, key=lambda one: (one.allocatable - one.requested, one.node))
    nodes = sorted(one.node for one in idle)
    waiting = _waiting(cluster, frozenset(nodes), resource)
    pods = sum(waiting.values())
    keepers = _keepers(cluster, worst.node, resource)
    return found(
        pool_ref(pool),
        key=resource,
        severity=Severity.HIGH if pods else Severity.MEDIUM,
        refs=[*sorted(waiting)[:5], *(ref("Node", "", name) for name in nodes)],
        nodesFull=len(nodes),
        nodesInPool=among,
        names=tuple(nodes[:5]),
        resource=resource,
        requested=worst.requested,
        allocatable=worst.allocatable,
        used=worst.used or 0,
        waitingPods=pods,
        words={
            "nodes": count(len(nodes), "node"),
            "are": "is" if len(nodes) == 1 else "are",
            "resource": "CPU" if resource == "cpu" else resource,
            "worst": worst.node,
            "requestedText": _amount(resource, worst.requested),
            "allocatableText": _amount(resource, worst.allocatable),
            "usedText": _amount(resource, worst.used or 0),
            "waiting": f", while {count(pods, 'pod waits', 'pods wait')}" if pods else "",
            "keepers": some([str(one) for one in keepers]),
        },
    )


def _waiting(cluster: Cluster, nodes: frozenset[str], resource: str) -> dict[Ref, int]:
    """Pods that wait and could run on one of the nodes, by owner."""
    waiting: dict[Ref, int] = {}
    for owner, template, number in unschedulable(cluster):
        wants = amount_of(template.requests, resource)
        if wants and nodes & eligible(cluster, constraints_of(template)):
            waiting[owner] = waiting.get(owner, 0) + number
    return waiting


def _keepers(cluster: Cluster, node: str, resource: str) -> list[Ref]:
    """The three workloads that request most on a node."""
    kept: dict[Ref, int] = {}
    for pod in cluster.bucket(PodRow, "pods_on", node):
        owner = cluster.owner(pod)
        kept[owner] = kept.get(owner, 0) + amount_of(pod.template.requests, resource)
    return sorted(kept, key=lambda one: (-kept[one], one))[:3]


def _amount(resource: str, value: int) -> str:
    return cores(value) if resource == "cpu" else show(resource, value)
