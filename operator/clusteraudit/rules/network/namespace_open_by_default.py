"""A namespace with pods has no NetworkPolicy.

## What it looks at
Namespaces that hold pods, and whether there is any NetworkPolicy in them.

## Why it matters
Every pod of the cluster can reach these, at every port, and they can reach everything. Whoever
takes over one of them is past the only wall.

## What to do
Put a policy into it that denies ingress by default, then allow what is needed; egress after that,
DNS first. Policies only bind where the network plugin enforces them.

## When it stays silent
In system namespaces; where all pods are on their host's network, which policies do not bind; and
where there is a policy, whatever it says. Unknown where policies of other kinds can decide.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.rows import PolicyRow
from clusteraudit.model.selection import pods_selected
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
    found,
    rule,
    sound,
)
from clusteraudit.simulate.egress import decided_elsewhere

_SHOP = (build.node("node-a"), build.namespace("shop"), *build.pods_of("web", on="node-a"))


@rule(
    code="NET103",
    title="A namespace is open by default",
    subject="Namespace",
    layer=Layer.NETWORKING,
    failure=Failure.CONNECTIVITY,
    severity=Severity.MEDIUM,
    reads=("Namespace", "NetworkPolicy", "Pod"),
    complete=("NetworkPolicy",),
    message="{subject}: it has no NetworkPolicy: every pod of the cluster can reach its pods at "
    "every port, and they can reach everything.",
    remedy="Put a policy into {name} that denies ingress by default, and allow what is needed.",
    since="0.1",
    hygiene=True,
    examples=(
        broken(
            "pods, and no policy",
            _SHOP,
            build.deployment("web"),
            mend=build.egress_policy("lock"),
        ),
        sound("a policy is there", _SHOP, build.egress_policy("lock")),
        sound("no pods are there", build.namespace("shop")),
    ),
)
def namespace_open_by_default(namespace: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    if cluster.bucket(PolicyRow, "policies_in", namespace.name):
        return
    pods = pods_selected(cluster, namespace.name)
    if all(pod.template.host_network for pod in pods):
        return
    if decided_elsewhere(cluster):
        yield Unknown(namespace, "OtherPolicyKinds")
        return
    yield found(namespace, words={"name": namespace.name})
