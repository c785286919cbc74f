"""The pods of a workload, told apart once for all the rules that are asked of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from clusteraudit.model.rows import ENDED, PodRow


class WorkloadPods:
    """Its pods by what rules look for: a large workload has few that any rule need look at."""

    def __init__(self, pods: Sequence[PodRow]) -> None:
        alike = defaultdict[int, list[PodRow]](list)
        self.by_template: Mapping[int, list[PodRow]] = alike
        """Pods that neither ended nor are ending, by the identity of their template."""
        self.terminating: list[PodRow] = []
        """Pods that are terminating and have not ended."""
        self.waiting: list[PodRow] = []
        """Pods without a node, which the scheduler looks at."""
        self.with_claims: list[PodRow] = []
        """Pods that name claims, whatever became of them."""
        self.with_troubles: list[PodRow] = []
        """Pods with a container that something is wrong with, likewise."""
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
