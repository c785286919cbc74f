"""A Service has no ready endpoint.

## What it looks at
The EndpointSlices of a Service that has a selector, and the pods that it selects: none has been
ready for longer than `forSeconds`, or none is there.

## Why it matters
Every connection to it is refused or hangs. Callers see timeouts and 503, which look like a fault of
the network.

## What to do
If a cause hangs above this finding, mend that. Else compare the selector with the pods' labels, or
see with `kubectl describe pod` why their readiness probe fails.

## When it stays silent
For Services without a selector, whose endpoints somebody else writes; where everything that it
selects is scaled to zero, which is meant; and before that time.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.rows import EndpointSliceRow, PodRow, ServiceRow
from clusteraudit.model.selection import pods_selected, workloads_selected
from clusteraudit.model.selectors import LabelSelector
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


class ServiceWithoutEndpointsSettings(Settings):
    for_seconds: int = Field(
        300, ge=0, le=86_400, description="How long nothing may be ready, in seconds."
    )


def _shop(seconds: int) -> tuple[build.Manifest, ...]:
    status = build.unready(seconds, build.failing())
    return (
        build.node("node-a"),
        build.deployment("web", replicas=2),
        *build.pods_of("web", 2, on="node-a", status=status),
        build.service("web"),
        build.endpoints("web", ready=0, total=2),
    )


@rule(
    code="NET201",
    title="A Service has no ready endpoint",
    subject="Service",
    layer=Layer.NETWORKING,
    failure=Failure.CONNECTIVITY,
    severity=Severity.HIGH,
    reads=("Service", "EndpointSlice", "Pod", "Deployment", "StatefulSet", "DaemonSet"),
    complete=("EndpointSlice", "Pod", "Deployment", "StatefulSet", "DaemonSet"),
    uses=("ReplicaSet", "Job"),
    message="{subject}: no endpoint is ready: {why}.",
    remedy="{mend}.",
    since="0.1",
    settings=ServiceWithoutEndpointsSettings,
    examples=(
        broken(
            "both pods fail their readiness probe",
            _shop(600),
            mend=[
                build.deployment("web", replicas=2),
                *build.pods_of("web", 2, on="node-a"),
                build.endpoints("web", ready=2, total=2),
            ],
        ),
        broken(
            "its selector has a typo",
            build.node("node-a"),
            build.deployment("web"),
            build.pods_of("web", on="node-a"),
            build.service("web", app="wbe"),
            mend=[build.service("web"), build.endpoints("web")],
        ),
        sound("they have failed it for a minute", _shop(60)),
    ),
)
def service_without_endpoints(
    service: Ref, cluster: Cluster, settings: ServiceWithoutEndpointsSettings
) -> Iterator[Answer]:
    row = cluster.get(ServiceRow, service)
    if row is None or row.selector is None or _serves(cluster, row):
        return
    selected = pods_selected(cluster, row.namespace, row.selector)
    pods = sorted((one for one in selected if not one.terminating), key=lambda pod: pod.key)
    if any(pod.synthetic for pod in pods):
        yield Unknown(service, "Pods")
        return
    asleep = not pods and _asleep(cluster, row.namespace, row.selector)
    if asleep or not _long(cluster, row, pods, settings.for_seconds):
        return
    yield found(
        service,
        refs=sorted({cluster.owner(pod) for pod in pods}),
        selector=str(row.selector),
        pods=len(pods),
        names=tuple(pod.name for pod in pods[:5]),
        words={"why": _why(row, pods), "mend": _mend(row, pods)},
    )


def _serves(cluster: Cluster, row: ServiceRow) -> bool:
    return any(one.ready for one in cluster.bucket(EndpointSliceRow, "slices_of", row.key))


def _asleep(cluster: Cluster, namespace: str, selector: LabelSelector) -> bool:
    """Whether all that it would select is scaled to zero, or wanted on no node."""
    wanted = [one.replicas or 0 for one in workloads_selected(cluster, namespace, selector)]
    return bool(wanted) and not any(wanted)


def _long(cluster: Cluster, row: ServiceRow, pods: list[PodRow], for_seconds: int) -> bool:
    """Whether it is that long since the Service was made, and since the last pod was ready."""
    moments = [row.created, *(pod.unready_since or pod.unschedulable_since for pod in pods)]
    known = [moment for moment in moments if moment is not None]
    return not known or cluster.older(max(known), for_seconds)


def _why(row: ServiceRow, pods: list[PodRow]) -> str:
    if not pods:
        return f"its selector {row.selector} selects no pod"
    ready = sum(pod.ready for pod in pods)
    if ready:
        return f"{count(ready, 'pod')} of it is ready, and no EndpointSlice has it"
    waiting = sum(pod.unplaced for pod in pods)
    told = f", {waiting} of them without a node" if waiting else ""
    names = some([pod.name for pod in pods])
    whose = "its only pod is not" if len(pods) == 1 else f"none of its {len(pods)} pods is"
    return f"{whose} ready ({names}{told})"


def _mend(row: ServiceRow, pods: list[PodRow]) -> str:
    if pods:
        return f"See why with `kubectl describe pod -n {row.namespace} {pods[0].name}`"
    return f"Compare it with `kubectl get pods -n {row.namespace} --show-labels`"
