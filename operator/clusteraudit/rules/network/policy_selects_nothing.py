"""A NetworkPolicy selects no pod.

## What it looks at
The policy's podSelector, against the labels of every pod of its namespace, ended ones included,
and of the templates of its workloads, those scaled to zero included.

## Why it matters
The pods that it was written for are as open as if it were not there, and nobody is told.

## What to do
Compare the selector with the labels of the pods that it was meant for; delete it if they are gone.

## When it stays silent
For the empty selector, which is a default for pods to come. Pods that only a CronJob makes are
seen while one of them is kept.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.rows import PolicyRow
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    broken,
    found,
    rule,
    sound,
)

_INDEXES = ("pods_by_labels", "templates_by_labels")


@rule(
    code="NET102",
    title="A policy selects no pod",
    subject="NetworkPolicy",
    layer=Layer.NETWORKING,
    failure=Failure.CONNECTIVITY,
    severity=Severity.LOW,
    reads=("NetworkPolicy", "Pod", "Deployment", "StatefulSet", "DaemonSet"),
    complete=("Pod", "Deployment", "StatefulSet", "DaemonSet"),
    uses=("ReplicaSet", "Job"),
    message="{subject}: its selector {selector} selects no pod and no workload's template, "
    "so it protects nothing.",
    remedy="Compare it with `kubectl get pods -n {namespace} --show-labels`; "
    "delete the policy if those pods are gone.",
    since="0.1",
    hygiene=True,
    examples=(
        broken(
            "the label was renamed",
            build.node("node-a"),
            build.deployment("web"),
            build.pods_of("web", on="node-a"),
            build.egress_policy("lock", app="website"),
            mend=build.egress_policy("lock", app="web"),
        ),
        sound(
            "the workload is scaled to zero",
            build.deployment("web", replicas=0),
            build.egress_policy("lock", app="web"),
        ),
    ),
)
def policy_selects_nothing(policy: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    row = cluster.get(PolicyRow, policy)
    if row is None or not row.selector.requirements:
        return
    if not any(cluster.labels(name, policy.namespace, row.selector) for name in _INDEXES):
        yield found(
            policy,
            selector=str(row.selector),
            words={"namespace": policy.namespace},
        )
