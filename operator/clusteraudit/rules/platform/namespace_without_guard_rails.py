"""A namespace lacks the guard rails that keep its faults its own.

## What it looks at
Five of them: a NetworkPolicy, a ResourceQuota, a LimitRange, a level of pod security that is
enforced, and a label that says whose it is. Told of namespaces with pods that have fewer than
`fewest`.

## Why it matters
What nobody bounds, one mistake can use up: all room of the cluster, any port of any neighbour, the
host itself. And in the night nobody knows whom to call.

## What to do
Make namespaces from a template that brings all five, and apply it to those that are there: quota
and defaults first at sizes that change nothing, then tighter.

## When it stays silent
In system namespaces and those without pods. Where policies of other kinds can decide, the first
rail counts as there. A label is an owner's by its name alone, whatever stands before the slash.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.rows import LimitRangeRow, NamespaceRow, PolicyRow, QuotaRow
from clusteraudit.model.selection import pods_selected
from clusteraudit.model.selectors import Labels
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
from clusteraudit.simulate.egress import decided_elsewhere

_ENFORCED = "pod-security.kubernetes.io/enforce"


class NamespaceWithoutGuardRailsSettings(Settings):
    fewest: int = Field(3, ge=1, le=5, description="How many of the five rails are enough.")
    owner_labels: tuple[str, ...] = Field(
        ("owner", "team", "contact"),
        max_length=20,
        description="Labels that say whose it is, without what stands before the slash.",
    )


_SHOP = (
    build.node("node-a"),
    build.deployment("web"),
    *build.pods_of("web", on="node-a"),
)


@rule(
    code="PLT201",
    title="A namespace lacks guard rails",
    subject="Namespace",
    layer=Layer.WORKLOAD,
    failure=Failure.SCHEDULING,
    severity=Severity.MEDIUM,
    reads=("Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "Pod"),
    complete=("NetworkPolicy", "ResourceQuota", "LimitRange"),
    leads_to=("namespace-open-by-default",),
    message="{subject}: {score} of 5 guard rails are there, missing are {missing}.",
    remedy="Give {name} what is missing, best from a template for all namespaces.",
    since="0.1",
    settings=NamespaceWithoutGuardRailsSettings,
    hygiene=True,
    examples=(
        broken(
            "nothing but a name",
            _SHOP,
            build.namespace("shop"),
            mend=[
                build.namespace("shop", owner="shop", **{_ENFORCED: "baseline"}),
                build.quota("all", cpu="10"),
            ],
        ),
        sound(
            "it has an owner, pod security and a quota",
            _SHOP,
            build.namespace("shop", owner="shop", **{_ENFORCED: "baseline"}),
            build.quota("all", cpu="10"),
        ),
    ),
)
def namespace_without_guard_rails(
    namespace: Ref, cluster: Cluster, settings: NamespaceWithoutGuardRailsSettings
) -> Iterator[Answer]:
    row = cluster.get(NamespaceRow, namespace)
    if row is None or not any(pods_selected(cluster, namespace.name)):
        return
    missing = tuple(_missing(cluster, namespace.name, row.labels, settings.owner_labels))
    score = 5 - len(missing)
    if score < settings.fewest:
        yield found(namespace, score=score, missing=missing, words={"name": namespace.name})


def _missing(
    cluster: Cluster, namespace: str, labels: Labels, owners: tuple[str, ...]
) -> Iterator[str]:
    if not cluster.bucket(PolicyRow, "policies_in", namespace) and not decided_elsewhere(cluster):
        yield "NetworkPolicy"
    if not cluster.bucket(QuotaRow, "quotas_in", namespace):
        yield "ResourceQuota"
    if not cluster.bucket(LimitRangeRow, "limits_in", namespace):
        yield "LimitRange"
    if labels.get(_ENFORCED) is None:
        yield f"label {_ENFORCED}"
    if not any(key.rpartition("/")[2] in owners for key, _ in labels.pairs):
        yield f"label {owners[0]}" if owners else "an owner"
