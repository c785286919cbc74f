"""The pods of a workload, told apart once for all the rules that are asked of it.

A part of them is read by itself: that a pod turns ready or unready, which is most of what happens
in a cluster, is of no part, and asks none of these rules again.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from clusteraudit.model.rows import ENDED, PodRow

LIVING, UNSETTLED, WITH_CLAIMS = "living", "unsettled", "with claims"
PARTS = (LIVING, UNSETTLED, WITH_CLAIMS)


def parts_changed(old: PodRow | None, new: PodRow | None) -> Iterator[str]:
    """The parts that are no longer what they were, after a pod came, went or changed."""
    if _living(old) != _living(new):
        yield LIVING
    if _unsettled(old) or _unsettled(new):
        yield UNSETTLED
    if _with_claims(old) != _with_claims(new):
        yield WITH_CLAIMS


def _living(pod: PodRow | None) -> tuple[object, ...] | None:
    """What is read of a pod that neither ended nor is ending."""
    if pod is None or not pod.living:
        return None
    return pod.template, pod.node, pod.synthetic


def _unsettled(pod: PodRow | None) -> bool:
    """Whether it waits for a node, is ending, or has a container that something is wrong with."""
    if pod is None:
        return False
    return bool(pod.troubles) or pod.unplaced or (pod.terminating and pod.active)


def _with_claims(pod: PodRow | None) -> tuple[object, ...] | None:
    if pod is None or not pod.claims:
        return None
    return pod.claims, pod.node, pod.template, pod.active, pod.terminating


_key = attrgetter("namespace", "name")


class ToldApart:
    """Its pods by what rules look for: a large workload has few that any rule need look at."""

    def __init__(self, pods: Iterable[PodRow]) -> None:
        """Of pods in the order of their keys."""
        self.terminating: list[PodRow] = []
        self.waiting: list[PodRow] = []
        self.with_claims: list[PodRow] = []
        self.with_troubles: list[PodRow] = []
        self._alike: dict[int, list[PodRow]] = {}
        self._in_order = True
        """Whether templates are in the order of their first pods."""
        for pod in pods:
            for held in self._lists_of(pod):
                held.append(pod)

    @property
    def by_template(self) -> Mapping[int, list[PodRow]]:
        """Pods that live, by the identity of their template."""
        if not self._in_order:
            self._alike = dict(sorted(self._alike.items(), key=lambda one: _key(one[1][0])))
            self._in_order = True
        return self._alike

    def change(self, old: PodRow | None, new: PodRow | None) -> None:
        """A pod came, went or is another now."""
        if old is not None:
            for held in self._lists_of(old):
                del held[bisect_left(held, _key(old), key=_key)]
        if new is not None:
            for held in self._lists_of(new):
                held.insert(bisect_left(held, _key(new), key=_key), new)
        if old is not None and not self._alike.get(id(old.template), True):
            del self._alike[id(old.template)]
        self._in_order = len(self._alike) <= 1

    def _lists_of(self, pod: PodRow) -> Iterator[list[PodRow]]:
        if pod.claims:
            yield self.with_claims
        if pod.troubles:
            yield self.with_troubles
        if not pod.node and pod.unplaced:
            yield self.waiting
        if not pod.terminating and pod.phase not in ENDED:
            yield self._alike.setdefault(id(pod.template), [])
        elif pod.terminating and pod.active:
            yield self.terminating


class WorkloadPods:
    """The same for one reader, who is asked again when a part that it has read changes.

    Nobody keeps what is handed out: it changes with the pods.
    """

    def __init__(self, apart: ToldApart, note: Callable[[str], None]) -> None:
        self._apart = apart
        self._note = note

    @property
    def by_template(self) -> Mapping[int, Sequence[PodRow]]:
        """Pods that neither ended nor are ending, by the identity of their template.

        Of each its template, its node and whether it is synthetic may be read, nothing else.
        """
        self._note(LIVING)
        return self._apart.by_template

    @property
    def terminating(self) -> Sequence[PodRow]:
        """Pods that are terminating and have not ended."""
        self._note(UNSETTLED)
        return self._apart.terminating

    @property
    def waiting(self) -> Sequence[PodRow]:
        """Pods without a node, which the scheduler looks at."""
        self._note(UNSETTLED)
        return self._apart.waiting

    @property
    def with_troubles(self) -> Sequence[PodRow]:
        """Pods with a container that something is wrong with, whatever became of them."""
        self._note(UNSETTLED)
        return self._apart.with_troubles

    @property
    def with_claims(self) -> Sequence[PodRow]:
        """Pods that name claims, likewise.

        Of each these, its node, its template, and whether it is active or ending may be read.
        """
        self._note(WITH_CLAIMS)
        return self._apart.with_claims
