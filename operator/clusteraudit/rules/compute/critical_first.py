"""Short of memory, a node would evict a pod that matters before pods that do not.

## What it looks at
Nodes with less than `headroomPermille` of their memory left, and whom the kubelet would evict first
there, in its own order: usage over request, then lower priority, then the largest excess. It is
told where the first uses more than it requests, and pods that matter less are certain to stay:
those of lower priority; or, if the first is a StatefulSet's or the only pod of its workload, pods
that have replicas. QoS classes play no part in it.

## Why it matters
Priority is compared only among pods that are over their requests, and a PodDisruptionBudget is not
asked at all. A database that uses more than it requests is evicted to keep a web server of which
there are ten.

## What to do
Raise the memory request of what must stay to what it uses: then it goes last, whatever it is.

## When it stays silent
Where the node has room; where whoever goes first is one of many; and where it cannot be told who
would stay, since their usage is not known and their limits do not keep them within their requests.
Unknown where metrics.k8s.io tells nothing of a node, or nothing recent. Where the kubelet is about
to act, `eviction-risk` hangs below this.
"""

from collections.abc import Iterator

import msgspec
from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.kinds import ref
from clusteraudit.model.rows import NodeRow, PodRow, amount_of
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
from clusteraudit.simulate.evictions import Candidate, Group, Signal
from clusteraudit.simulate.pressure import FRESH, pressure, sample

_STAY = frozenset({Group.WITHIN, Group.IMPOSSIBLE})
_REPLACED = ("ReplicaSet", "Deployment")


class CriticalFirstSettings(Settings):
    headroom_permille: int = Field(
        100, ge=1, le=1000, description="Share of a node's memory below which it is asked of."
    )
    fresh_seconds: int = Field(
        FRESH, ge=30, le=86_400, description="How old a sample of usage may be, in seconds."
    )


class _First(msgspec.Struct, frozen=True):
    """Who goes first on a node, and who stays though it matters less."""

    node: str
    pod: Candidate
    staying: tuple[str, ...]
    because: str


def _capped(memory: str) -> build.Spec:
    amounts = {"cpu": "10m", "memory": memory}
    resources = {"requests": amounts, "limits": amounts}
    return {"containers": [{"name": "main", "image": "app:1", "resources": resources}]}


def _busy(usage: str) -> tuple[build.Manifest, ...]:
    owner = build.owned_by("StatefulSet", "db")
    return (
        build.node("node-a", "4", "8Gi"),
        build.node_usage("node-a", "1", "7800Mi"),
        build.stateful_set("db", memory="1Gi"),
        build.pod("db-0", app="db", owner=owner, on="node-a", memory="1Gi"),
        build.pod_usage("db-0", "1", usage),
        build.deployment("web", replicas=2, spec=_capped("1Gi")),
        *build.pods_of("web", 2, on="node-a", spec=_capped("1Gi")),
    )


@rule(
    code="CMP206",
    title="A pod that matters would be evicted before others",
    subject="Cluster",
    layer=Layer.WORKLOAD,
    failure=Failure.SCHEDULING,
    severity=Severity.HIGH,
    reads=("Node", "NodeMetrics", "PodMetrics", "Pod"),
    complete=("Pod",),
    uses=("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    leads_to=("eviction-risk",),
    message="{subject}: were {node} short of memory, Pod {pod} would go first ({reason}), before "
    "{staying}{more}.",
    remedy="Raise the memory request of {subject} to what it uses ({used}).",
    since="0.1",
    settings=CriticalFirstSettings,
    examples=(
        broken(
            "a database uses five times its request, beside replicas that keep within theirs",
            _busy("5Gi"),
            mend=build.pod_usage("db-0", "1", "900Mi"),
        ),
        sound("it keeps within its request", _busy("1Gi")),
    ),
)
def critical_first(cluster: Cluster, settings: CriticalFirstSettings) -> Iterator[Answer]:
    firsts: dict[Ref, list[_First]] = {}
    for node in cluster.all(NodeRow, "Node"):
        usage, lacks = sample(cluster, "NodeMetrics", "", node.name, settings.fresh_seconds)
        capacity = amount_of(node.capacity, "memory")
        if usage is None:
            yield Unknown(ref("Node", "", node.name), lacks)
        elif 1000 * (capacity - usage.memory) < settings.headroom_permille * capacity:
            first = _first(cluster, node.name, settings.fresh_seconds)
            if first:
                firsts.setdefault(cluster.owner(first.pod.pod), []).append(first)
    for owner, told in sorted(firsts.items()):
        yield _finding(owner, told)


def _first(cluster: Cluster, node: str, fresh: int) -> _First | None:
    """Of pods of known usage the one that goes first, if it matters more than some that stay."""
    ranked = pressure(cluster, node, Signal.MEMORY, fresh).pods
    going = [one for one in ranked if one.rank is not None and not one.pod.terminating]
    first = next((one for one in going if one.usage is not None), None)
    if first is None or first.group is not Group.EXCEEDS:
        return None
    behind = [one.pod for one in going if one.group in _STAY]
    lower = [one for one in behind if one.template.priority < first.pod.template.priority]
    if lower:
        return _First(node, first, _names(lower), "of lower priority")
    many = [one for one in behind if _replicated(cluster, one)] if _alone(cluster, first) else []
    return _First(node, first, _names(many), "with replicas") if many else None


def _alone(cluster: Cluster, first: Candidate) -> bool:
    """Whether it is a StatefulSet's, or all that there is of its workload."""
    owner = cluster.owner(first.pod)
    return owner.kind == "StatefulSet" or _active(cluster, owner) == 1


def _replicated(cluster: Cluster, pod: PodRow) -> bool:
    owner = cluster.owner(pod)
    return owner.kind in _REPLACED and _active(cluster, owner) > 1


def _active(cluster: Cluster, owner: Ref) -> int:
    return sum(map(len, cluster.workload_pods(owner).by_template.values()))


def _names(pods: list[PodRow]) -> tuple[str, ...]:
    return tuple(sorted(f"{one.namespace}/{one.name}" for one in pods))


def _finding(owner: Ref, told: list[_First]) -> Answer:
    worst = max(told, key=lambda one: (one.pod.excess or 0, one.node))
    pod = worst.pod.pod
    others = len(told) - 1
    those = count(len(worst.staying), "pod")
    return found(
        owner,
        refs=[ref("Node", "", one.node) for one in told],
        node=worst.node,
        nodes=len(told),
        pod=f"{pod.namespace}/{pod.name}",
        usedBytes=worst.pod.usage or 0,
        requestedBytes=worst.pod.request or 0,
        staying=worst.staying[:5],
        words={
            "reason": worst.pod.reason,
            "staying": f"{those} {worst.because} ({some(worst.staying)})",
            "more": f"; so on {count(others, 'more node')}" if others else "",
            "used": worst.pod.reason.partition(",")[0].removeprefix("uses "),
        },
    )
