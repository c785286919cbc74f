"""Whom the kubelet evicts first when memory runs short.

Source: kubelet `pkg/kubelet/eviction/helpers.go` (`rankMemoryPressure`): usage over request first,
then lower priority, then larger usage less request. QoS classes play no part.
"""

from collections.abc import Iterable

import msgspec

from clusteraudit.model.rows import PodRow

CRITICAL_PRIORITY = 2_000_000_000
HARD_THRESHOLD = 100 * 2**20
"""memory.available of the kubelet's default evictionHard on Linux, in bytes."""


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A pod in the order of eviction; equal ranks are a tie, None is never evicted."""

    pod: PodRow
    usage: int
    rank: int | None

    @property
    def request(self) -> int:
        """Bytes of memory that its usage is compared with."""
        return self.pod.template.memory_request

    @property
    def excess(self) -> int:
        """Usage less request, in bytes; may be negative."""
        return self.usage - self.request


def critical(pod: PodRow) -> bool:
    """Whether pressure never evicts it: static pods, and system-critical priority."""
    return pod.template.static or pod.template.priority >= CRITICAL_PRIORITY


def memory_order(used: Iterable[tuple[PodRow, int]]) -> list[Candidate]:
    """Pods of one node with their usage in bytes, in the order of eviction; critical ones last."""
    ranked: list[Candidate] = []
    pods = sorted(used, key=lambda one: (critical(one[0]), *_keys(*one), one[0].key))
    for place, (pod, usage) in enumerate(pods, start=1):
        last = ranked[-1] if ranked else None
        tie = last and _keys(last.pod, last.usage) == _keys(pod, usage)
        rank = last.rank if last and tie else place
        ranked.append(Candidate(pod, usage, None if critical(pod) else rank))
    return ranked


def _keys(pod: PodRow, usage: int) -> tuple[bool, int, int]:
    excess = usage - pod.template.memory_request
    return (excess <= 0, pod.template.priority, -excess)
