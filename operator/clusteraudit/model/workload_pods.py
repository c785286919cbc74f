"""The pods of a workload, told apart once for all the rules that are asked of it.

A part of them is read by itself: that a pod turns ready or unready, which is most of what happens
in a cluster, is of no part, and asks none of these rules again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

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


class ToldApart:
    """Its pods by what rules look for: a large workload has few that any rule need look at."""

    def __init__(self, pods: Sequence[PodRow]) -> None:
        alike = defaultdict[int, list[PodRow]](list)
        self.by_template: Mapping[int, list[PodRow]] = alike
        self.terminating: list[PodRow] = []
        self.waiting: list[PodRow] = []
        self.with_claims: list[PodRow] = []
        self.with_troubles: list[PodRow] = []
        for pod in pods:
            if pod.claims:
                self.with_claims.append(pod)
            if pod.troubles:
                self.with_troubles.append(pod)
            if not pod.node and pod.unplaced:
                self.waiting.append(pod)
            if not pod.terminating and pod.phase not in ENDED:
                alike[id(pod.template)].append(pod)
            elif pod.terminating and pod.active:
                self.terminating.append(pod)


class WorkloadPods:
    """The same for one reader, who is asked again when a part that it has read changes."""

    def __init__(self, apart: ToldApart, note: Callable[[str], None]) -> None:
        self._apart = apart
        self._note = note

    @property
    def by_template(self) -> Mapping[int, list[PodRow]]:
        """Pods that neither ended nor are ending, by the identity of their template.

        Of each its template, its node and whether it is synthetic may be read, nothing else.
        """
        self._note(LIVING)
        return self._apart.by_template

    @property
    def terminating(self) -> list[PodRow]:
        """Pods that are terminating and have not ended."""
        self._note(UNSETTLED)
        return self._apart.terminating

    @property
    def waiting(self) -> list[PodRow]:
        """Pods without a node, which the scheduler looks at."""
        self._note(UNSETTLED)
        return self._apart.waiting

    @property
    def with_troubles(self) -> list[PodRow]:
        """Pods with a container that something is wrong with, whatever became of them."""
        self._note(UNSETTLED)
        return self._apart.with_troubles

    @property
    def with_claims(self) -> list[PodRow]:
        """Pods that name claims, likewise.

        Of each these, its node, its template, and whether it is active or ending may be read.
        """
        self._note(WITH_CLAIMS)
        return self._apart.with_claims
