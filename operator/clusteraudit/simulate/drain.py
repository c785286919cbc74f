"""A node is drained: `kubectl drain --ignore-daemonsets --delete-emptydir-data --force`.

All its pods are evicted at once, those that a budget refuses again and again; the ones that take
their places become ready, and the budgets let the next go.
Source: kubectl `pkg/drain/{drain,filters}.go`, API server `eviction.go` (1.37).
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from clusteraudit.model.rows import Key, PodRow, Ref
from clusteraudit.model.tolerations import UNSCHEDULABLE, Taint
from clusteraudit.simulate.bulk import Scene
from clusteraudit.simulate.controllers import is_ordinal
from clusteraudit.simulate.disruption import (
    Refusal,
    Standing,
    charges,
    refusal,
    stays,
)
from clusteraudit.simulate.drill import (
    Drill,
    Fate,
    Outcome,
    Recovery,
    budgeted,
    by_key,
    verdict,
    volumes,
)
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.settle import Settled, settle
from clusteraudit.simulate.snapshot import Fork, Snapshot

RETRY = 5
"""Seconds after which `kubectl drain` asks again."""
KIND = "PodDisruptionBudget"
ORDER = "EvictionOrderDecides"
_ORDER = "whether it may go depends on which pod finds a node first"


class Course(msgspec.Struct, frozen=True, gc=False):
    """How a drain goes: in which round each pod leaves, and what stops the others."""

    rounds: Mapping[Key, int]
    refused: Mapping[Key, Refusal]
    """Pods that never leave."""
    budgets: Mapping[Key, tuple[Ref, ...]]
    """Of each pod."""

    @property
    def blocking(self) -> tuple[Ref, ...]:
        """Budgets of the pods that never leave."""
        return tuple(sorted({one for key in self.refused for one in self.budgets[key]}))


def drain(ground: Ground, name: str) -> Drill:
    """What becomes of the pods of the node, and whether the drain ends."""
    here = ground.base.nodes[name].pods
    leaving = [pod for pod in here if not _why_not(pod)]
    course, settled = _course(ground, name, leaving)
    told = by_key(settled.fates)
    elsewhere = [told[key] for key in told.keys() - _keys(here)]
    fates = (*(_fate(pod, course, told) for pod in here), *elsewhere)
    fates = tuple(sorted(fates, key=lambda one: one.pod.key))
    if not ground.base.known(KIND):
        fates = tuple(map(_unsure, fates))
    budgets = budgeted(ground, fates, course.blocking, drained=True)
    word, reasons = verdict(ground, fates, budgets)
    rounds = max(course.rounds.values(), default=0)
    return Drill(
        kind="drain",
        target=name,
        mode=None,
        verdict=word,
        reasons=reasons,
        assumptions=_assumptions(ground, here, searched=settled.searched),
        recovery=_recovery(fates, rounds),
        fates=fates,
        budgets=budgets,
        volumes=volumes(ground, leaving, frozenset({name})),
        rounds=rounds,
    )


def _why_not(pod: PodRow) -> str:
    """Why a drain does not move the pod: it stays, or is going already and has been replaced."""
    going = pod.terminating and not is_ordinal(pod)
    return stays(pod) or ("AlreadyTerminating" if going else "")


def _course(ground: Ground, name: str, leaving: Sequence[PodRow]) -> tuple[Course, Settled]:
    """What leaves decides what finds room, and what finds room what may leave: until both agree.

    Where they never do, the order of evictions decides of some pods, which then are not run.
    """
    going, tried, doubtful = list(leaving), list[frozenset[Key]](), frozenset[Key]()
    while True:
        settled = settle(_scene(ground, name, going), going)
        sure = [pod for pod in leaving if pod.key not in doubtful]
        course = run(ground, sure, by_key(settled.fates))
        tried.append(_keys(going))
        if course.rounds.keys() == tried[-1]:
            return (course, settled)
        if course.rounds.keys() in tried:
            doubtful |= course.rounds.keys() ^ tried[-1]
        going = [pod for pod in sure if pod.key in course.rounds and pod.key not in doubtful]


def _keys(pods: Iterable[PodRow]) -> frozenset[Key]:
    return frozenset(pod.key for pod in pods)


def _scene(ground: Ground, name: str, gone: Sequence[PodRow]) -> Scene:
    keys = _keys(gone)

    def closed() -> Fork:
        fork = ground.base.fork()
        left = [pod for pod in fork.nodes[name].pods if pod.key not in keys]
        fork.hold(name, left, closed=True)
        return fork

    return Scene(
        ground,
        frozenset({name}),
        build=lambda: cordoned(ground.base, name, gone),
        rough=closed,
    )


def cordoned(base: Snapshot, name: str, gone: Iterable[PodRow]) -> Fork:
    """The node takes no pods any more, and these are off it."""
    fork = base.fork()
    node = base.nodes[name].node
    taint = Taint(UNSCHEDULABLE)
    taints = node.taints if taint in node.taints else (*node.taints, taint)
    fork.replace_node(msgspec.structs.replace(node, unschedulable=True, taints=taints))
    for pod in gone:
        fork.remove_pod(pod.key)
    return fork


def run(ground: Ground, pods: Sequence[PodRow], fates: Mapping[Key, Fate]) -> Course:
    """Rounds of evictions until nothing is left, or no budget lets anything go."""
    its = {pod.key: ground.budgets(pod) for pod in pods}
    named = sorted({budget for budgets in its.values() for budget in budgets})
    stands = {one: stand for one in named if (stand := ground.standing(one))}
    rounds: dict[Key, int] = {}
    waiting = sorted(pods, key=lambda pod: (not _placed(fates, pod), pod.key))
    number = 0
    while waiting:
        number += 1
        gone = _evict(waiting, its, stands)
        if not gone:
            break
        rounds |= {pod.key: number for pod in gone}
        waiting = [pod for pod in waiting if pod.key not in rounds]
        stands = _recount(stands, its, gone, fates)
    refused = {pod.key: _refusal(pod, its, stands) for pod in waiting}
    return Course(rounds, {key: why for key, why in refused.items() if why}, its)


Budgets = Mapping[Key, tuple[Ref, ...]]


def _refusal(pod: PodRow, its: Budgets, stands: Mapping[Ref, Standing]) -> Refusal | None:
    return refusal(pod, [stands[one] for one in its[pod.key]])


def _evict(waiting: Sequence[PodRow], its: Budgets, stands: dict[Ref, Standing]) -> list[PodRow]:
    """Those that the eviction API lets go before any budget is counted again."""
    gone: list[PodRow] = []
    for pod in waiting:
        if _refusal(pod, its, stands) is None:
            gone.append(pod)
            for one in its[pod.key]:
                if charges(pod, stands[one]):
                    stands[one] = stands[one].charged()
    return gone


def _recount(
    stands: Mapping[Ref, Standing],
    its: Budgets,
    gone: Iterable[PodRow],
    fates: Mapping[Key, Fate],
) -> dict[Ref, Standing]:
    """The controller counts again, when those that take the pods' places are ready.

    A pod that was not ready is taken to be no better when it is made anew.
    """
    change: dict[Ref, int] = {}
    for pod in gone:
        if pod.ready and not pod.terminating and not _placed(fates, pod):
            for one in its[pod.key]:
                change[one] = change.get(one, 0) - 1
    return {one: stand.recounted(change.get(one, 0)) for one, stand in stands.items()}


def _placed(fates: Mapping[Key, Fate], pod: PodRow) -> bool:
    found = fates.get(pod.key)
    return found is not None and found.outcome is Outcome.PLACED


def _fate(pod: PodRow, course: Course, settled: Mapping[Key, Fate]) -> Fate:
    if why := _why_not(pod):
        return Fate(pod=pod, outcome=Outcome.UNAFFECTED, reason=why)
    if reason := course.refused.get(pod.key):
        names = " and ".join(str(one) for one in course.budgets[pod.key])
        return Fate(pod=pod, outcome=Outcome.BLOCKED, reason=reason, detail=names, round=0)
    if pod.key not in course.rounds:
        return Fate(pod=pod, outcome=Outcome.UNKNOWN, reason=ORDER, detail=_ORDER)
    return msgspec.structs.replace(settled[pod.key], round=course.rounds[pod.key])


def _unsure(fate: Fate) -> Fate:
    """A budget that was not read could keep the pod."""
    if fate.outcome in {Outcome.UNAFFECTED, Outcome.BLOCKED}:
        return fate
    return msgspec.structs.replace(
        fate, outcome=Outcome.UNKNOWN, reason=f"Missing{KIND}", detail=f"not known: {KIND}"
    )


def _recovery(fates: Iterable[Fate], rounds: int) -> Recovery:
    stuck = [one for one in fates if one.outcome not in {Outcome.UNAFFECTED, Outcome.PLACED}]
    if stuck:
        return Recovery(None, stuck[0].reason)
    if not rounds:
        return Recovery(0, "NothingMoves")
    return Recovery(RETRY * (rounds - 1), "EvictionRetries" if rounds > 1 else "PodStart")


def _assumptions(ground: Ground, pods: Sequence[PodRow], *, searched: bool) -> tuple[str, ...]:
    names = {"ControllersRecreatePods", "ReplacementsBecomeReady"}
    names.add("NodesAreMade" if ground.nodes_are_made else "NoNewNodes")
    if any(stays(pod) == "DaemonSet" for pod in pods):
        names.add("IgnoreDaemonSets")
    if any(pod.template.local_data for pod in pods):
        names.add("DeleteEmptyDirData")
    if any(pod.template.owner is None for pod in pods if not stays(pod)):
        names.add("ForceBarePods")
    if searched:
        names.add("SchedulerFindsPlacement")
    return tuple(sorted(names))
