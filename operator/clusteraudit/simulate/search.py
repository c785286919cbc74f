"""A placement of all of some pods, where there is one; or that there is none; or a bound is met."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from clusteraudit.model.rows import SLOTS, Amounts, Key, PodRow, amount_of
from clusteraudit.simulate.bulk import MANY
from clusteraudit.simulate.schedule import Verdict, feasible, verdicts
from clusteraudit.simulate.snapshot import Fork, NodeInfo, Snapshot

SEARCH_CHECKS = 100_000
"""Nodes that a search looks at before it gives up, about two seconds."""
_RELATIVE = frozenset({"PodTopologySpread", "InterPodAffinity"})
"""Filters that can come to admit a pod when other pods are placed; all others only get stricter."""
_WEIGHED = ("cpu", "memory")


class Options(msgspec.Struct, frozen=True, gc=False):
    """The nodes that take a pod, and those of which it cannot be told."""

    fits: tuple[NodeInfo, ...]
    maybe: tuple[str, ...]


def options(snapshot: Snapshot, pod: PodRow) -> Options:
    """Ask every node; that one which is not known could take the pod is said by `refused`."""
    found = feasible(snapshot, pod)
    return Options(tuple(snapshot.nodes[name] for name in found.fits), found.maybe)


def relative(pod: PodRow) -> bool:
    """Whether a node that refuses it can come to take it when other pods are placed."""
    return bool(pod.template.affinity or pod.template.spread)


def settled(snapshot: Snapshot, pod: PodRow, found: Options) -> bool:
    """Whether no node takes it, wherever the others go."""
    if found.fits or found.maybe:
        return False
    return not relative(pod) or all(map(_final, verdicts(snapshot, pod)))


def _final(verdict: Verdict) -> bool:
    """Whether one of its refusals stays, whatever else is placed."""
    return any(one.filter not in _RELATIVE for one in verdict.refusals)


def roomiest(info: NodeInfo, pod: PodRow) -> tuple[float, str]:
    """The scheduler's own liking: the node of which least is asked for (LeastAllocated)."""
    return (-_share_left(info, pod), info.name)


def tightest(info: NodeInfo, pod: PodRow) -> tuple[float, str]:
    """The node that it fills best: leaves large holes to large pods."""
    return (_share_left(info, pod), info.name)


def _share_left(info: NodeInfo, pod: PodRow) -> float:
    """Of cpu and memory of the node, the mean share that would be left."""
    shares = [
        (info.left(name) - amount_of(pod.template.requests, name)) / whole
        for name in _WEIGHED
        if (whole := amount_of(info.node.allocatable, name)) > 0
    ]
    return sum(shares) / len(shares) if shares else 0.0


def kinds(pods: Iterable[PodRow]) -> list[PodRow]:
    """One pod of each template and set of claims."""
    return list({(pod.namespace, pod.template, pod.claims): pod for pod in pods}.values())


def crowded(snapshot: Snapshot, pods: Sequence[PodRow], asked: Iterable[PodRow]) -> bool:
    """Whether there are more pods equal to one of those asked for than nodes have room for."""
    counts = Counter((pod.namespace, pod.template, pod.claims) for pod in pods)
    for pod in asked:
        found = options(snapshot, pod)
        if found.maybe or relative(pod):
            continue
        room = sum(copies(info, pod.template.requests) for info in found.fits)
        if counts[pod.namespace, pod.template, pod.claims] > room:
            return True
    return False


def copies(info: NodeInfo, requests: Amounts) -> int:
    """How often a pod that asks for this has room on a node."""
    rooms = [info.left(name) // amount for name, amount in requests if amount > 0]
    return max(0, min([info.left(SLOTS), *rooms]))


class Search:
    """All placements of some pods, those with the fewest nodes first, up to a bound."""

    def __init__(self, start: Fork, pods: Sequence[PodRow], checks: int = SEARCH_CHECKS) -> None:
        self.nodes: dict[Key, str] = {}
        self._left = checks if len(pods) <= MANY else 0
        self._complete = self._left > 0
        self._takes = _takes(start, pods) if self._complete else {}
        self.found = self._complete and self._place(start.fork(), list(pods))

    @property
    def exhausted(self) -> bool:
        """Whether every placement was tried, so that not finding one is a proof."""
        return self._complete and not self.found

    def _place(self, fork: Fork, pods: list[PodRow]) -> bool:
        if not pods:
            return True
        for pod, found in self._next(fork, pods):
            rest = [one for one in pods if one.key != pod.key]
            for info in self._distinct(found, pod):
                if self._left <= 0:
                    self._complete = False
                    return False
                branch = fork.fork()
                branch.add_pod(pod, info.name)
                self.nodes[pod.key] = info.name
                if self._place(branch, rest):
                    return True
        return False

    def _next(self, fork: Fork, pods: list[PodRow]) -> list[tuple[PodRow, Options]]:
        """The pod with the fewest nodes; where the order matters, each could be the next.

        A pod that no node takes for good ends the branch.
        """
        asked: list[tuple[PodRow, Options]] = []
        for pod in kinds(pods):
            self._left -= len(fork.nodes)
            found = options(fork, pod)
            if settled(fork, pod, found):
                return []
            self._complete = self._complete and not found.maybe
            asked.append((pod, found))
        asked.sort(key=lambda one: len(one[1].fits))
        return asked if any(relative(pod) for pod, _ in asked) else asked[:1]

    def _distinct(self, found: Options, pod: PodRow) -> list[NodeInfo]:
        """The nodes that take it, fullest first; of nodes that are alike, one."""
        alike: dict[object, NodeInfo] = {}
        for info in sorted(found.fits, key=lambda info: tightest(info, pod)):
            alike.setdefault((_likeness(info), self._takes.get(info.name)), info)
        return list(alike.values())


def _takes(start: Snapshot, pods: Sequence[PodRow]) -> dict[str, frozenset[int]]:
    """Which kinds of the pods each node takes: nodes that differ in it are not alike."""
    found: dict[str, set[int]] = {}
    for number, pod in enumerate(kinds(pods)):
        for info in options(start, pod).fits:
            found.setdefault(info.name, set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def _likeness(info: NodeInfo) -> object:
    """What two nodes have in common where it does not matter which of them takes a pod."""
    node = info.node
    labels = tuple(pair for pair in node.labels.pairs if pair[1] != node.name)
    pods = frozenset(Counter((pod.namespace, pod.template) for pod in info.pods).items())
    return (labels, node.taints, node.unschedulable, frozenset(info.free.items()), pods)
