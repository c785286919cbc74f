"""Selectors, affinity and taints leave a pod no node at all.

## What it looks at
The node selector, the required node affinity and the tolerations of pods, against the labels and
taints of every node, whatever room there is. Critical: pods wait. Medium: they run, or are only
declared, and could not start again; low where somebody makes nodes of whose pools none may be here.

## Why it matters
No room that is made will help, and no node of the pools that are here. Labels and taints are not
asked again of a pod that runs: a pool that was renamed shows at the next restart, often at night.

## What to do
Mend the selector, the affinity or the tolerations of the template; or label the nodes that are
meant, or take their taint away. The message counts what refuses, by node.

## When it stays silent
As long as one node is left, full as it may be. Cordons and taints that a node has for a while
(not ready, unreachable, under pressure, being removed) do not count: that is told of the pod that
waits. For `provisionSeconds`, or a third of that, where somebody makes nodes. What looks at other
pods (affinity between pods, spread) is not judged here, and neither are pods of DaemonSets.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
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
from clusteraudit.simulate.autoscaling import PROVISION_SECONDS, models
from clusteraudit.simulate.filters.kit import shape_of
from clusteraudit.simulate.homes import at_fault, meant, nowhere, turned_away


class ConstraintsLeaveNoNodeSettings(Settings):
    for_seconds: int = Field(
        60, ge=0, le=86_400, description="How long a pod may wait, in seconds."
    )
    provision_seconds: int = Field(
        PROVISION_SECONDS,
        ge=0,
        le=86_400,
        description="How long it may wait where something makes nodes, in seconds.",
    )


_SSD = {"nodeSelector": {"disk": "ssd"}}


@rule(
    code="CMP105",
    title="Constraints leave a pod no node",
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
    ),
    leads_to=("pod-pending",),
    message="{subject}: {who}: its constraints leave none of {nodes}: {why}.",
    remedy="Mend selector, affinity or tolerations of the template, or the labels and taints of "
    "the nodes that are meant.",
    since="0.1",
    settings=ConstraintsLeaveNoNodeSettings,
    examples=(
        broken(
            "the selector asks for a label that no node carries",
            [build.node("node-a"), build.node("node-b")],
            build.deployment("search", spec=_SSD),
            build.pods_of("search", unschedulable=600, spec=_SSD),
            mend=build.node("node-b", labels={"disk": "ssd"}),
        ),
        broken(
            "it runs, and its node has been given another label since",
            build.node("node-a", labels={"disk": "nvme"}),
            build.deployment("search", spec=_SSD),
            build.pods_of("search", on="node-a", spec=_SSD),
            mend=build.node("node-a", labels={"disk": "ssd"}),
        ),
        sound(
            "the node that it asks for is full",
            [build.node("node-a"), build.node("node-b", "1", labels={"disk": "ssd"})],
            build.deployment("search", cpu="2", spec=_SSD),
            build.pods_of("search", unschedulable=600, cpu="2", spec=_SSD),
        ),
    ),
)
def constraints_leave_no_node(
    workload: Ref, cluster: Cluster, settings: ConstraintsLeaveNoNodeSettings
) -> Iterator[Answer]:
    provision = settings.provision_seconds
    usual = max(settings.for_seconds, provision // 3 if _made(cluster) else 0)
    pods = at_fault(cluster, workload, nowhere, usual, provision)
    if not pods:
        return
    first, names = pods[0], tuple(pod.name for pod in pods)
    why = turned_away(cluster, shape_of(first.template).constraints)
    yield found(
        workload,
        severity=_severity(cluster, first),
        pods=len(names),
        names=names[:5],
        nodes=len(meant(cluster)),
        refusals=tuple(f"{reason}: {number}" for reason, number in why[:5]),
        words={
            "who": _who(first, names),
            "nodes": count(len(meant(cluster)), "node"),
            "why": some([f"{reason} on {count(number, 'node')}" for reason, number in why]),
        },
    )


def _made(cluster: Cluster) -> bool:
    """Whether a node may come of a pool of which none is here."""
    return bool(models(cluster))


def _severity(cluster: Cluster, pod: PodRow) -> Severity:
    if pod.unplaced and not pod.synthetic:
        return Severity.CRITICAL
    return Severity.LOW if _made(cluster) else Severity.MEDIUM


def _who(pod: PodRow, names: tuple[str, ...]) -> str:
    listed = f"{count(len(names), 'pod')} ({some(names)})"
    cannot = "could not" if pod.node or pod.synthetic else "cannot"
    return f"{listed} {cannot} start{' again' if pod.node else ''}"
