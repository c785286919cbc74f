"""Whom the kubelet evicts first when a node runs short: the order, and why of each pod.

Source: kubelet 1.37 `pkg/kubelet/eviction/helpers.go` (`rankMemoryPressure`,
`rankDiskPressureFunc`, `rankPIDPressure`) and `eviction_manager.go` (`evictPod`): usage over
request first, then lower priority, then larger usage less request; of processes only priority and
their number. QoS classes play no part. Its sort is not stable: pods that it finds equal are a tie.

The kubelet puts pods first of which it has no statistics. Which these are cannot be known from
outside: metrics.k8s.io may lack pods that the kubelet measures.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from clusteraudit.model.quantity import show
from clusteraudit.model.rows import PodRow, PodTemplate

CRITICAL_PRIORITY = 2_000_000_000


class Signal(StrEnum):
    """What a node can run short of, as the kubelet's eviction signals tell it apart."""

    MEMORY = "memory"
    NODEFS = "nodefs"
    IMAGEFS = "imagefs"
    INODES = "inodes"
    PID = "pid"


class Group(StrEnum):
    """What decides of a pod's place before its priority does."""

    EXCEEDS = "exceeds"
    """Its usage is over its request."""
    WITHIN = "within"
    """Its usage is not."""
    CERTAIN = "certain"
    """Its usage is not known, but any is over its request."""
    POSSIBLE = "possible"
    """Its usage is not known, and may be over its request."""
    IMPOSSIBLE = "impossible"
    """Its usage is not known, and cannot be over its request."""
    PRIORITY = "priority"
    """Nothing does: only priority counts."""
    CRITICAL = "critical"
    """The kubelet never evicts it."""


_STAGE = {
    **dict.fromkeys((Group.EXCEEDS, Group.CERTAIN, Group.PRIORITY), 0),
    Group.POSSIBLE: 1,
    **dict.fromkeys((Group.WITHIN, Group.IMPOSSIBLE), 2),
    Group.CRITICAL: 3,
}
_DISK = frozenset({Signal.NODEFS, Signal.IMAGEFS})


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A pod in the order of eviction."""

    pod: PodRow
    signal: Signal
    usage: int | None
    """Bytes, inodes or processes; None where it is not known."""
    group: Group
    rank: int | None
    """Whoever has 1 goes first; equal ranks are a tie, None is never evicted."""

    @property
    def request(self) -> int | None:
        """What its usage is compared with; None for processes, of which there is no request."""
        return request_of(self.pod, self.signal)

    @property
    def excess(self) -> int | None:
        """Usage less request, may be negative; None where either is not known."""
        request = self.request
        return None if self.usage is None or request is None else self.usage - request

    @property
    def reason(self) -> str:
        """Why it stands where it stands, in a few words."""
        return _reason(self)


def critical(pod: PodRow) -> bool:
    """Whether pressure never evicts it: static pods, and system-critical priority."""
    return critical_template(pod.template)


def critical_template(template: PodTemplate) -> bool:
    """The same of all pods of a template."""
    return template.static or template.priority >= CRITICAL_PRIORITY


def request_of(pod: PodRow, signal: Signal) -> int | None:
    """What the kubelet holds a pod's usage against; of inodes nobody can request any."""
    if signal is Signal.MEMORY:
        return pod.template.memory_request
    if signal in _DISK:
        return pod.template.ephemeral_request
    return 0 if signal is Signal.INODES else None


def order(signal: Signal, used: Iterable[tuple[PodRow, int | None]]) -> list[Candidate]:
    """The pods of one node in the order of eviction, critical ones last.

    Where the usage of one that can be evicted is not known, no total order is: then pods of one
    group and priority are a tie, and a `possible` one may in truth stand before or behind.
    """
    pods = [(pod, usage, _group(signal, pod, usage)) for pod, usage in used]
    total = measured(pods)
    keyed = [(_keys(signal, one, total=total), one) for one in pods]
    keyed.sort(key=lambda pair: (pair[0], pair[1][0].key))
    ranked: list[Candidate] = []
    rank, last = 0, None
    for place, (keys, (pod, usage, group)) in enumerate(keyed, start=1):
        rank, last = (rank, last) if keys == last else (place, keys)
        never = group is Group.CRITICAL
        ranked.append(Candidate(pod, signal, usage, group, None if never else rank))
    return ranked


def measured(pods: Sequence[tuple[PodRow, int | None, Group]]) -> bool:
    """Whether the usage of all that can be evicted is known."""
    return all(usage is not None or group is Group.CRITICAL for _, usage, group in pods)


def _keys(
    signal: Signal, one: tuple[PodRow, int | None, Group], *, total: bool
) -> tuple[int, int, int]:
    """What the kubelet sorts by; the third key only where it can be known of all."""
    pod, usage, group = one
    third = _beyond(signal, pod, usage) if total and usage is not None else 0
    return (_STAGE[group], pod.template.priority, -third)


def _beyond(signal: Signal, pod: PodRow, usage: int) -> int:
    """Usage less request; the kubelet takes bytes of ephemeral storage off a count of inodes."""
    taken = pod.template.ephemeral_request if signal is Signal.INODES else request_of(pod, signal)
    return usage - (taken or 0)


def _group(signal: Signal, pod: PodRow, usage: int | None) -> Group:
    if critical(pod):
        return Group.CRITICAL
    request = request_of(pod, signal)
    if request is None:
        return Group.PRIORITY
    if usage is not None:
        return Group.EXCEEDS if usage > request else Group.WITHIN
    if signal is Signal.MEMORY and pod.template.memory_capped:
        return Group.IMPOSSIBLE
    return Group.CERTAIN if request == 0 and pod.phase == "Running" else Group.POSSIBLE


# In words

_OF = {
    Signal.MEMORY: "memory",
    Signal.NODEFS: "ephemeral storage",
    Signal.IMAGEFS: "ephemeral storage",
    Signal.INODES: "inodes",
    Signal.PID: "processes",
}


def _reason(one: Candidate) -> str:
    return f"{_why(one)}; is terminating already" if one.pod.terminating else _why(one)


def _why(one: Candidate) -> str:
    if one.group is Group.CRITICAL:
        static = one.pod.template.static
        return "is static" if static else f"priority {one.pod.template.priority} is critical"
    if one.group is Group.PRIORITY:
        return "only priority and the number of processes count"
    if one.usage is not None:
        return _used(one, one.usage)
    return _unknown(one)


def _used(one: Candidate, usage: int) -> str:
    uses = f"uses {_show(one.signal, usage)}"
    if not one.request:
        return f"{uses}, requests none"
    excess = usage - one.request
    if excess > 0:
        over = _show(one.signal, excess)
        return f"{uses}, {over} over its request of {_show(one.signal, one.request)}"
    return f"{uses} of the {_show(one.signal, one.request)} that it requests"


def _unknown(one: Candidate) -> str:
    of = _OF[one.signal]
    if one.group is Group.CERTAIN:
        return f"requests no {of}: any use is over that"
    request = _show(one.signal, one.request or 0)
    if one.group is Group.IMPOSSIBLE:
        return f"its limits keep it within its request of {request}"
    if one.pod.phase != "Running":
        return "does not run yet: without statistics it would go first"
    return f"may use more {of} than its request of {request}"


def _show(signal: Signal, amount: int) -> str:
    return str(amount) if signal is Signal.INODES else show("memory", amount)
