"""Pods wait for a node that does not come.

## What it looks at
Pods whose condition PodScheduled is False with reason Unschedulable for longer than `forSeconds`,
and why each node refuses them. Pods with scheduling gates are not waiting for room.

## Why it matters
What was declared does not run: a rollout stands still, or a workload is short of replicas.

## What to do
Look at the causes that hang above this finding, if there are any: they say what to mend. Else make
room on a node that is named, or relax what refuses the pod.

## When it stays silent
While the scheduler has not refused the pod, and while it is gated or being deleted. It is low for
`provisionSeconds` where Karpenter or cluster-autoscaler is at work and a node like one that is
here would do, or where a node is nominated that others have to leave; and for as long as pods of
negative priority wait: they hold a place for others. Filters that are not modelled are named
instead of guessed.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.moments import rfc3339
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
from clusteraudit.simulate.autoscaling import PROVISION_SECONDS, prospect
from clusteraudit.simulate.fit import refusals
from clusteraudit.simulate.schedule import READS


class PodPendingSettings(Settings):
    for_seconds: int = Field(
        300, ge=0, le=86_400, description="How long a pod may wait, in seconds."
    )
    provision_seconds: int = Field(
        PROVISION_SECONDS,
        ge=0,
        le=86_400,
        description="How long a node may be on its way where something makes nodes, in seconds.",
    )


@rule(
    code="CMP102",
    title="A pod waits for a node",
    subject="Workload",
    layer=Layer.SCHEDULING,
    failure=Failure.SCHEDULING,
    severity=Severity.HIGH,
    reads=("Pod",),
    uses=(
        "Node",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        *(kind for kind in READS if kind not in {"Pod", "Node"}),
    ),
    leads_to=("service-without-endpoints",),
    message="{subject}: {waiting} no node ({names}): {why}.",
    remedy="Make room on a node that could take it, or relax what refuses it; "
    "`kubectl describe pod -n {namespace} {first}` shows what the scheduler says.",
    since="0.1",
    settings=PodPendingSettings,
    examples=(
        broken(
            "three pods ask for more than any node has",
            build.node("node-a", "4"),
            build.deployment("search", replicas=3, cpu="6"),
            build.pods_of("search", 3, unschedulable=600, cpu="6"),
            mend=[build.node("node-a", "32"), *build.pods_of("search", 3, on="node-a", cpu="6")],
        ),
        sound(
            "the pod has waited for one minute",
            build.node("node-a", "4"),
            build.deployment("search", cpu="6"),
            build.pods_of("search", unschedulable=60, cpu="6"),
        ),
    ),
)
def pod_pending(workload: Ref, cluster: Cluster, settings: PodPendingSettings) -> Iterator[Answer]:
    waiting = [
        pod
        for pod in cluster.workload_pods(workload).waiting
        if pod.unschedulable_since is not None
        and cluster.older(pod.unschedulable_since, settings.for_seconds)
    ]
    if not waiting:
        return
    first, since = waiting[0], min(pod.unschedulable_since or 0 for pod in waiting)
    names = tuple(pod.name for pod in waiting)
    excuse = _excuse(cluster, waiting, since, settings)
    yield found(
        workload,
        severity=Severity.LOW if excuse else None,
        pods=len(names),
        names=names[:5],
        since=rfc3339(since),
        words={
            "waiting": count(len(names), "pod finds", "pods find"),
            "names": some(names),
            "why": _why(cluster, first) + excuse,
            "namespace": first.namespace,
            "first": first.name,
        },
    )


def _excuse(
    cluster: Cluster, waiting: list[PodRow], since: int, settings: PodPendingSettings
) -> str:
    """Why it is as it should be; empty where it is not."""
    if all(pod.template.priority < 0 for pod in waiting):
        return "; of negative priority, it holds a place for others"
    hope = _hope(cluster, waiting)
    return hope if hope and not cluster.older(since, settings.provision_seconds) else ""


def _hope(cluster: Cluster, waiting: list[PodRow]) -> str:
    if all(pod.nominated for pod in waiting):
        return f"; pods have to leave {waiting[0].nominated}, which is nominated"
    coming = prospect(cluster, waiting[0])
    if coming is None or not (coming.certain and coming.known_size):
        return ""
    return f"; {coming.maker} may be making a node for it"


def _why(cluster: Cluster, pod: PodRow) -> str:
    if not cluster.complete("Node"):
        return "why cannot be told, for not all nodes are known"
    parts = [f"{reason} on {count(n, 'node')}" for reason, n in refusals(cluster, pod)]
    told = "; ".join(parts) or "no modelled filter refuses it"
    if pod.template.unmodelled:
        told += f"; {some(pod.template.unmodelled)} may refuse it too and is not evaluated"
    return told
