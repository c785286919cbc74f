"""What a PodDisruptionBudget lets go.

Source: kube-controller-manager `pkg/controller/disruption/disruption.go`: percentages round up,
and eviction is allowed while currentHealthy is over desiredHealthy.
"""

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.kinds import ref
from clusteraudit.model.rows import BudgetRow, PodRow, Ref
from clusteraudit.model.selectors import Labels


class Deadlock(msgspec.Struct, frozen=True, gc=False):
    """A budget that never lets a pod go, even when all of them are healthy."""

    budget: Ref
    expected: int
    desired: int
    says: str
    """The field that blocks, as it is written: `maxUnavailable: 0`."""


@derived
def covered(cluster: Cluster, namespace: str, name: str) -> tuple[tuple[str, str], ...]:
    """Namespace and name of the active pods that a budget's selector selects."""
    budget = cluster.find(BudgetRow, "PodDisruptionBudget", namespace, name)
    if budget is None or budget.selector is None:
        return ()
    chosen = (
        labels
        for labels in cluster.group("pods_by_labels", namespace)
        if isinstance(labels, Labels) and budget.selector.matches(labels)
    )
    pods = (p for ls in chosen for p in cluster.bucket(PodRow, "pods_by_labels", (namespace, ls)))
    return tuple(sorted(pod.key for pod in pods if pod.active and not pod.terminating))


@derived
def deadlock(cluster: Cluster, namespace: str, name: str) -> Deadlock | None:
    """Whether no voluntary eviction is ever allowed; None where one is, or nothing is covered."""
    budget = cluster.find(BudgetRow, "PodDisruptionBudget", namespace, name)
    if budget is None:
        return None
    expected = budget.expected_pods
    if expected is None:
        expected = len(covered(cluster, namespace, name))
    desired = _desired(budget, expected)
    if expected <= 0 or desired < expected:
        return None
    field, text = ("minAvailable", budget.min_available)
    if text is None:
        field, text = ("maxUnavailable", budget.max_unavailable or "0")
    itself = ref("PodDisruptionBudget", namespace, name)
    return Deadlock(itself, expected, desired, f"{field}: {text}")


def _desired(budget: BudgetRow, expected: int) -> int:
    if budget.desired_healthy is not None:
        return budget.desired_healthy
    if budget.max_unavailable is not None:
        return expected - _share(budget.max_unavailable, expected)
    return 0 if budget.min_available is None else _share(budget.min_available, expected)


def _share(text: str, expected: int) -> int:
    """An amount as written, or a percentage of the expected pods, rounded up."""
    digits = text.removesuffix("%")
    if not digits.isdecimal():
        return 0
    return -(-int(digits) * expected // 100) if text.endswith("%") else int(digits)
