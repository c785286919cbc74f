"""Usage against requests: F9, what is reserved and idle. It is no fragmentation: it can be lowered.

One sample, of whenever metrics.k8s.io took it: never a base for sizing. A pod without a sample
says nothing, and is counted.
"""

from collections.abc import Mapping, Sequence

import msgspec

from clusteraudit.model.rows import Key, PodRow, UsageRow, amount_of


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


def idle(pods: Sequence[PodRow], samples: Mapping[Key, UsageRow]) -> Idle:
    """`sum of max(0, request - usage)` over those of the pods that have a sample."""
    if not samples:
        return Idle(unsampled=len(pods))
    cpu = memory = sampled = unsampled = 0
    for pod in pods:
        sample = samples.get(pod.key)
        if sample is None:
            unsampled += 1
            continue
        sampled += 1
        cpu += max(0, amount_of(pod.template.requests, "cpu") - sample.cpu)
        memory += max(0, amount_of(pod.template.requests, "memory") - sample.memory)
    return Idle(cpu, memory, sampled, unsampled)
