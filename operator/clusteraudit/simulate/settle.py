"""Pods that lost their node are made anew, and the scheduler looks for nodes for them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import Key, PodRow, Ref
from clusteraudit.simulate.bulk import Scene
from clusteraudit.simulate.controllers import (
    comes_back,
    ordered,
    ordinal,
    original,
    waits_for,
)
from clusteraudit.simulate.drill import Fate, Outcome
from clusteraudit.simulate.placement import Place, place

WAITS = "WaitsForLowerOrdinal"


class Settled(msgspec.Struct, frozen=True, gc=False):
    """What became of the pods, and whether only a search placed them all."""

    fates: tuple[Fate, ...]
    searched: bool = False


def settle(scene: Scene, pods: Sequence[PodRow]) -> Settled:
    """Make anew and place the pods that are gone from their nodes."""
    ground = scene.ground
    back = [pod for pod in pods if comes_back(pod)]
    gone = frozenset(pod.key for pod in pods)
    waits = {pod.key: why for pod in back if (why := waits_for(ground.cluster, pod, gone))}
    while True:
        plan = place(scene, [ground.remade(pod) for pod in back if pod.key not in waits])
        places = {original(key): found for key, found in plan.places.items()}
        more = _stopped(ground.cluster, back, places, waits)
        if not more:
            break
        waits |= more
    preempted = [pod for pod in plan.evicted if comes_back(pod)]
    fates = [
        *(_lost(pod, "BarePod") for pod in pods if not comes_back(pod)),
        *(_lost(pod, "Preempted") for pod in plan.evicted if not comes_back(pod)),
        *(_fate(pod, places.get(pod.key), waits.get(pod.key, "")) for pod in back),
        *(_fate(pod, places.get(pod.key), "") for pod in preempted),
    ]
    return Settled(tuple(scaled(scene, fates)), plan.searched)


def _lost(pod: PodRow, reason: str) -> Fate:
    return Fate(pod=pod, outcome=Outcome.LOST, reason=reason, detail="nobody makes it anew")


def _stopped(
    cluster: Cluster, pods: Iterable[PodRow], places: Mapping[Key, Place], waits: Mapping[Key, str]
) -> dict[Key, str]:
    """Pods that an ordered StatefulSet does not make, since one of a lower ordinal has no node."""
    lowest: dict[Ref, PodRow] = {}
    sets = [(pod, owner) for pod in pods if (owner := ordered(cluster, pod))]
    for pod, owner in sets:
        stuck = pod.key in waits or places[pod.key].fits is False
        if stuck and (owner not in lowest or ordinal(pod) < ordinal(lowest[owner])):
            lowest[owner] = pod
    return {
        pod.key: lowest[owner].name
        for pod, owner in sets
        if owner in lowest and ordinal(pod) > ordinal(lowest[owner]) and pod.key not in waits
    }


def _fate(pod: PodRow, found: Place | None, waits: str) -> Fate:
    if found is None:
        return Fate(
            pod=pod, outcome=Outcome.PENDING, reason=WAITS, detail=f"{waits} must be ready first"
        )
    outcome = Outcome.PLACED if found.fits else Outcome.PENDING
    return Fate(
        pod=pod,
        outcome=Outcome.UNKNOWN if found.fits is None else outcome,
        node=found.node,
        reason=found.reason,
        detail=found.detail,
    )


def scaled(scene: Scene, fates: Iterable[Fate]) -> Iterator[Fate]:
    """What waits for a node where somebody makes nodes, and could make one for it."""
    for one in fates:
        if one.outcome is Outcome.PENDING and one.reason != WAITS:
            yield _prospect(scene, one)
        else:
            yield one


def _prospect(scene: Scene, fate: Fate) -> Fate:
    found = scene.ground.prospect(fate.pod, scene.no_zones)
    if found is None:
        return fate
    if found.certain:
        return replace(fate, outcome=Outcome.SCALE_UP, detail=f"{found.maker}: {fate.detail}")
    return replace(
        fate,
        outcome=Outcome.UNKNOWN,
        reason="MissingAutoscaler",
        detail=f"whether {found.maker} makes nodes is not seen from here; {fate.detail}",
    )
