"""Where pods without a node could go, all of them together.

First in the scheduler's order, one after the other, each onto the node that it would like best.
Where that leaves one over, a search: it finds a placement of all where there is one, or shows that
there is none, or gives up at a bound; then it cannot be told.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from clusteraudit.model.rows import Key, PodRow
from clusteraudit.simulate.bulk import MANY, Scene, fill, overflows
from clusteraudit.simulate.controllers import comes_back, ordinal, remade
from clusteraudit.simulate.preemption import Candidate, preemption
from clusteraudit.simulate.schedule import Verdict, verdicts
from clusteraudit.simulate.search import (
    Search,
    crowded,
    kinds,
    options,
    roomiest,
    settled,
)
from clusteraudit.simulate.snapshot import Fork, Snapshot


class Place(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What becomes of a pod that needs a node: one, none (`fits` False), or it cannot be told."""

    fits: bool | None
    node: str = ""
    reason: str = ""
    """Why it has none, or what cannot be told: CamelCase."""
    detail: str = ""


GAVE_UP = Place(fits=None, reason="SearchGaveUp", detail="too many placements to try")
NO_ROOM = Place(fits=False, reason="InsufficientResource", detail="all nodes together lack room")


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Places by pod, whom these evict, and whether only the search found them."""

    places: dict[Key, Place]
    evicted: tuple[PodRow, ...] = ()
    searched: bool = False


def in_order(pods: Iterable[PodRow]) -> list[PodRow]:
    """As the scheduler takes them: by priority, and a StatefulSet's by their number."""
    return sorted(pods, key=lambda pod: (-pod.template.priority, ordinal(pod), pod.key))


def place(scene: Scene, pods: Sequence[PodRow]) -> Plan:
    """Where the pods go; those of high priority are served first, and evict others if they must."""
    first = in_order(pods)
    quick = {key: Place(fits=True, node=node) for key, node in fill(scene, first).items()}
    if len(quick) == len(first):
        return Plan(quick)
    start = scene.build()
    if len(first) > MANY:
        return Plan(quick | _left_over(start, first, quick))
    found, evicted = greedy(start.fork(), first)
    if all(one.fits for one in found.values()):
        return Plan(found, evicted)
    return _searched(_without(start, evicted), [*first, *map(remade, evicted)], found, evicted)


def _without(start: Fork, evicted: Iterable[PodRow]) -> Fork:
    fork = start.fork()
    for pod in evicted:
        fork.remove_pod(pod.key)
    return fork


def _left_over(
    start: Fork, pods: Sequence[PodRow], placed: Mapping[Key, Place]
) -> dict[Key, Place]:
    """Of more pods than can be searched: those that found no room, and whether that is certain."""
    left = [pod for pod in pods if pod.key not in placed]
    full = overflows(start, pods) or crowded(start, pods, kinds(left)[:MANY])
    return dict.fromkeys((pod.key for pod in left), NO_ROOM if full else GAVE_UP)


def greedy(fork: Fork, pods: Iterable[PodRow]) -> tuple[dict[Key, Place], tuple[PodRow, ...]]:
    """One after the other, as the scheduler does; and the pods that it evicted for them.

    Those look for another node in their turn, where somebody makes them anew.
    """
    found: dict[Key, Place] = {}
    evicted: list[PodRow] = []
    waiting = in_order(pods)
    while waiting:
        pod = waiting.pop(0)
        found[pod.key], victims = put(fork, pod)
        evicted += victims
        waiting = in_order([*waiting, *(remade(one) for one in victims if comes_back(one))])
    return found, tuple(evicted)


def put(fork: Fork, pod: PodRow) -> tuple[Place, tuple[PodRow, ...]]:
    """Put one pod onto the fork, if a node takes it, or would without pods of lower priority."""
    found = options(fork, pod)
    if found.fits:
        best = min(found.fits, key=lambda info: roomiest(info, pod))
        fork.add_pod(pod, best.name)
        return Place(fits=True, node=best.name), ()
    said = verdicts(fork, pod)
    chosen = min(preemption(fork, pod, said).candidates, key=_preferred, default=None)
    if chosen is None:
        return refused(fork, said), ()
    for victim in chosen.victims:
        fork.remove_pod(victim.key)
    fork.add_pod(pod, chosen.node)
    return Place(fits=True, node=chosen.node), chosen.victims


def _preferred(one: Candidate) -> tuple[int, int, int, int, str]:
    """Which node the scheduler chooses (`pickOneNodeForPreemption`), but for when pods started."""
    priorities = [victim.template.priority for victim in one.victims]
    top = max(priorities, default=-(2**31))
    total = sum(priority + 2**31 for priority in priorities)
    return (len(one.violates), top, total, len(priorities), one.node)


def refused(snapshot: Snapshot, said: Sequence[Verdict]) -> Place:
    """Why no node takes a pod, or why that cannot be told."""
    missing = sorted({doubt.missing for one in said if one.fits is None for doubt in one.doubts})
    if missing or not snapshot.known("Node"):
        names = missing or ["Node"]
        return Place(
            fits=None, reason=f"Missing{names[0]}", detail=f"not known: {', '.join(names)}"
        )
    nearest = min((len(_filters(one)) for one in said), default=0)
    near = [refusal for one in said if len(_filters(one)) == nearest for refusal in one.refusals]
    if not near:
        return Place(fits=False, reason="NoNodes", detail="there is no node")
    details = Counter(one.detail for one in near).most_common(3)
    words = [f"{detail} on {n} nodes" if n > 1 else detail for detail, n in details]
    reason = Counter(one.reason for one in near).most_common(1)[0][0]
    return Place(fits=False, reason=reason, detail="; ".join(words))


def _filters(verdict: Verdict) -> set[str]:
    """Filters that refuse; the fewer, the nearer the node is to taking the pod."""
    return {one.filter for one in verdict.refusals}


def _searched(
    start: Fork, pods: list[PodRow], found: dict[Key, Place], evicted: tuple[PodRow, ...]
) -> Plan:
    """A placement of all that could have a node; else the greedy one, and how sure it is."""
    could = [
        pod
        for pod in pods
        if pod.key in found
        and (found[pod.key].fits or not settled(start, pod, options(start, pod)))
    ]
    if len(could) == 1 or all(found[pod.key].fits for pod in could):
        return Plan(found, evicted)
    if overflows(start, could) or crowded(start, could, kinds(could)):
        return Plan(found, evicted)
    search = Search(start, could)
    if search.found:
        placed = {key: Place(fits=True, node=node) for key, node in search.nodes.items()}
        return Plan(found | placed, evicted, searched=True)
    if search.exhausted:
        return Plan(found, evicted)
    unsure = {pod.key: GAVE_UP for pod in could if found[pod.key].fits is False}
    return Plan(found | unsure, evicted)
