"""Nodes are lost: their machines are dead, or their Node objects are deleted.

Source: kube-controller-manager `pkg/controller/{nodelifecycle,tainteviction,podgc}` and
`pkg/controller/volume/attachdetach` (1.37), with the default flags.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import NodeRow, PodRow
from clusteraudit.model.tolerations import Taint, Toleration
from clusteraudit.simulate.bulk import Scene
from clusteraudit.simulate.controllers import comes_back, exclusive_claims, is_ordinal
from clusteraudit.simulate.disruption import stays
from clusteraudit.simulate.drill import (
    Drill,
    Fate,
    Mode,
    Outcome,
    Recovery,
    budgeted,
    verdict,
    volumes,
)
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.node_zones import zone_key
from clusteraudit.simulate.settle import settle
from clusteraudit.simulate.snapshot import Fork, Snapshot

UNREACHABLE = "node.kubernetes.io/unreachable"
TAINTS = (Taint(UNREACHABLE, "", "NoSchedule"), Taint(UNREACHABLE, "", "NoExecute"))

GRACE = 50
"""Seconds without a heartbeat until a node counts as unreachable (--node-monitor-grace-period)."""
TOLERATED = 300
"""Seconds that admission lets a pod tolerate that (`DefaultTolerationSeconds`)."""
EACH_NODE = 10
"""Seconds between the taints of two nodes of a zone (--node-eviction-rate 0.1)."""
EACH_NODE_SLOWLY = 100
"""As before, in a large zone of which most nodes are not ready (--secondary-node-eviction-rate)."""
LARGE_ZONE = 50
UNHEALTHY = (2, 0.55)
"""More than so many nodes that are not ready, and this share at least: a zone is unhealthy."""
QUARANTINE = 40
"""Seconds after which pods of a node that does not exist are deleted (`gc_controller.go`)."""
DETACHED = 360
"""Seconds after which a volume is detached from a node that does not answer."""

HANGS = "TerminatingUntilNodeGone"


def lose(
    ground: Ground,
    kind: Literal["node", "zone"],
    target: str,
    names: Iterable[str],
    mode: Mode,
) -> Drill:
    """What becomes of the pods of these nodes, and of the workloads that they belong to."""
    lost = frozenset(names)
    here = [pod for name in sorted(lost) for pod in ground.base.nodes[name].pods]
    pace = _pace(ground, lost)
    stopped = mode == "unreachable" and pace is None
    told = {pod.key: _at_once(ground.cluster, pod, mode, stopped=stopped) for pod in here}
    moving = [pod for pod in here if told[pod.key] is None]
    scene = Scene(
        ground,
        lost,
        build=lambda: without(ground.base, lost, mode),
        rough=lambda: _closed(ground.base, lost, mode),
        no_zones=frozenset({target}) if kind == "zone" else frozenset(),
    )
    after = settle(scene, moving)
    fates = tuple(sorted((*filter(None, told.values()), *after.fates), key=lambda one: one.pod.key))
    budgets = budgeted(ground, fates, drained=False)
    word, reasons = verdict(ground, fates, budgets)
    return Drill(
        kind=kind,
        target=target,
        mode=mode,
        verdict=word,
        reasons=reasons,
        assumptions=_assumptions(ground, mode, searched=after.searched),
        recovery=_recovery(ground.cluster, fates, mode, pace or 0),
        fates=fates,
        budgets=budgets,
        volumes=volumes(ground, [pod for pod in here if not stays(pod)], lost),
    )


def _at_once(cluster: Cluster, pod: PodRow, mode: Mode, *, stopped: bool) -> Fate | None:
    """The fate of a pod for which no other node is looked for; None where one is."""
    if why := stays(pod):
        return Fate(pod=pod, outcome=Outcome.UNAFFECTED, reason=why, detail="belongs to its node")
    if pod.terminating and not is_ordinal(pod):
        return Fate(pod=pod, outcome=Outcome.UNAFFECTED, reason="AlreadyTerminating")
    if not comes_back(pod):
        return Fate(pod=pod, outcome=Outcome.LOST, reason="BarePod", detail="nobody makes it anew")
    return None if mode == "deleted" else _hangs(cluster, pod, stopped=stopped)


def _hangs(cluster: Cluster, pod: PodRow, *, stopped: bool) -> Fate | None:
    """Why a pod of a dead node is not made anew elsewhere, or cannot start there."""
    reason, detail = "", ""
    if stopped and not pod.terminating:
        reason, detail = "EvictionsStopped", "too many nodes are not ready: nothing is evicted"
    elif tolerated(pod.template.tolerations) is None and not pod.terminating:
        reason, detail = "ToleratesUnreachable", "it stays bound to the dead node"
    elif pod.template.grace == 0:
        return None  # deletion does not wait for its kubelet
    elif is_ordinal(pod):
        reason, detail = HANGS, "its name is free again when the Node object is gone"
    elif claims := exclusive_claims(cluster, pod):
        reason, detail = HANGS, f"claim {claims[0]} stays attached to the dead node"
    return Fate(pod=pod, outcome=Outcome.BLOCKED, reason=reason, detail=detail) if reason else None


def tolerated(tolerations: Sequence[Toleration]) -> int | None:
    """For how many seconds a pod stays on an unreachable node; None is for ever.

    A pod that says nothing of it gets the default at admission.
    """
    matching = [one for one in tolerations if one.tolerates(TAINTS[1])]
    if not matching:
        return TOLERATED
    limits = [one.seconds for one in matching if one.seconds is not None]
    return max(0, min(limits)) if limits else None


def _pace(ground: Ground, lost: frozenset[str]) -> int | None:
    """Seconds between the taints of two of the lost nodes; None where no node is tainted at all."""
    zones = dict(ground.zones)
    for name in lost:
        node = ground.base.nodes[name].node
        size, down = zones[zone_key(node)]
        zones[zone_key(node)] = (size, down + (node.ready is not False))
    if all(down == size for size, down in zones.values()):
        return None
    touched = {zone_key(ground.base.nodes[name].node) for name in lost}
    paces = [_zone_pace(*zones[key]) for key in touched]
    return None if None in paces else max((one for one in paces if one), default=EACH_NODE)


def _zone_pace(size: int, down: int) -> int | None:
    least, share = UNHEALTHY
    if down == size or down <= least or down / size < share:
        return EACH_NODE
    return EACH_NODE_SLOWLY if size > LARGE_ZONE else None


def without(base: Snapshot, lost: frozenset[str], mode: Mode) -> Fork:
    """The cluster as the scheduler then sees it.

    A dead node is still there, tainted, and its pods are Terminating: they count for affinity, and
    its zone for spread.
    """
    fork = base.fork()
    for name in lost:
        info = fork.nodes[name]
        fork.remove_node(name)
        if mode == "unreachable":
            fork.add_node(_dead(info.node), _hanging(info.pods))
    return fork


def _closed(base: Snapshot, lost: frozenset[str], mode: Mode) -> Fork:
    """Nearly the same: a dead node has no slot left instead of taints."""
    fork = base.fork()
    for name in lost:
        if mode == "unreachable":
            fork.hold(name, _hanging(base.nodes[name].pods), closed=True)
        else:
            fork.remove_node(name)
    return fork


def _dead(node: NodeRow) -> NodeRow:
    return msgspec.structs.replace(node, ready=False, taints=(*node.taints, *TAINTS))


def _hanging(pods: Iterable[PodRow]) -> Iterator[PodRow]:
    """The pods of a dead node that are still there when all that can be evicted is."""
    for pod in pods:
        if stays(pod) or tolerated(pod.template.tolerations) is None:
            yield pod
        elif pod.template.grace:
            yield msgspec.structs.replace(pod, terminating=True)


def _recovery(cluster: Cluster, fates: Sequence[Fate], mode: Mode, pace: int) -> Recovery:
    """A lower bound: what the controllers wait for, before the first new container starts."""
    affected = [one for one in fates if one.outcome is not Outcome.UNAFFECTED]
    if not affected:
        return Recovery(0, "NothingMoves")
    stuck = [one for one in affected if one.outcome is not Outcome.PLACED]
    if stuck:
        return Recovery(None, stuck[0].reason)
    pods = [one.pod for one in affected]
    attached = any(exclusive_claims(cluster, pod) for pod in pods)
    if mode == "deleted":
        return Recovery(
            QUARANTINE + (DETACHED if attached else 0),
            "VolumeDetach" if attached else "PodGarbageCollection",
        )
    waits = max(tolerated(pod.template.tolerations) or 0 for pod in pods)
    waits += DETACHED if attached else 0
    nodes = len({pod.on for pod in pods})
    return Recovery(GRACE + waits + pace * (nodes - 1), "TolerationSeconds")


def _assumptions(ground: Ground, mode: Mode, *, searched: bool) -> tuple[str, ...]:
    names = {"ControllersRecreatePods", "DefaultControllerFlags", "ReplacementsBecomeReady"}
    names.add("NodesAreMade" if ground.nodes_are_made else "NoNewNodes")
    if mode == "unreachable":
        names.add("NodeObjectStays")
    if searched:
        names.add("SchedulerFindsPlacement")
    return tuple(sorted(names))
