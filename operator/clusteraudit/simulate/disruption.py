"""What a PodDisruptionBudget lets go, and whom the eviction API refuses.

Source: kube-controller-manager `pkg/controller/disruption/disruption.go` (percentages round up, and
eviction is allowed while currentHealthy is over desiredHealthy), API server
`pkg/registry/core/pod/storage/eviction.go` (1.37).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.kinds import ref
from clusteraudit.model.rows import BudgetRow, Key, PodRow, Ref, WorkloadRow
from clusteraudit.model.selectors import Labels, LabelSelector

KIND = "PodDisruptionBudget"
MAX_DISRUPTED = 2000
"""Evictions that may wait to be seen by the budget's controller (`MaxDisruptedPodSize`)."""
_SCALED = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")
_NEVER_SCALED = ("DaemonSet", "Job", "Node")
"""Kinds without a scale: a budget that must count their pods cannot."""
_Pair = tuple[str, str]
ByLabel = Mapping[_Pair | None, list[BudgetRow]]
"""Budgets of a namespace by a label and its value that they ask for; None: by none."""


class Standing(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a budget's controller counts, and how many pods it lets go at once."""

    budget: Ref
    healthy: int
    """Pods that are ready and not going."""
    desired: int
    expected: int
    allowed: int
    always_allow: bool = False
    counts: bool = True
    """Whether the controller can count; where it cannot, no disruption is allowed."""
    overflows: bool = False
    """More evictions wait to be seen than the API server takes."""

    @property
    def blocks_for_ever(self) -> bool:
        """Whether it lets no pod go even when all of them are healthy."""
        return not self.counts or self.desired >= self.expected > 0

    def charged(self) -> "Standing":
        """After an eviction that it allowed, before its controller counts again."""
        return msgspec.structs.replace(self, allowed=self.allowed - 1)

    def recounted(self, change: int) -> "Standing":
        """After its controller counted again, with `change` more healthy pods."""
        healthy = self.healthy + change
        return msgspec.structs.replace(
            self, healthy=healthy, allowed=self._allowed(healthy), overflows=False
        )

    def _allowed(self, healthy: int) -> int:
        return max(0, healthy - self.desired) if self.counts and self.expected > 0 else 0


class Refusal(StrEnum):
    """Why the eviction API refuses a pod; all but the first are refused at once and for good."""

    BUDGET = "BudgetAllowsNone"
    """429: `kubectl drain` asks again every five seconds."""
    SEVERAL = "SeveralBudgets"
    """500: the API server does not evict a pod of several budgets."""
    OVERFLOW = "TooManyEvictionsPending"
    """403: the budget's controller has not seen thousands of evictions yet."""


def skips_budgets(pod: PodRow) -> bool:
    """Whether eviction is deletion: pods that have not started, have ended or are going."""
    return pod.terminating or pod.phase in {"Pending", "Succeeded", "Failed"}


def refusal(pod: PodRow, budgets: Sequence[Standing]) -> Refusal | None:
    """Why the eviction API refuses the pod now, None where it lets it go."""
    if skips_budgets(pod) or not budgets:
        return None
    if len(budgets) > 1:
        return Refusal.SEVERAL
    budget = budgets[0]
    if not pod.ready and (budget.always_allow or budget.healthy >= budget.desired > 0):
        return None
    if budget.overflows:
        return Refusal.OVERFLOW
    return None if budget.allowed > 0 else Refusal.BUDGET


def charges(pod: PodRow, budget: Standing) -> bool:
    """Whether an eviction that is allowed uses up one of the budget's disruptions."""
    free = budget.always_allow or budget.healthy >= budget.desired > 0
    return not skips_budgets(pod) and (pod.ready or not free)


@derived
def selected(cluster: Cluster, namespace: str, name: str) -> tuple[Key, ...]:
    """Namespace and name of every pod that the selector selects, ended ones too."""
    budget = cluster.find(BudgetRow, KIND, namespace, name)
    if budget is None or budget.selector is None:
        return ()
    chosen = cluster.labels("pods_by_labels", namespace, budget.selector)
    pods = (p for ls in chosen for p in cluster.bucket(PodRow, "there_by_labels", (namespace, ls)))
    return tuple(sorted(pod.key for pod in pods))


@derived
def covered(cluster: Cluster, namespace: str, name: str) -> tuple[Key, ...]:
    """Those of the selected pods that hold room and are not going."""
    pods = _pods(cluster, selected(cluster, namespace, name))
    return tuple(pod.key for pod in pods if pod.active and not pod.terminating)


@derived
def standing(cluster: Cluster, namespace: str, name: str) -> Standing | None:
    """How a budget stands: by its status where that is current, else as it would be counted."""
    row = cluster.find(BudgetRow, KIND, namespace, name)
    if row is None:
        return None
    healthy, desired, expected = _status(row) or _counted(cluster, row)
    counted = row.expected_pods is None
    counts = not row.sync_failed if not counted else expected is not None
    made = Standing(
        budget=ref(KIND, namespace, name),
        healthy=healthy,
        desired=desired,
        expected=expected or 0,
        allowed=0,
        always_allow=row.always_allow,
        counts=counts,
        overflows=row.disrupted > MAX_DISRUPTED,
    ).recounted(0)
    if row.disruptions_allowed is None:
        return made
    # The API server goes by the status alone, which can lag behind its own counts.
    return msgspec.structs.replace(
        made, allowed=row.disruptions_allowed, overflows=row.disrupted > MAX_DISRUPTED
    )


def budgets_of(cluster: Cluster, pod: PodRow) -> tuple[Ref, ...]:
    """Budgets whose selectors select the pod: the empty one selects all, a null one none."""
    return selecting(by_label(cluster, pod.namespace), pod.template.labels)


def selecting(named: ByLabel, labels: Labels) -> tuple[Ref, ...]:
    """Of the budgets of a namespace those that select these labels."""
    perhaps = [row for pair in (None, *labels.pairs) for row in named.get(pair, ())]
    chosen = (one for one in perhaps if one.selector is not None and one.selector.matches(labels))
    return tuple(sorted(ref(KIND, *row.key) for row in chosen))


@derived
def by_label(cluster: Cluster, namespace: str) -> ByLabel:
    """Budgets of a namespace by a label and its value that they ask for; None: by none."""
    found = defaultdict[_Pair | None, list[BudgetRow]](list)
    for row in cluster.bucket(BudgetRow, "budgets_in", namespace):
        if row.selector is not None:
            for pair in _asked(row.selector):
                found[pair].append(row)
    return dict(found)


def _asked(selector: LabelSelector) -> Iterable[_Pair | None]:
    for one in selector.requirements:
        if one.operator == "In":
            return {(one.key, value) for value in one.values}
    return (None,)


def _status(row: BudgetRow) -> tuple[int, int, int | None] | None:
    if row.expected_pods is None:
        return None
    return (row.current_healthy or 0, row.desired_healthy or 0, row.expected_pods)


def _counted(cluster: Cluster, row: BudgetRow) -> tuple[int, int, int | None]:
    """Healthy, desired and expected pods of the spec; expected is None if it cannot be counted."""
    pods = _pods(cluster, selected(cluster, *row.key))
    healthy = sum((pod.ready or pod.synthetic) and not pod.terminating for pod in pods)
    by_share = row.max_unavailable is not None or (row.min_available or "").endswith("%")
    expected = _scale(cluster, pods) if by_share else len(pods)
    if expected is None:
        return (healthy, 0, None)
    if row.max_unavailable is not None:
        return (healthy, max(0, expected - _share(row.max_unavailable, expected)), expected)
    return (healthy, _share(row.min_available or "0", expected), expected)


def _scale(cluster: Cluster, pods: Iterable[PodRow]) -> int | None:
    """Sum of the scales of the pods' controllers; bare pods have none and do not count.

    Of a controller whose scale was not read, as many as it has pods.
    """
    scales: dict[Ref, int] = {}
    for pod in pods:
        owner = pod.template.owner
        if owner is None:
            continue
        if owner.kind in _NEVER_SCALED:
            return None
        speaker = _controller(cluster, owner)
        replicas = _replicas(cluster, speaker)
        counts = pod.active and not pod.terminating
        scales[speaker] = scales.get(speaker, 0) + counts if replicas is None else replicas
    return sum(scales.values())


def _controller(cluster: Cluster, owner: Ref) -> Ref:
    """The Deployment of a ReplicaSet, else the controller itself."""
    row = cluster.get(WorkloadRow, owner)
    if owner.kind == "ReplicaSet" and row and row.owner and row.owner.kind == "Deployment":
        return row.owner
    return owner


def _replicas(cluster: Cluster, controller: Ref) -> int | None:
    row = cluster.get(WorkloadRow, controller) if controller.kind in _SCALED else None
    return row.replicas if row else None


def _share(text: str, expected: int) -> int:
    """An amount as written, or a percentage of the expected pods, rounded up."""
    digits = text.removesuffix("%")
    if not digits.isdecimal():
        return 0
    return -(-int(digits) * expected // 100) if text.endswith("%") else int(digits)


def _pods(cluster: Cluster, keys: Iterable[Key]) -> list[PodRow]:
    rows = (cluster.find(PodRow, "Pod", *key) for key in keys)
    return [row for row in rows if row]


# What a drain leaves alone


def stays(pod: PodRow) -> str:
    """Why `kubectl drain --ignore-daemonsets` leaves a pod where it is; empty if it does not."""
    if pod.template.static:
        return "StaticPod"
    owner = pod.template.owner
    return "DaemonSet" if owner and (owner.kind, owner.group) == ("DaemonSet", "apps") else ""


class Deadlock(msgspec.Struct, frozen=True, gc=False):
    """A budget that never lets a pod go, even when all of them are healthy."""

    budget: Ref
    expected: int
    desired: int
    says: str
    """The field that blocks, as it is written: `maxUnavailable: 0`."""


@derived
def deadlock(cluster: Cluster, namespace: str, name: str) -> Deadlock | None:
    """Whether no drain ever ends; None where it does, or nothing that a drain evicts is covered."""
    budget = cluster.find(BudgetRow, KIND, namespace, name)
    stand = standing(cluster, namespace, name)
    if budget is None or stand is None or not stand.blocks_for_ever:
        return None
    pods = _pods(cluster, covered(cluster, namespace, name))
    if pods and all(stays(pod) for pod in pods):
        return None
    field, text = ("minAvailable", budget.min_available)
    if text is None:
        field, text = ("maxUnavailable", budget.max_unavailable or "0")
    if stand.counts:
        return Deadlock(stand.budget, stand.expected, stand.desired, f"{field}: {text}")
    if not pods:
        return None
    says = f"{field}: {text}, of pods whose controller has no scale to count,"
    return Deadlock(stand.budget, len(pods), len(pods), says)
