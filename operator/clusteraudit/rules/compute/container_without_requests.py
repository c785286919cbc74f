"""A container requests no cpu or no memory.

## What it looks at
Containers and sidecars of a workload's pods, as admission left them: a limit is a request too, so
is what the pod requests as a whole, and what a LimitRange gives.

## Why it matters
The scheduler takes it for nothing, and puts it where there is no room. Without a memory request
whatever it uses is over its request: when its node runs short, it is among the first to be evicted.
Without a cpu request it gets what the others leave. No figure of free room is right.

## What to do
Request what it uses; or put a LimitRange into the namespace, which gives every container a default.

## When it stays silent
For init containers, which end before the others start, and in system namespaces.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.rows import LimitRangeRow, PodRow, Unrequested
from clusteraudit.model.workload_pods import WorkloadPods
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    broken,
    found,
    rule,
    some,
    sound,
)

_MEMORY = "so nothing is kept free for it, and it is evicted among the first"
_CPU = "so nothing is kept free for it, and it gets what the others leave"


def _shop(cpu: str = "", memory: str = "") -> tuple[build.Manifest, ...]:
    return (
        build.node("node-a"),
        build.deployment("web", cpu=cpu, memory=memory),
        *build.pods_of("web", on="node-a", cpu=cpu, memory=memory),
    )


@rule(
    code="CMP203",
    title="A container requests no cpu or memory",
    subject="Workload",
    layer=Layer.WORKLOAD,
    failure=Failure.SCHEDULING,
    severity=Severity.HIGH,
    reads=("Pod",),
    uses=("LimitRange", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    message="{subject}: {whose} no {resources}, {so}.",
    remedy="Request what {containers} {use}, or give namespace {namespace} a LimitRange with "
    "default requests.",
    since="0.1",
    hygiene=True,
    examples=(
        broken("neither cpu nor memory", _shop(), mend=_shop(cpu="100m", memory="64Mi")),
        broken("memory is forgotten", _shop(cpu="100m"), mend=_shop(cpu="100m", memory="64Mi")),
        sound("both are requested", _shop(cpu="100m", memory="64Mi")),
    ),
)
def container_without_requests(workload: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    lacks: dict[str, tuple[str, ...]] = {}
    for pod in _of_each_template(cluster.workload_pods(workload)):
        lacks.update((one.container, one.resources) for one in _lacking(cluster, pod))
    if not lacks:
        return
    names = tuple(sorted(lacks))
    resources = tuple(sorted({name for one in lacks.values() for name in one}))
    memory = "memory" in resources
    yield found(
        workload,
        severity=Severity.HIGH if memory else Severity.MEDIUM,
        containers=names[:5],
        resources=resources,
        words={
            "whose": f"container {names[0]} requests"
            if len(names) == 1
            else f"containers {some(names)} request",
            "resources": " or ".join(resources),
            "so": _MEMORY if memory else _CPU,
            "containers": some(names),
            "use": "uses" if len(names) == 1 else "use",
            "namespace": workload.namespace,
        },
    )


def _of_each_template(apart: WorkloadPods) -> list[PodRow]:
    """The last pod of each that lacks something: of containers of one name, the last one counts."""
    pods = (*(alike[-1] for alike in apart.by_template.values()), *apart.terminating)
    lacking = (pod for pod in pods if pod.template.unrequested and not pod.template.static)
    return sorted(lacking, key=lambda pod: pod.key)


def _lacking(cluster: Cluster, pod: PodRow) -> Iterator[Unrequested]:
    """Admission has given a pod that exists its defaults; one that is only wanted gets them yet."""
    given = _defaults(cluster, pod.namespace) if pod.synthetic else frozenset()
    for one in pod.template.unrequested:
        left = tuple(name for name in one.resources if name not in given)
        if left:
            yield Unrequested(one.container, left)


def _defaults(cluster: Cluster, namespace: str) -> frozenset[str]:
    ranges = cluster.bucket(LimitRangeRow, "limits_in", namespace)
    return frozenset(name for one in ranges for name, value in one.default_requests if value)
