"""A PodDisruptionBudget never lets a pod go.

## What it looks at
The pods that must be healthy (desiredHealthy), against those that there are (expectedPods): the
budget wants all of them, whatever happens. The budget's own status where it is current, else its
spec and the pods that it selects; percentages round up, as the controller rounds them.

## Why it matters
Every drain of a node with one of these pods waits for ever: upgrades stall, nodes stay cordoned,
the autoscaler cannot remove them.

## What to do
Let one go: `maxUnavailable: 1`, or a minAvailable below the number of replicas. A single replica
cannot be both protected and movable: run two, or accept its restart.

## When it stays silent
Where a pod may go while all are healthy, even if none may now; and where no pod is covered.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.rows import BudgetRow, PodRow
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
from clusteraudit.simulate.disruption import covered, deadlock

_DB = (
    build.node("node-a"),
    build.deployment("db", replicas=2),
    *build.pods_of("db", 2, on="node-a"),
)


@rule(
    code="PLT101",
    title="A budget never lets a pod go",
    subject="PodDisruptionBudget",
    layer=Layer.WORKLOAD,
    failure=Failure.SCHEDULING,
    severity=Severity.HIGH,
    reads=("PodDisruptionBudget", "Pod"),
    uses=("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    leads_to=("node-cordoned-long",),
    message="{subject}: with {says} {nobody} be evicted: a drain of {nodes} waits for ever.",
    remedy="Set maxUnavailable to 1, or run more replicas than minAvailable asks for; "
    "a single replica needs a second one, or no budget.",
    since="0.1",
    examples=(
        broken(
            "no pod may be unavailable",
            _DB,
            build.budget("db", maxUnavailable=0, counts=(2, 2, 2)),
            mend=build.budget("db", maxUnavailable=1, counts=(2, 1, 2)),
        ),
        broken(
            "as many must be available as there are, and the status does not tell yet",
            _DB,
            build.budget("db", minAvailable=2),
            mend=build.budget("db", minAvailable=1),
        ),
        sound(
            "a pod is unhealthy now, so none may go until it is back",
            _DB,
            build.budget("db", maxUnavailable=1, counts=(1, 1, 2)),
        ),
    ),
)
def budget_blocks_drain(budget: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    row = cluster.get(BudgetRow, budget)
    if row is None:
        return
    if row.expected_pods is None and not cluster.complete("Pod"):
        pods = covered(cluster, *budget.key)
        if not pods:
            yield Unknown(budget, "Pods")
            return
    lock = deadlock(cluster, *budget.key)
    if lock is None:
        return
    rows = [cluster.find(PodRow, "Pod", *key) for key in covered(cluster, *budget.key)]
    owners = sorted({cluster.owner(pod) for pod in rows if pod})
    nodes = sorted({pod.node for pod in rows if pod and pod.node})
    yield found(
        budget,
        refs=owners,
        expectedPods=lock.expected,
        desiredHealthy=lock.desired,
        says=lock.says,
        nodes=tuple(nodes[:5]),
        words={
            "nobody": "its only pod may never"
            if lock.expected == 1
            else f"none of its {count(lock.expected, 'pod')} may ever",
            "nodes": some(nodes) or "any node that runs one",
        },
    )
