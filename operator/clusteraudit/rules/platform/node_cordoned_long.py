"""A node has been cordoned for long.

## What it looks at
`spec.unschedulable`, and since when the taint `node.kubernetes.io/unschedulable` has stood
(`forSeconds`, a day by default); and which budgets keep the node's pods from leaving.

## Why it matters
Its room is paid for and of no use, and whatever it was cordoned for, an upgrade as a rule, has not
come to its end.

## What to do
If a budget is named, mend it: the drain then goes on. Else end the drain, or `kubectl uncordon`.

## When it stays silent
Before that time. Unknown where the taint does not say since when.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.rows import BudgetRow, NodeRow, PodRow
from clusteraudit.model.tolerations import UNSCHEDULABLE
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    Unknown,
    broken,
    count,
    found,
    rule,
    some,
    sound,
)
from clusteraudit.simulate.disruption import Deadlock, deadlock


class NodeCordonedLongSettings(Settings):
    for_seconds: int = Field(
        86_400, ge=0, le=31_536_000, description="How long a node may be cordoned, in seconds."
    )


@rule(
    code="PLT102",
    title="A node has been cordoned for long",
    subject="Node",
    layer=Layer.NODE_CAPACITY,
    failure=Failure.SCHEDULING,
    severity=Severity.LOW,
    reads=("Node",),
    uses=("Pod", "PodDisruptionBudget"),
    leads_to=("zone-without-node",),
    message="{subject}: cordoned since {since}, with {pods} on it{blocked}.",
    remedy="{mend}`kubectl uncordon {node}`, or end the drain and remove the node.",
    since="0.1",
    settings=NodeCordonedLongSettings,
    examples=(
        broken(
            "two days, and a budget lets no pod go",
            build.node("node-a", cordoned=2 * 86_400),
            build.pods_of("db", 2, on="node-a"),
            build.budget("db", minAvailable=2, counts=(2, 2, 2)),
            mend=build.node("node-a"),
        ),
        broken(
            "two days, and nobody came back to it",
            build.node("node-a", cordoned=2 * 86_400),
            mend=build.node("node-a"),
        ),
        sound("an hour", build.node("node-a", cordoned=3600)),
    ),
)
def node_cordoned_long(
    node: Ref, cluster: Cluster, settings: NodeCordonedLongSettings
) -> Iterator[Answer]:
    row = cluster.get(NodeRow, node)
    if row is None or not row.unschedulable:
        return
    since = next((one.time_added for one in row.taints if one.key == UNSCHEDULABLE), None)
    if since is None:
        yield Unknown(node, "TaintTimeAdded")
        return
    if not cluster.older(since, settings.for_seconds):
        return
    pods = [one for one in cluster.bucket(PodRow, "pods_on", node.name) if not one.terminating]
    locks = list(_locks(cluster, pods))
    budgets = tuple(f"{lock.budget.namespace}/{lock.budget.name}" for lock in locks)
    yield found(
        node,
        refs=[lock.budget for lock in locks],
        since=rfc3339(since),
        pods=len(pods),
        budgets=budgets[:5],
        words={
            "pods": count(len(pods), "pod"),
            "blocked": f"; it cannot be drained, {some(budgets)} lets no pod go" if budgets else "",
            "mend": f"Mend PodDisruptionBudget {some(budgets)} first; then " if budgets else "",
            "node": node.name,
        },
    )


def _locks(cluster: Cluster, pods: list[PodRow]) -> Iterator[Deadlock]:
    """Budgets that cover one of the pods and never let it go."""
    for namespace in sorted({pod.namespace for pod in pods}):
        for budget in cluster.bucket(BudgetRow, "budgets_in", namespace):
            selects = budget.selector and any(
                budget.selector.matches(pod.template.labels)
                for pod in pods
                if pod.namespace == namespace
            )
            lock = deadlock(cluster, *budget.key) if selects else None
            if lock:
                yield lock
