"""The kernel kills a container for its memory.

## What it looks at
Containers whose state or last state is Terminated with reason OOMKilled, within the last
`withinSeconds` (a day by default); and whether the container, or its pod, has a memory limit.

## Why it matters
Whatever the container was about is cut off without a warning, and it will be again: with a limit,
as soon as it uses as much; without one, whenever its node has no memory left, and then a neighbour
can be the one who took it.

## What to do
With a limit: raise it to what the container needs, or find what it holds on to. Without: request
what it uses, so that the scheduler keeps the room for it, and limit what it may take.

## When it stays silent
For a kill that is longer ago, and for those that nobody can see any more: a container's status
holds its present state and the one before.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.quantity import show
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
    sound,
)


class ContainerKilledForMemorySettings(Settings):
    within_seconds: int = Field(
        86_400, ge=60, le=31_536_000, description="How long a kill is told of, in seconds."
    )


_LIMITED = {
    "containers": [
        {
            "name": "main",
            "image": "app:1",
            "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        }
    ]
}


def _shop(seconds: int) -> tuple[build.Manifest, ...]:
    told = build.unready(seconds, build.killed(seconds))
    return (
        build.node("node-a"),
        build.deployment("web", spec=_LIMITED),
        *build.pods_of("web", on="node-a", spec=_LIMITED, status=told),
    )


@rule(
    code="CMP202",
    title="A container is killed for memory",
    subject="Workload",
    layer=Layer.WORKLOAD,
    failure=Failure.SCHEDULING,
    severity=Severity.HIGH,
    reads=("Pod",),
    uses=("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    leads_to=("service-without-endpoints",),
    message="{subject}: the kernel killed container {container} of {who} for memory, last at "
    "{killedAt}, {where}.",
    remedy="{mend}.",
    since="0.1",
    settings=ContainerKilledForMemorySettings,
    examples=(
        broken(
            "it reached its limit of 64Mi ten minutes ago",
            _shop(600),
            mend=[
                build.deployment("web", spec=_LIMITED),
                *build.pods_of("web", on="node-a", spec=_LIMITED),
            ],
        ),
        sound("that was two days ago", _shop(2 * 86_400)),
    ),
)
def container_killed_for_memory(
    workload: Ref, cluster: Cluster, settings: ContainerKilledForMemorySettings
) -> Iterator[Answer]:
    kills = [
        (one.killed_at, pod.name, one)
        for pod in cluster.workload_pods(workload).with_troubles
        for one in pod.troubles
        if one.killed_at is not None and not cluster.older(one.killed_at, settings.within_seconds)
    ]
    if not kills:
        return
    last, _, trouble = max(kills, key=lambda kill: (kill[0], kill[1], kill[2].container))
    names = tuple(sorted({name for _, name, one in kills if one.container == trouble.container}))
    limit = show("memory", trouble.memory_limit)
    yield found(
        workload,
        container=trouble.container,
        pods=len(names),
        names=names[:5],
        killedAt=rfc3339(last),
        restarts=trouble.restarts,
        memoryLimitBytes=trouble.memory_limit,
        words={
            "who": count(len(names), "pod"),
            "where": f"at its limit of {limit}"
            if trouble.memory_limit
            else "and it has no limit: its node had no memory left",
            "mend": f"Raise the memory limit of {trouble.container} over {limit}, to what it needs,"
            " or find what it holds on to"
            if trouble.memory_limit
            else f"Request for {trouble.container} what it uses and limit what it may take; then "
            "look at what else fills its node",
        },
    )
