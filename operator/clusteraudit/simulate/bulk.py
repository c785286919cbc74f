"""Many pods at once: a placement that is quick to find and easy to prove, where there is one."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clusteraudit.model.rows import SLOTS, Amounts, Key, PodRow, PodTemplate
from clusteraudit.simulate.columns import FITS, REFUSED, Amount, Columns, Mask
from clusteraudit.simulate.filters.kit import constraints_of
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.schedule import levels, static_levels
from clusteraudit.simulate.snapshot import Fork, Snapshot

HOSTNAME = "kubernetes.io/hostname"
MANY = 100
"""Of more pods than that, those left over are not looked at one by one."""
_FEW = 8
"""Of so many equal pods it is quicker to look for a node for each."""


@dataclass(frozen=True)
class Scene:
    """A ground without some nodes: what is left, as forks for those who need it whole."""

    ground: Ground
    away: frozenset[str]
    """Nodes that take no pod any more."""
    build: Callable[[], Fork]
    """The cluster as the scheduler then sees it."""
    rough: Callable[[], Fork]
    """The same, made quickly: nodes that are away have no slot left instead of a taint."""
    no_zones: frozenset[str] = frozenset()
    """Zones in which no node is made."""


def tied(template: PodTemplate) -> bool:
    """Whether where it may run depends on pods that a drill moves, onto whichever nodes."""
    apart = all(term.topology_key == HOSTNAME for term in template.anti_affinity)
    return not apart or bool(template.affinity or template.spread)


def plain(pod: PodRow) -> bool:
    """Whether it cares for nothing but room of what else is moved onto its node."""
    its = pod.template
    return not (tied(its) or its.anti_affinity or its.host_ports or its.disks or pod.claims)


def fill(scene: Scene, pods: Sequence[PodRow]) -> dict[Key, str]:
    """Nodes for the pods, in their order, as far as this way finds them; each is proved.

    Pods that look at others go onto a fork one after the other; those that look at their node's
    pods get a node of their own that would take them as the cluster is, or go onto the fork, too,
    if there are many; plain ones share the room of the rest. What leaves only makes more fit.
    """
    whole = any(map(_needs_whole, pods))
    if whole and len(pods) <= MANY:
        return {}
    picky = [pod for pod in pods if not plain(pod)]
    bound = picky if len(picky) > MANY else [pod for pod in picky if tied(pod.template)]
    found: dict[Key, str] = {}
    if whole:
        _tie(scene.build(), pods, found)
    elif bound:
        _tie(scene.rough(), bound, found)
    used = set(found.values()) | scene.away
    if bound is not picky:
        for pod in picky:
            if pod.key not in found and not tied(pod.template):
                _own(scene.ground, pod, used, found)
    if not whole:
        _share(scene.ground, [pod for pod in pods if plain(pod)], used, found)
    return found


def _needs_whole(pod: PodRow) -> bool:
    """Whether it keeps pods away from more than its node, or looks at taints that are not there."""
    its = pod.template
    return tied(its) and (bool(its.anti_affinity) or any(one.honor_taints for one in its.spread))


def _tie(fork: Fork, pods: Iterable[PodRow], found: dict[Key, str]) -> None:
    """Each onto a node that takes it, one that others went to first: few are touched."""
    used: set[str] = set()
    for pod in pods:
        fits = [fork.columns.names[at] for at in np.flatnonzero(levels(fork, pod) == FITS)]
        node = next((name for name in fits if name in used), fits[0] if fits else None)
        if node is not None:
            fork.add_pod(pod, node)
            used.add(node)
            found[pod.key] = node


def _own(ground: Ground, pod: PodRow, used: set[str], found: dict[Key, str]) -> None:
    node = _first(ground.columns, ground.candidates_at(pod), used)
    if node is not None:
        used.add(node)
        found[pod.key] = node


def _first(columns: Columns, fits: Amount, used: Container[str]) -> str | None:
    """The first of these nodes that is not used."""
    return next((name for at in fits if (name := columns.names[at]) not in used), None)


def _share(ground: Ground, pods: Sequence[PodRow], used: set[str], found: dict[Key, str]) -> None:
    """Plain pods onto nodes that nobody else uses, the roomiest first, until all is full."""
    if not pods:
        return
    columns = ground.columns
    left = {name: columns.free(name).copy() for name in _resources(pods)}
    closed = np.zeros(len(columns.names), dtype=np.bool_)
    closed[[columns.index[name] for name in used if name in columns.index]] = True
    for its in _alike(pods).values():
        taken = _spread_out(its[0], len(its), ground.candidates_at(its[0]), closed, left)
        for pod, at in zip(its, taken, strict=False):
            found[pod.key] = columns.names[at]


def _resources(pods: Iterable[PodRow]) -> set[str]:
    return {SLOTS} | {name for pod in pods for name, _ in pod.template.requests}


def _alike(pods: Iterable[PodRow]) -> dict[object, list[PodRow]]:
    alike: dict[object, list[PodRow]] = {}
    for pod in pods:
        alike.setdefault((id(pod.template), pod.namespace), []).append(pod)
    return alike


def _spread_out(
    pod: PodRow, count: int, candidates: Amount, closed: Mask, left: Mapping[str, Amount]
) -> list[int]:
    """Takes room for so many equal pods, a node after the other; where they are."""
    asked = {**{name: amount for name, amount in pod.template.requests if amount > 0}, SLOTS: 1}
    if count <= _FEW:
        return _one_by_one(asked, count, candidates, closed, left)
    taken: list[int] = []
    while len(taken) < count:
        fits = candidates[~closed[candidates]]
        for name, amount in asked.items():
            fits = fits[left[name][fits] >= amount]
        if not len(fits):
            break
        chosen = _most(fits, left[_main(pod.template.requests)][fits], count - len(taken))
        for name, amount in asked.items():
            left[name][chosen] -= amount
        taken += chosen.tolist()
    return taken


def _one_by_one(
    asked: Mapping[str, int],
    count: int,
    candidates: Amount,
    closed: Mask,
    left: Mapping[str, Amount],
) -> list[int]:
    """The same for a few pods: each onto the first node that has room."""
    taken: list[int] = []
    for at in candidates:
        while not closed[at] and all(left[name][at] >= amount for name, amount in asked.items()):
            taken.append(int(at))
            for name, amount in asked.items():
                left[name][at] -= amount
            if len(taken) == count:
                return taken
    return taken


def _most(places: Amount, room: Amount, count: int) -> Amount:
    """So many of the places, those with most room."""
    if count >= len(places):
        return places
    return places[np.argpartition(-room, count - 1)[:count]]


def _main(requests: Amounts) -> str:
    named = [name for name, amount in requests if amount > 0]
    return "cpu" if "cpu" in named else (named or [SLOTS])[0]


def overflows(snapshot: Snapshot, pods: Sequence[PodRow]) -> bool:
    """Whether the pods ask for more than is left on all nodes that one of them could run on.

    Then one is left over, wherever they go.
    """
    columns = snapshot.columns
    constraints = {id(pod.template): constraints_of(pod.template) for pod in pods}
    could = np.zeros(len(columns.names), dtype=np.bool_)
    for one in set(constraints.values()):
        could |= static_levels(columns, one) != REFUSED
    wanted = Counter({SLOTS: len(pods)})
    for pod in pods:
        wanted.update({name: amount for name, amount in pod.template.requests if amount > 0})
    return any(_least(columns, name, could) < amount for name, amount in wanted.items())


def _least(columns: Columns, name: str, could: Mask) -> int:
    free = columns.free(name)[could & columns.alive]
    return int(free[free > 0].sum())
