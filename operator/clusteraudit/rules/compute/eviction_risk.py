"""A node is close to evicting pods for memory.

## What it looks at
The node's capacity less its working set, against the kubelet's hard threshold: less than
`headroomFactor` times the threshold is left. Who goes first is the kubelet's own order: usage over
request, then lower priority, then the largest excess. QoS classes play no part in it.

## Why it matters
The kubelet evicts without asking a PodDisruptionBudget, with one second of grace. A database that
uses more than it requests goes before a batch job that does not.

## What to do
Raise the memory request of the pod that must stay to what it uses, or its priority; or move load
off the node.

## When it stays silent
Where more room is left. Unknown where metrics.k8s.io tells nothing of the node, or nothing recent,
and of a node that has not said what it has. The threshold is the kubelet's default unless set here:
the API does not show the real one.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.quantity import show
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
    sound,
)
from clusteraudit.simulate.evictions import Candidate, Signal
from clusteraudit.simulate.pressure import FRESH, HARD_THRESHOLD, pressure, sample

_MI = 2**20


class EvictionRiskSettings(Settings):
    threshold_bytes: int = Field(
        HARD_THRESHOLD, ge=0, le=2**40, description="The kubelet's hard memory.available, in bytes."
    )
    headroom_factor: int = Field(
        2, ge=1, le=100, description="How many thresholds must be left before anything is said."
    )
    fresh_seconds: int = Field(
        FRESH, ge=30, le=86_400, description="How old a sample of usage may be, in seconds."
    )


def _busy(usage: str) -> tuple[build.Manifest, ...]:
    return (
        build.node("node-a", "4", "8Gi"),
        build.node_usage("node-a", "1", usage),
        build.stateful_set("db", memory="1Gi"),
        build.pod(
            "db-0", app="db", owner=build.owned_by("StatefulSet", "db"), on="node-a", memory="1Gi"
        ),
        build.pod_usage("db-0", "1", "5Gi"),
        *build.pods_of("batch", on="node-a", memory="3Gi"),
        build.pod_usage("batch-1-0", "1", "2Gi"),
    )


@rule(
    code="CMP201",
    title="A node is about to evict pods for memory",
    subject="Node",
    layer=Layer.NODE_CAPACITY,
    failure=Failure.SCHEDULING,
    severity=Severity.HIGH,
    reads=("Node", "NodeMetrics", "Pod"),
    complete=("Pod",),
    uses=("PodMetrics", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    message="{subject}: {headroom} left above the kubelet's eviction threshold of {threshold} "
    "(assumed): {first}.",
    remedy="Raise the memory request of what must stay to what it uses, or its priority; "
    "or move load off {node}.",
    since="0.1",
    settings=EvictionRiskSettings,
    examples=(
        broken(
            "a database uses five times its request on a node with 100Mi to spare",
            _busy("8092Mi"),
            mend=build.node_usage("node-a", "1", "4Gi"),
        ),
        sound("a gibibyte is left", _busy("7Gi")),
    ),
)
def eviction_risk(node: Ref, cluster: Cluster, settings: EvictionRiskSettings) -> Iterator[Answer]:
    row, fresh = cluster.get(NodeRow, node), settings.fresh_seconds
    if row is None:
        return
    if not amount_of(row.capacity, "memory"):
        yield Unknown(node, "NodeCapacity")
        return
    usage, lacks = sample(cluster, "NodeMetrics", "", node.name, fresh)
    if usage is None:
        yield Unknown(node, lacks)
        return
    threshold = settings.threshold_bytes
    available = amount_of(row.capacity, "memory") - usage.memory
    if available >= settings.headroom_factor * threshold:
        return
    first, silent = _first(cluster, node.name, fresh)
    yield found(
        node,
        refs=[cluster.owner(one.pod) for one in first],
        headroomBytes=(available - threshold) // _MI * _MI,
        thresholdBytes=threshold,
        first=tuple(f"{one.pod.namespace}/{one.pod.name}" for one in first[:5]),
        podsWithoutUsage=silent,
        words={
            "headroom": _left((available - threshold) // _MI * _MI),
            "threshold": show("memory", threshold),
            "first": _told(cluster, first, silent),
            "node": node.name,
        },
    )


def _left(headroom: int) -> str:
    return f"{show('memory', headroom)} of memory are" if headroom > 0 else "no memory is"


def _first(cluster: Cluster, node: str, fresh: int) -> tuple[list[Candidate], int]:
    """Of the pods that stay and whose usage is known, those that go first; how many are not."""
    pods = pressure(cluster, node, Signal.MEMORY, fresh).pods
    staying = [one for one in pods if one.rank is not None and not one.pod.terminating]
    known = [one for one in staying if one.usage is not None]
    return [one for one in known if one.rank == known[0].rank], len(staying) - len(known)


def _told(cluster: Cluster, first: list[Candidate], silent: int) -> str:
    unknown = f"there is no usage of {count(silent, 'pod')}"
    if not first:
        return f"who goes first cannot be told, {unknown}" if silent else "it holds none to evict"
    one = first[0]
    pod = f"Pod {one.pod.namespace}/{one.pod.name} ({one.reason}){_alone(cluster, one.pod)}"
    return f"{unknown}, of the others first goes {pod}" if silent else f"first goes {pod}"


def _alone(cluster: Cluster, pod: PodRow) -> str:
    owner = cluster.owner(pod)
    others = [one for one in cluster.pods_of(owner) if one.active and one.key != pod.key]
    if others:
        return f" of {owner}" if owner.kind != "Pod" else ""
    return f", the only pod of {owner}" if owner.kind != "Pod" else ", which nothing makes anew"
