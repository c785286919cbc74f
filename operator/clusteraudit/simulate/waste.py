"""Usage against requests: F9, what is reserved and idle. It is no fragmentation: it can be lowered.

One sample, of whenever metrics.k8s.io took it: never a base for sizing. A pod without a sample
says nothing, and is counted.
"""

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import PodRow, UsageRow, amount_of


class Idle(msgspec.Struct, frozen=True, gc=False):
    """Of the pods on a node, or on several."""

    cpu: int = 0
    memory: int = 0
    sampled: int = 0
    unsampled: int = 0

    def __add__(self, other: "Idle") -> "Idle":
        """Both together."""
        return Idle(
            self.cpu + other.cpu,
            self.memory + other.memory,
            self.sampled + other.sampled,
            self.unsampled + other.unsampled,
        )


@derived
def idle(cluster: Cluster, name: str) -> Idle:
    """`sum of max(0, request - usage)` over the pods on a node that have a sample."""
    cpu = memory = sampled = unsampled = 0
    for pod in cluster.bucket(PodRow, "pods_on", name):
        sample = cluster.find(UsageRow, "PodMetrics", pod.namespace, pod.name)
        if sample is None:
            unsampled += 1
            continue
        sampled += 1
        cpu += max(0, amount_of(pod.template.requests, "cpu") - sample.cpu)
        memory += max(0, amount_of(pod.template.requests, "memory") - sample.memory)
    return Idle(cpu, memory, sampled, unsampled)


def usage(cluster: Cluster, name: str) -> UsageRow | None:
    """What a node uses, its system daemons included; None without a sample."""
    return cluster.find(UsageRow, "NodeMetrics", "", name)
