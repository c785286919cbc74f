"""Who makes nodes, as far as it can be seen, and for which pods one may be on its way."""

from collections.abc import Sequence
from typing import Any

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import PodRow
from clusteraudit.simulate.autoscaling import Prospect, prospect
from support.clusters import audit_of

KARPENTER = {"karpenter.sh/nodepool": "default"}
GROUP = {"eks.amazonaws.com/nodegroup": "apps"}
WAITS = build.pod("waits", unschedulable=60, cpu="2")


def cluster_of(*objects: Manifest | Sequence[Manifest]) -> Cluster:
    flat: list[Manifest] = []
    for each in objects:
        flat += [each] if isinstance(each, dict) else each
    return audit_of([], flat)[0].cluster


def seen(*objects: Manifest | Sequence[Manifest], pod: Manifest = WAITS) -> Prospect | None:
    cluster = cluster_of(*objects, pod)
    (waiting,) = cluster.bucket(PodRow, "unplaced", at=True)
    return prospect(cluster, waiting)


def maker(label: str, name: str, *, ready: bool = True) -> list[Manifest]:
    """A Deployment's pod, by the label that its chart gives it."""
    status = {} if ready else {"conditions": [{"type": "Ready", "status": "False"}]}
    owner = build.owned_by("ReplicaSet", "maker-1")
    made = build.pod("maker", "kube-system", owner=owner, on="system", status=status)
    metadata: dict[str, Any] = made["metadata"]  # type: ignore[assignment]
    metadata["labels"] = {label: name}
    return [made]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("app.kubernetes.io/name", "aws-cluster-autoscaler"),
        ("app", "cluster-autoscaler"),
        ("k8s-app", "cluster-autoscaler"),
    ],
)
def test_cluster_autoscaler_is_seen_by_its_pods(label: str, name: str) -> None:
    found = seen(build.node("a", labels=GROUP), maker(label, name))
    assert found == Prospect("cluster-autoscaler", certain=True, known_size=True)


def test_another_autoscaler_makes_no_nodes() -> None:
    proportional = maker("k8s-app", "cluster-proportional-autoscaler-dns")
    assert seen(build.node("a"), proportional) is None


@pytest.mark.parametrize(
    ("app", "labels"), [("cluster-autoscaler", GROUP), ("karpenter", KARPENTER)]
)
def test_one_that_is_not_ready_makes_nothing(app: str, labels: dict[str, str]) -> None:
    broken = maker("app.kubernetes.io/name", app, ready=False)
    assert seen(build.node("a", labels=labels), broken) is None


def test_karpenter_is_seen_by_its_nodes() -> None:
    found = seen(build.node("a", labels=KARPENTER))
    assert found == Prospect("Karpenter", certain=True, known_size=True)


def test_karpenter_may_choose_a_larger_node_and_cluster_autoscaler_may_not() -> None:
    large = build.pod("waits", unschedulable=60, cpu="6")

    found = seen(build.node("a", labels=KARPENTER), pod=large)
    assert found == Prospect("Karpenter", certain=True, known_size=False)

    group = build.node("a", labels=GROUP)
    assert seen(group, maker("app", "cluster-autoscaler"), pod=large) is None


def test_what_a_provider_runs_is_not_seen() -> None:
    found = seen(build.node("a", labels={"cloud.google.com/gke-nodepool": "default"}))
    assert found == Prospect("GKE", certain=False, known_size=True)
    assert seen(build.node("a", labels=GROUP)) is None
    assert seen(build.node("a")) is None


def test_fargate_makes_a_node_for_each_pod() -> None:
    pod = build.pod("waits", unschedulable=60)
    pod["metadata"] = {**WAITS["metadata"], "labels": {"eks.amazonaws.com/fargate-profile": "x"}}  # type: ignore[dict-item]
    assert seen(pod=pod) == Prospect("Fargate", certain=True, known_size=True)


def test_a_constraint_excludes_what_would_come() -> None:
    node = build.node("a", labels=KARPENTER, zone="one")
    named = build.pod("waits", unschedulable=60, spec={"nodeSelector": {"disk": "fast"}})
    pinned = build.pod(
        "waits", unschedulable=60, spec={"nodeSelector": {"kubernetes.io/hostname": "a"}}
    )
    tainted = build.node("a", labels=KARPENTER, taints=[{"key": "gpu", "effect": "NoSchedule"}])

    assert seen(node, pod=named) is None
    assert seen(node, pod=pinned) is None
    assert seen(tainted) is None


def test_a_volume_elsewhere_excludes_it() -> None:
    pod = build.pod("waits", unschedulable=60, claim="data")
    claim = build.claim("data", "disk")
    for zone, expected in (("one", True), ("two", False)):
        found = seen(
            build.node("a", labels=KARPENTER, zone="one"),
            build.volume("disk", zone, "data"),
            claim,
            pod=pod,
        )
        assert (found is not None) is expected


def test_what_passes_is_not_of_the_pool() -> None:
    taint = {"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}
    node = build.node("a", labels=KARPENTER, taints=[taint], cordoned=60)
    assert seen(node) == Prospect("Karpenter", certain=True, known_size=True)


def test_the_control_plane_does_not_grow() -> None:
    labels = {"node-role.kubernetes.io/control-plane": ""}
    assert seen(build.node("a", labels=labels), maker("app", "cluster-autoscaler")) is None


def test_karpenter_without_nodes_is_seen_by_its_api_group() -> None:
    pool = build.thing("karpenter.sh/v1", "NodePool", "default")
    other = build.node("a", labels=GROUP, taints=[{"key": "system", "effect": "NoSchedule"}])
    assert seen(other, pool) == Prospect("Karpenter", certain=True, known_size=True)
    grouped = build.pod("waits", unschedulable=60, spec={"nodeSelector": GROUP})
    assert seen(other, pool, pod=grouped) is None
