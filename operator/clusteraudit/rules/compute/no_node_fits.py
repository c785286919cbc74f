"""A pod requests more than any node would have for it.

## What it looks at
What pods request, against what each node that their selectors, affinity and tolerations leave would
have for them if it were empty: allocatable, without what static pods and those of DaemonSets hold.
Critical: pods wait. Medium: they run, or are only declared, and could not start again.

## Why it matters
No pod that ends will make room for it, and more nodes of the same size will not either: it waits
for ever. One that still runs, since before a DaemonSet grew or its nodes were replaced, is lost at
its next restart.

## What to do
Lower the request, or add nodes of a larger type. Where a DaemonSet takes the difference, lower its
request.

## When it stays silent
Where one node would hold the pod if it were empty: that room is held by others is a question of
fragmentation or of too little. Nodes count without their cordons and passing taints. While
Karpenter may choose a larger node, for `provisionSeconds`. Pods that no node at all is left for are
another fault (`constraints-leave-no-node`). Resources that drivers hand out (DeviceClass) are not
judged.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.quantity import canonical
from clusteraudit.model.rows import PodRow
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    broken,
    count,
    found,
    rule,
    some,
    sound,
)
from clusteraudit.simulate.autoscaling import PROVISION_SECONDS
from clusteraudit.simulate.filters.kit import Refusal, Shape, shape_of
from clusteraudit.simulate.homes import at_fault, homes, lacks, rooms, too_large
from clusteraudit.simulate.workload import label_of


class NoNodeFitsSettings(Settings):
    for_seconds: int = Field(
        60, ge=0, le=86_400, description="How long a pod may wait, in seconds."
    )
    provision_seconds: int = Field(
        PROVISION_SECONDS,
        ge=0,
        le=86_400,
        description="How long it may wait where something makes nodes, in seconds.",
    )


@rule(
    code="CMP104",
    title="A pod requests more than any node has",
    subject="Workload",
    layer=Layer.WORKLOAD,
    failure=Failure.SCHEDULING,
    severity=Severity.CRITICAL,
    reads=("Pod", "Node"),
    complete=("Node",),
    uses=(
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "DeviceClass",
    ),
    leads_to=("pod-pending",),
    message="{subject}: {who} {request}, more than {nodes} would have empty: {least}.",
    remedy="Lower the request to {largest} of {resource} or less, or add a node that has {wanted} "
    "beside its DaemonSets.",
    since="0.1",
    settings=NoNodeFitsSettings,
    examples=(
        broken(
            "a pod of 6 CPU waits where nodes have 4",
            [build.node("node-a", "4"), build.node("node-b", "4")],
            build.deployment("search", cpu="6"),
            build.pods_of("search", unschedulable=600, cpu="6"),
            mend=build.node("node-b", "8"),
        ),
        sound(
            "a node would have room for it if it were empty",
            [build.node("node-a", "4"), build.node("node-b", "8")],
            build.deployment("web", cpu="5"),
            build.pods_of("web", on="node-b", cpu="5"),
            build.deployment("search", cpu="6"),
            build.pods_of("search", unschedulable=600, cpu="6"),
        ),
    ),
)
def no_node_fits(workload: Ref, cluster: Cluster, settings: NoNodeFitsSettings) -> Iterator[Answer]:
    usual, provision = settings.for_seconds, settings.provision_seconds
    pods = at_fault(cluster, workload, too_large, usual, provision)
    if not pods:
        return
    first, names = pods[0], tuple(pod.name for pod in pods)
    shape = shape_of(first.template)
    left = homes(cluster, shape.constraints)
    node, lack = _nearest(cluster, shape)
    requested, largest = lack.requested or 0, max(lack.free or 0, 0)
    yield found(
        workload,
        severity=Severity.CRITICAL if first.unplaced and not first.synthetic else Severity.MEDIUM,
        pods=len(names),
        names=names[:5],
        resource=lack.resource,
        requested=requested,
        largest=largest,
        node=node,
        eligibleNodes=len(left),
        words={
            "who": _who(first, names),
            "request": label_of(shape.requests),
            "nodes": "the only node that could run it"
            if len(left) == 1
            else f"any of the {len(left)} nodes that could run it",
            "least": f"{node} comes nearest, with {_text(lack.resource, largest)}",
            "largest": canonical(lack.resource, largest),
            "wanted": _text(lack.resource, requested),
        },
    )


def _who(pod: PodRow, names: tuple[str, ...]) -> str:
    listed = f"{count(len(names), 'pod')} ({some(names)})"
    cannot = "could not" if pod.node or pod.synthetic else "cannot"
    who = "it" if len(names) == 1 else "each"
    return f"{listed} {cannot} start{' again' if pod.node else ''}, for {who} requests"


def _text(resource: str, amount: int) -> str:
    return f"{canonical(resource, amount)} of {resource}"


def _nearest(cluster: Cluster, shape: Shape) -> tuple[str, Refusal]:
    """The node that lacks the smallest share of what is requested, and what it lacks most."""

    def share(lack: Refusal) -> float:
        return 1 - (lack.free or 0) / (lack.requested or 1)

    found = rooms(cluster, shape.constraints)
    worst = ((info.name, max(lacks(cluster, shape, info), key=share)) for info in found)
    return min(worst, key=lambda one: (share(one[1]), one[0]))
