"""From real shapes of objects to rows: requests, QoS, owners, policies, budgets, zones."""

from typing import Any

import pytest

from clusteraudit.model import rows
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import Ref, amount_of
from clusteraudit.sources.feed import TranslateError
from clusteraudit.sources.payload import decode
from clusteraudit.sources.translate import DOCUMENTS, translate


def row(kind: str, **parts: Any) -> Any:
    meta = {"name": "x", "namespace": "n", **parts.pop("metadata", {})}
    manifest = {"metadata": meta, **parts}
    return translate(kind, decode(kind, manifest))


def container(cpu: str = "", memory: str = "", *, limits: Any = None, **more: Any) -> Any:
    requests = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    return {"name": "c", "resources": {"requests": requests, "limits": limits or {}}, **more}


def requests_of(**spec: Any) -> dict[str, int]:
    return dict(row("Pod", spec=spec).template.requests)


def test_containers_add_up() -> None:
    assert requests_of(containers=[container("100m", "1Gi"), container("1", "1Mi")]) == {
        "cpu": 1100,
        "memory": (1 << 30) + (1 << 20),
    }


def test_the_server_rounds_each_amount_to_thousandths_and_the_sum_rounds_once() -> None:
    assert requests_of(containers=[container("100u", "100m")] * 10) == {"cpu": 10, "memory": 1}


def test_an_init_container_counts_at_its_peak() -> None:
    spec = {"containers": [container("1")], "initContainers": [container("3"), container("2")]}
    assert requests_of(**spec) == {"cpu": 3000}


def test_a_sidecar_runs_beside_those_that_come_after_it() -> None:
    sidecar = container("1", restartPolicy="Always")
    spec = {"containers": [container("1")], "initContainers": [container("4"), sidecar]}
    assert requests_of(**spec) == {"cpu": 4000}
    spec["initContainers"] = [sidecar, container("4")]
    assert requests_of(**spec) == {"cpu": 5000}


def test_a_limit_without_a_request_is_the_request() -> None:
    assert requests_of(containers=[container(limits={"cpu": "2"})]) == {"cpu": 2000}


def test_pod_level_requests_replace_the_sum_of_what_they_name() -> None:
    spec = {
        "containers": [container("1", "1Gi")],
        "resources": {"requests": {"cpu": "4", "example.com/gpu": "1"}},
    }
    assert requests_of(**spec) == {"cpu": 4000, "memory": 1 << 30}


def test_overhead_is_added_always() -> None:
    assert requests_of(containers=[container("1")], overhead={"cpu": "250m", "memory": "1Mi"}) == {
        "cpu": 1250,
        "memory": 1 << 20,
    }


RESIZE = {
    "phase": "Running",
    "containerStatuses": [
        {"name": "a", "resources": {"requests": {"cpu": "1"}}, "allocatedResources": {"cpu": "1"}},
        {"name": "b", "resources": {"requests": {"cpu": "3"}}, "allocatedResources": {"cpu": "3"}},
    ],
}


@pytest.mark.parametrize(
    ("node", "reason", "cpu"), [("n1", "", 4000), ("n1", "Infeasible", 4000), ("", "", 3000)]
)
def test_two_opposite_resizes_take_the_larger_sum(node: str, reason: str, cpu: int) -> None:
    containers = [{**container("2"), "name": "a"}, {**container("1"), "name": "b"}]
    conditions = [{"type": "PodResizePending", "status": "True", "reason": reason}]
    pod = row(
        "Pod",
        spec={"nodeName": node, "containers": containers},
        status={**RESIZE, "conditions": conditions if reason else []},
    )
    assert amount_of(pod.template.requests, "cpu") == cpu


@pytest.mark.parametrize(
    ("containers", "qos"),
    [
        ([container()], "BestEffort"),
        ([container("1")], "Burstable"),
        ([container("1", "1Gi", limits={"cpu": "1", "memory": "1Gi"})], "Guaranteed"),
        ([container(limits={"cpu": "1", "memory": "1Gi"})], "Guaranteed"),
        ([container("1", limits={"cpu": "1"})], "Burstable"),
        ([container("0", "0")], "BestEffort"),
    ],
)
def test_qos_is_computed_as_the_server_does(containers: Any, qos: str) -> None:
    assert row("Pod", spec={"containers": containers}).template.qos == qos


def test_qos_needs_the_init_containers_too() -> None:
    full = container("1", "1Gi", limits={"cpu": "1", "memory": "1Gi"})
    spec = {"containers": [full], "initContainers": [container("1")]}
    assert row("Pod", spec=spec).template.qos == "Burstable"


