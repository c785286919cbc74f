"""What a drill says: of each pod, of budgets and volumes, and of the whole."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Literal

import msgspec

from clusteraudit.model.rows import ClaimRow, Key, PodRow, Ref
from clusteraudit.simulate.disruption import Standing
from clusteraudit.simulate.ground import Ground

Mode = Literal["unreachable", "deleted"]


class Outcome(StrEnum):
    """What becomes of a pod."""

    PLACED = "placed"
    """It, or the one that takes its place, finds a node."""
    PENDING = "pending"
    SCALE_UP = "pendingUntilScaleUp"
    BLOCKED = "blocked"
    """It is neither gone nor made anew until somebody does something."""
    LOST = "lost"
    """Nobody makes it anew."""
    UNAFFECTED = "unaffected"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What becomes of the whole, worst last but for what cannot be told."""

    SURVIVES = "survives"
    DEGRADES = "degrades"
    FAILS = "fails"
    UNKNOWN = "unknown"


class Fate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What becomes of one pod."""

    pod: PodRow
    outcome: Outcome
    node: str = ""
    """Where it goes, if it is placed: a node that takes it, not the one that will be chosen."""
    reason: str = ""
    detail: str = ""
    round: int | None = None
    """In which round of a drain it goes."""


class Volume(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A claim of a pod that loses its node, and how far its volume reaches afterwards."""

    claim: Key
    volume: str
    pod: Key
    nodes: int | None
    """Nodes that can use it and are left; None where it is not known, or not there yet."""


class Recovery(msgspec.Struct, frozen=True, gc=False):
    """Seconds after which all is back, at the earliest; None: not by itself."""

    min: int | None
    reason: str


class Drill(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What would happen."""

    kind: Literal["node", "drain", "zone"]
    target: str
    mode: Mode | None
    verdict: Verdict
    reasons: tuple[str, ...]
    assumptions: tuple[str, ...]
    recovery: Recovery
    fates: tuple[Fate, ...]
    budgets: tuple["Budgeted", ...]
    volumes: tuple[Volume, ...]
    rounds: int | None = None


class Budgeted(msgspec.Struct, frozen=True, gc=False):
    """A budget of a pod that loses its node: how it stands now, and afterwards."""

    before: Standing
    after: int
    """Its healthy pods when all has settled."""
    blocks: bool = False
    """Whether a drain ends on it."""

    @property
    def breached(self) -> bool:
        """Whether it was kept and no longer is."""
        return self.before.healthy >= self.before.desired > self.after


_LESS = frozenset({Outcome.PENDING, Outcome.SCALE_UP, Outcome.BLOCKED, Outcome.LOST})


def missing(fate: Fate) -> bool:
    """Whether the workload has a pod less afterwards; what a drain cannot evict runs on."""
    runs_on = fate.outcome is Outcome.BLOCKED and fate.round is not None
    return fate.outcome in _LESS and not runs_on


def verdict(
    ground: Ground, fates: Iterable[Fate], budgets: Iterable[Budgeted]
) -> tuple[Verdict, tuple[str, ...]]:
    """The whole, and why.

    It fails if a workload is left without any pod, or with fewer than its budget asks for, or if a
    drain does not end; it degrades if any pod is missing afterwards.
    """
    told = list(fates)
    failed = set(_workloads_gone(ground, told))
    failed |= {"BelowBudget" for one in budgets if one.breached}
    failed |= {
        "DrainBlocked" for one in told if one.outcome is Outcome.BLOCKED and not missing(one)
    }
    less = _reasons(told, _LESS)
    if failed:
        return (Verdict.FAILS, tuple(sorted(failed | less)))
    unknown = _reasons(told, {Outcome.UNKNOWN})
    if not ground.base.known("Pod"):
        unknown.add("MissingPod")
    if unknown:
        return (Verdict.UNKNOWN, tuple(sorted(unknown)))
    return (Verdict.DEGRADES if less else Verdict.SURVIVES, tuple(sorted(less)))


def _reasons(fates: Iterable[Fate], outcomes: Iterable[Outcome]) -> set[str]:
    chosen = set(outcomes)
    return {one.reason for one in fates if one.outcome in chosen and one.reason}


def _workloads_gone(ground: Ground, fates: Iterable[Fate]) -> Iterator[str]:
    """Whether a workload that loses pods here is left with none at all."""
    losing: dict[Ref, list[Fate]] = {}
    for one in fates:
        if one.outcome is not Outcome.UNAFFECTED:
            losing.setdefault(ground.owner(one.pod), []).append(one)
    for workload, its in losing.items():
        gone = all(missing(one) and one.outcome is not Outcome.SCALE_UP for one in its)
        known = workload.kind == "Pod" or ground.base.known("Pod")
        here = sum(one.pod.ready and not one.pod.terminating for one in its)
        if gone and known and ground.ready(workload) <= here:
            yield "WorkloadGone"


def budgeted(
    ground: Ground, fates: Sequence[Fate], blocking: Iterable[Ref] = (), *, drained: bool
) -> tuple[Budgeted, ...]:
    """The budgets of the pods that lose their node; on a node that is lost none is healthy."""
    moving = [one for one in fates if one.outcome is not Outcome.UNAFFECTED]
    change = {budget: 0 for one in moving for budget in ground.budgets(one.pod)}
    for fate in moving if drained else fates:
        for budget in ground.budgets(fate.pod):
            if budget in change:
                change[budget] -= _unhealthier(fate)
    stopped = set(blocking)
    made = ((budget, ground.standing(budget)) for budget in sorted(change))
    return tuple(
        Budgeted(stand, stand.healthy + change[budget], budget in stopped)
        for budget, stand in made
        if stand
    )


def _unhealthier(fate: Fate) -> int:
    """Whether its budget has a healthy pod less afterwards."""
    gone = missing(fate) or fate.outcome is Outcome.UNAFFECTED
    return int(gone and fate.pod.ready and not fate.pod.terminating)


def volumes(ground: Ground, pods: Iterable[PodRow], lost: frozenset[str]) -> tuple[Volume, ...]:
    """The claims of these pods, and the nodes from which their volumes can be used afterwards."""
    cluster = ground.cluster
    found: list[Volume] = []
    for pod in pods:
        for name in pod.claims[: len(pod.claims) - pod.template.ephemeral]:
            claim = cluster.find(ClaimRow, "PersistentVolumeClaim", pod.namespace, name)
            volume = claim.volume if claim else ""
            reach = ground.reach(volume)
            found.append(
                Volume(
                    claim=(pod.namespace, name),
                    volume=volume,
                    pod=pod.key,
                    nodes=None if reach is None else len(reach - lost),
                )
            )
    return tuple(found)


def by_key(fates: Iterable[Fate]) -> Mapping[Key, Fate]:
    """Fates by pod."""
    return {one.pod.key: one for one in fates}
