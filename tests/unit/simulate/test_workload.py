"""Classes of pods: what counts, how often, and what they are called."""

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.simulate.workload import classes, covering, label_of, of_changes, workload
from support.capacity import asked, machine, pod
from support.clusters import changes_of
from support.model import cluster_of

OWNED = [
    build.pod("a", owner=build.owned_by("ReplicaSet", "a"), on="n", cpu="1"),
    build.pod("b", owner=build.owned_by("StatefulSet", "b"), cpu="1"),
    build.pod("c", owner=build.owned_by("Job", "c", "batch/v1"), cpu="2"),
]
AGENT = build.pod("agent", owner=build.owned_by("DaemonSet", "agent"), on="n", cpu="1")
BARE = build.pod("bare", cpu="1")
STATIC = build.pod("etcd-n", owner=build.owned_by("Node", "n", "v1"), on="n", cpu="1")


def ended(phase: str) -> Manifest:
    made = build.pod("d", owner=build.owned_by("Job", "d", "batch/v1"), on="n", cpu="1")
    return {**made, "status": {"phase": phase}}


def test_owned_and_all() -> None:
    cluster = cluster_of([*OWNED, AGENT, BARE, STATIC, ended("Succeeded"), ended("Failed")])
    assert [(one.name, one.pods) for one in workload(cluster)] == [("cpu=1", 2), ("cpu=2", 1)]
    assert [(one.name, one.pods) for one in workload(cluster, "all")] == [
        ("cpu=1", 3),
        ("cpu=2", 1),
    ]


def test_manifests_count_their_replicas_once() -> None:
    manifests = [
        build.deployment("web", replicas=3, cpu="1"),
        build.stateful_set("db", replicas=20_000, cpu="2"),
        *build.pods_of("web", 2, on="n", cpu="1"),
        build.pod("own", owner=build.owned_by("Rollout", "own", "argoproj.io/v1"), cpu="4"),
        BARE,
        AGENT,
    ]
    found = of_changes(changes_of(manifests))
    assert {one.name: one.pods for one in found} == {"cpu=2": 20_000, "cpu=1": 4, "cpu=4": 1}


def test_pods_of_a_workload_that_says_no_number_count_themselves() -> None:
    job = {"ownerReferences": build.owned_by("Job", "j", "batch/v1")}
    found = of_changes(changes_of([build.pod("j-1", owner=job["ownerReferences"], cpu="1")]))
    assert [(one.name, one.pods) for one in found] == [("cpu=1", 1)]


def test_weights_sum_to_one_and_no_tail_is_cut() -> None:
    many = [pod(f"p{n}", {"cpu": f"{n + 1}m"}) for n in range(150)]
    said = asked(cluster_of([machine("n", {"cpu": 1, "pods": 1}), *many]))
    assert len(said.workload) == 150
    assert sum(one.weight or 0 for one in said.workload) == pytest.approx(1)


def test_coverage_keeps_the_most_frequent() -> None:
    cluster = cluster_of([pod(f"{cpu}-{n}", {"cpu": cpu}) for cpu in (1, 2, 3) for n in range(cpu)])
    whole = workload(cluster)
    assert [one.name for one in whole] == ["cpu=3", "cpu=2", "cpu=1"]
    assert covering(whole, 0.5) == whole[:1]
    assert covering(whole, 0.51) == whole[:2]
    assert covering(whole, 1.0) == whole


def test_zero_is_no_request_and_constraints_tell_apart() -> None:
    cluster = cluster_of(
        [
            pod("a", {"cpu": 1, "memory": 0}),
            pod("b", {"cpu": 1}),
            pod("c", {"cpu": 1}, pool="x"),
            pod("d", {}),
        ]
    )
    assert [(one.name, one.pods) for one in workload(cluster)] == [
        ("cpu=1", 2),
        ("pods=1", 1),
        ("cpu=1#2", 1),
    ]


def test_what_admission_adds_makes_no_other_class() -> None:
    added = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"}
        for key in ("not-ready", "unreachable")
    ]
    admitted = pod("a", {"cpu": 1})
    admitted["spec"]["tolerations"] = [{**one, "tolerationSeconds": 300} for one in added]  # type: ignore[index]
    assert [one.pods for one in workload(cluster_of([admitted, pod("b", {"cpu": 1})]))] == [2]


@pytest.mark.parametrize(
    ("amounts", "label"),
    [
        ((("cpu", 500), ("memory", 2**30)), "cpu=500m,memory=1Gi"),
        ((("memory", 3 * 2**29),), "memory=1536Mi"),
        ((("memory", 10**8),), "memory=100M"),
        ((("memory", 10**8 + 1),), "memory=100000001"),
        ((("example.com/gpu", 2),), "example.com/gpu=2"),
        ((), "pods=1"),
    ],
)
def test_names_are_exact(amounts: tuple[tuple[str, int], ...], label: str) -> None:
    assert label_of(amounts) == label


def test_no_pods_no_classes() -> None:
    assert classes([]) == ()