def test_the_controller_is_the_owner_and_nobody_else() -> None:
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"},
        {"apiVersion": "apps/v1beta2", "kind": "ReplicaSet", "name": "b", "controller": True},
    ]
    pod = row("Pod", metadata={"ownerReferences": references})
    assert pod.template.owner == Ref("apps/v1", "ReplicaSet", "n", "b")


def test_a_static_pod_is_nobodys() -> None:
    node = {"apiVersion": "v1", "kind": "Node", "name": "a", "controller": True}
    pod = row("Pod", metadata={"ownerReferences": [node]})
    assert pod.template.static
    assert pod.template.owner is None


def test_claims_of_a_pod_include_those_of_ephemeral_volumes() -> None:
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "d"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
        {"name": "tmp", "emptyDir": {}},
    ]
    assert row("Pod", spec={"volumes": volumes}).claims == ("d", "x-scratch")


def test_what_is_not_modelled_is_named() -> None:
    spec = {
        "schedulerName": "other",
        "resourceClaims": [{"name": "gpu"}],
        "schedulingGroup": {"podGroupName": "gang"},
        "volumes": [{"name": "d", "azureDisk": {"diskName": "d", "diskURI": "d"}}],
    }
    assert row("Pod", spec=spec).template.unmodelled == (
        "DynamicResources",
        "GangScheduling",
        "NodeVolumeLimits",
        "Scheduler other",
    )


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ({}, True, False),
        ({"egress": []}, True, True),
        ({"policyTypes": ["Egress"]}, False, True),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, True, False),
    ],
)
def test_policy_types_default_as_the_server_does(spec: Any, ingress: bool, egress: bool) -> None:
    policy = row("NetworkPolicy", spec=spec)
    assert (policy.ingress, policy.egress) == (ingress, egress)


def test_a_selector_that_is_absent_is_not_one_that_is_empty() -> None:
    rules: Any = [{"to": [{"podSelector": {}}, {"namespaceSelector": {}}]}]
    peers = row("NetworkPolicy", spec={"egress": rules}).egress_rules[0].peers
    assert peers[0].namespaces is None
    assert peers[1].pods is None
    assert row("PodDisruptionBudget").selector is None
    assert row("PodDisruptionBudget", spec={"selector": {}}).selector is not None


def test_a_status_of_another_generation_says_nothing() -> None:
    counts = {"desiredHealthy": 2, "expectedPods": 3, "observedGeneration": 1}
    assert row("PodDisruptionBudget", metadata={"generation": 1}, status=counts).expected_pods == 3
    assert (
        row("PodDisruptionBudget", metadata={"generation": 2}, status=counts).expected_pods is None
    )


def test_a_regional_disk_names_its_zones() -> None:
    labels = {"topology.kubernetes.io/zone": "a__b"}
    volume = row("PersistentVolume", metadata={"labels": labels, "namespace": ""})
    assert volume.zones == (("topology.kubernetes.io/zone", ("a", "b")),)


@pytest.mark.parametrize(
    ("kind", "parts", "reason"),
    [
        ("Node", {"status": {"allocatable": {"cpu": "-1"}}}, "InvalidQuantity"),
        ("Node", {"status": {"allocatable": {"cpu": "1K"}}}, "InvalidQuantity"),
        ("Pod", {"spec": {"containers": [container("-1")]}}, "InvalidQuantity"),
        (
            "NetworkPolicy",
            {"spec": {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Maybe"}]}}},
            "InvalidSelector",
        ),
        (
            "Node",
            {"spec": {"taints": [{"key": "a", "effect": "NoSchedule", "timeAdded": "soon"}]}},
            "InvalidTime",
        ),
    ],
)
def test_what_cannot_be_evaluated_says_why(kind: str, parts: Any, reason: str) -> None:
    with pytest.raises(TranslateError) as error:
        row(kind, **parts)
    assert error.value.reason == reason


def test_blanks_around_a_quantity_are_trimmed() -> None:
    assert requests_of(containers=[container(" 1 ")]) == {"cpu": 1000}


def test_every_kind_has_a_document_and_the_row_of_its_table() -> None:
    assert DOCUMENTS.keys() == KINDS.keys()
    for kind in KINDS.values():
        assert isinstance(row(kind.name), kind.row)


def test_a_node_may_hold_next_to_nothing() -> None:
    node = row("Node", metadata={"namespace": ""})
    assert node == rows.NodeRow("", "x")
