"""Whom the scheduler would evict so that a pod finds a node.

On each node that pods of lower priority keep the pod from: all of them leave; if it then fits,
those stay after all that can, the more important first, pods whose budget would be violated before
others. Budgets are best effort. Source: kube-scheduler 1.37 `defaultpreemption`.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import BudgetRow, Key, PodRow, Ref, amount_of
from clusteraudit.simulate.disruption import budgets_of, standing
from clusteraudit.simulate.filters.kit import Refusal
from clusteraudit.simulate.schedule import Verdict, verdict
from clusteraudit.simulate.snapshot import Fork, NodeInfo, Snapshot

ENOUGH = 100
"""Candidates after which the scheduler looks no further (`minCandidateNodesAbsolute`)."""
LEAVING = frozenset(
    {
        "TooManyPods",
        "InsufficientResource",
        "HostPortConflict",
        "DiskConflict",
        "ReadWriteOncePodConflict",
        "TooManyVolumes",
        "TopologySkew",
        "PodAntiAffinity",
        "ExistingPodAntiAffinity",
    }
)
"""Reasons that can leave with a pod."""


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A node that a pod could have if these left it, and the budgets that this would violate."""

    node: str
    victims: tuple[PodRow, ...]
    violates: tuple[Ref, ...]


class Preemption(msgspec.Struct, frozen=True, gc=False):
    """Whether pods would be evicted for a pod, and where; None where it cannot be told."""

    possible: bool | None
    reason: str
    candidates: tuple[Candidate, ...] = ()


def preemption(snapshot: Snapshot, pod: PodRow, said: Sequence[Verdict]) -> Preemption:
    """What preemption does for a pod of which the engine says this of each node."""
    if any(one.fits for one in said):
        return Preemption(possible=False, reason="NotNeeded")
    if not pod.template.preempts:
        return Preemption(possible=False, reason="PreemptionPolicyNever")
    view = snapshot.without(pod)
    found = list(_tried(view, pod, said))
    candidates = tuple(one for one in found if isinstance(one, Candidate))
    if candidates:
        return Preemption(possible=True, reason="LowerPriority", candidates=candidates)
    if None in found or any(one.fits is None for one in said):
        return Preemption(possible=None, reason="Unknown")
    return Preemption(possible=False, reason="NoVictimsHelp")


def _tried(
    view: Snapshot, pod: PodRow, said: Iterable[Verdict]
) -> Iterator[Candidate | bool | None]:
    """Nodes that the pod could have; None for one of which it cannot be told."""
    number = 0
    for one in said:
        info = view.nodes[one.node]
        if not all(leaves(refusal, info) for refusal in one.refusals):
            continue
        lower = [other for other in info.pods if _lower(other, pod)]
        if not lower:
            continue
        fork = view.fork()
        for other in lower:
            fork.remove_pod(other.key)
        fits = verdict(fork, pod, one.node).fits
        yield _candidate(fork, pod, one.node, lower) if fits else fits
        number += bool(fits)
        if number >= ENOUGH:
            return


def _lower(other: PodRow, pod: PodRow) -> bool:
    return other.template.priority < pod.template.priority


def leaves(refusal: Refusal, info: NodeInfo) -> bool:
    """Whether the reason can leave with pods: one that asks for more than there is stays."""
    if refusal.reason == "InsufficientResource":
        whole = amount_of(info.node.allocatable, refusal.resource)
        return refusal.requested is not None and refusal.requested <= whole
    return refusal.reason in LEAVING


def _candidate(fork: Fork, pod: PodRow, node: str, lower: Iterable[PodRow]) -> Candidate:
    """Those that need not leave after all come back."""
    important = sorted(lower, key=lambda one: (-one.template.priority, one.key))
    violating = _violating(fork, important)
    first = [one for one in important if one.key in violating]
    victims = []
    for one in (*first, *(other for other in important if other.key not in violating)):
        fork.add_pod(one, node)
        if not verdict(fork, pod, node).fits:
            fork.remove_pod(one.key)
            victims.append(one)
    broken = {budget for one in victims for budget in violating.get(one.key, ())}
    return Candidate(node, tuple(victims), tuple(sorted(broken)))


def _violating(snapshot: Snapshot, victims: Iterable[PodRow]) -> dict[Key, list[Ref]]:
    """Victims that a budget does not let go any more; here an empty selector selects nothing."""
    cluster = snapshot.cluster
    allowed: dict[Ref, int] = {}
    found: dict[Key, list[Ref]] = {}
    for pod in victims:
        for budget in budgets_of(cluster, pod):
            stand = standing(cluster, *budget.key)
            if stand is None or _selects_all(cluster, budget):
                continue
            left = allowed[budget] = allowed.get(budget, stand.allowed) - 1
            if left < 0:
                found.setdefault(pod.key, []).append(budget)
                break
    return found


def _selects_all(cluster: Cluster, budget: Ref) -> bool:
    row = cluster.get(BudgetRow, budget)
    return row is not None and row.selector is not None and not row.selector.requirements
