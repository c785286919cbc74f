"""A node under pressure: how near it is, and whom it would evict."""

import msgspec

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import NodeRow, PodRow, UsageRow, amount_of
from clusteraudit.simulate.evictions import Candidate, Group, Signal, order

_MI = 2**20
HARD_THRESHOLD = 100 * _MI
"""memory.available of the kubelet's default evictionHard on Linux, in bytes."""
WINDOWS_THRESHOLD = 500 * _MI
"""The same on Windows (`defaults_windows.go`)."""
FRESH = 300
"""How old a sample of usage may be, in seconds: five of its usual periods."""

_NODEFS_PERCENT = 10
_UNMEASURED = {
    Signal.NODEFS: "DiskUsage",
    Signal.IMAGEFS: "DiskUsage",
    Signal.INODES: "InodeUsage",
    Signal.PID: "ProcessCount",
}
"""What metrics.k8s.io does not tell: only the kubelet knows it."""


class Pressure(msgspec.Struct, frozen=True, gc=False):
    """One node, one signal."""

    node: str
    signal: Signal
    measured: bool
    """Whether the order rests on usage, and not on what pods request and may use."""
    headroom: int | None
    """What is left above the kubelet's threshold; negative below it, None where not known."""
    threshold: int | None
    pods: tuple[Candidate, ...]
    missing: tuple[str, ...]
    """Evidence that is missing, in CamelCase."""
    assumptions: tuple[str, ...]
    """What the answer takes for granted, in CamelCase."""


def sample(
    cluster: Cluster, kind: str, namespace: str, name: str, fresh: int = FRESH
) -> tuple[UsageRow | None, str]:
    """A fresh sample of usage; else None, and what is missing. One without a time is taken."""
    row = cluster.find(UsageRow, kind, namespace, name)
    if row is None:
        return None, kind
    if row.at and cluster.older(row.at, fresh):
        return None, f"Fresh{kind}"
    return row, ""


def pressure(cluster: Cluster, name: str, signal: Signal, fresh: int = FRESH) -> Pressure:
    """What would happen on a node that runs short of `signal`.

    Pods that are terminating count: the kubelet ranks whatever has not ended.
    """
    node = cluster.find(NodeRow, "Node", "", name)
    missing = dict.fromkeys(_lacking(cluster, node, signal))
    used: list[tuple[PodRow, int | None]] = []
    for pod in cluster.bucket(PodRow, "pods_on", name):
        usage, lacks = _usage(cluster, pod, signal, fresh)
        used.append((pod, usage))
        missing |= dict.fromkeys(lacks)
    ranked = order(signal, used)
    threshold = _threshold(node, signal)
    headroom, lacks = _headroom(cluster, node, threshold, signal, fresh)
    missing |= dict.fromkeys(lacks)
    if "Pod" in missing or "Kubelet" in missing:
        ranked = [msgspec.structs.replace(one, rank=None) for one in ranked]
    return Pressure(
        node=name,
        signal=signal,
        measured=signal is Signal.MEMORY and all(_known(one) for one in ranked),
        headroom=headroom,
        threshold=threshold,
        pods=tuple(ranked),
        missing=tuple(sorted(missing)),
        assumptions=tuple(_assumptions(node, signal)),
    )


def _known(one: Candidate) -> bool:
    return one.usage is not None or one.group is Group.CRITICAL


def _lacking(cluster: Cluster, node: NodeRow | None, signal: Signal) -> list[str]:
    found = [] if node else ["Node"]
    if not cluster.complete("Pod"):
        found.append("Pod")
    if node and node.labels.get("type") == "virtual-kubelet":
        found.append("Kubelet")  # there is none that evicts
    return [*found, *([_UNMEASURED[signal]] if signal in _UNMEASURED else [])]


def _usage(
    cluster: Cluster, pod: PodRow, signal: Signal, fresh: int
) -> tuple[int | None, tuple[str, ...]]:
    if signal is not Signal.MEMORY:
        return None, ()
    row, lacks = sample(cluster, "PodMetrics", pod.namespace, pod.name, fresh)
    return (row.memory if row else None), ((lacks,) if lacks else ())


def _headroom(
    cluster: Cluster, node: NodeRow | None, threshold: int | None, signal: Signal, fresh: int
) -> tuple[int | None, tuple[str, ...]]:
    if node is None or signal is not Signal.MEMORY:
        return None, ()
    row, lacks = sample(cluster, "NodeMetrics", "", node.name, fresh)
    capacity = amount_of(node.capacity, "memory")
    if row is None or threshold is None or not capacity:
        return None, (lacks or "NodeCapacity",)
    return capacity - row.memory - threshold, ()


def _threshold(node: NodeRow | None, signal: Signal) -> int | None:
    """The kubelet's default, where it can be told: its real one is not in the API."""
    if node is None:
        return None
    if signal is Signal.MEMORY:
        return WINDOWS_THRESHOLD if _windows(node) else HARD_THRESHOLD
    if signal is Signal.NODEFS:
        return amount_of(node.capacity, "ephemeral-storage") * _NODEFS_PERCENT // 100 or None
    return None


def _assumptions(node: NodeRow | None, signal: Signal) -> list[str]:
    if signal is Signal.PID:
        return ["ThresholdConfigured"]  # there is none by default
    if signal is Signal.INODES and node and _windows(node):
        return ["SignalNotOnWindows"]
    return ["DefaultThreshold"]


def _windows(node: NodeRow) -> bool:
    return node.labels.get("kubernetes.io/os") == "windows"
