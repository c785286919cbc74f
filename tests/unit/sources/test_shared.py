"""What objects say alike is held once: in a large cluster it is most of what they say."""

import copy
from itertools import pairwise
from typing import Any

import msgspec

from clusteraudit.model.rows import ClaimRow, EndpointSliceRow, PodRow
from clusteraudit.model.selectors import Labels
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.resources import resource

OWNER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": True}
POD: dict[str, Any] = {
    "metadata": {
        "name": "db-0",
        "namespace": "shop",
        "labels": {"app": "db", "tier": "data", "apps.kubernetes.io/pod-index": "0"},
        "ownerReferences": [OWNER],
    },
    "spec": {
        "containers": [
            {
                "name": "db",
                "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}},
                "ports": [{"containerPort": 5432, "name": "sql"}],
            }
        ],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute"}],
        "dnsPolicy": "ClusterFirstWithHostNet",
    },
    "status": {"qosClass": "Burstable"},
}


class Rows:
    """The rows of what a reader took, each from a text of its own."""

    def __init__(self, kind: str, objects: list[dict[str, Any]]) -> None:
        self.taken: list[Any] = []
        reader = Reader(resource(kind), self)
        for one in objects:
            reader.put(msgspec.json.encode(one))

    def put(self, kind: str, key: tuple[str, str], row: object) -> None:
        """As a sink."""
        self.taken.append(row)

    def state(self, kind: str, state: object) -> None:
        """As a sink."""

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        """As a sink."""
        raise AssertionError(message)


def pods(owners: list[str]) -> list[PodRow]:
    """One of each, all alike but for what names them."""
    told = []
    for at, owner in enumerate(owners):
        pod = copy.deepcopy(POD)
        pod["metadata"] |= {"name": f"{owner}-{at}", "ownerReferences": [{**OWNER, "name": owner}]}
        pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = str(at)
        told.append(pod)
    return Rows("Pod", told).taken


def common(labels: Labels) -> list[tuple[str, str]]:
    """Those that all pods carry."""
    return [pair for pair in labels.pairs if pair[0] in {"app", "tier"}]


def test_labels_of_pods_with_one_of_their_own() -> None:
    held = [common(pod.template.labels) for pod in pods(["db", "db", "cache"])]
    for one, other in pairwise(held):
        assert [id(pair) for pair in one] == [id(pair) for pair in other]


def test_what_templates_of_several_controllers_say() -> None:
    one, other = (pod.template for pod in pods(["db", "cache"]))
    assert one != other
    for field in ("requests", "limits", "tolerations", "ports", "qos", "dns_policy"):
        assert getattr(one, field)
        assert getattr(one, field) is getattr(other, field), field


def test_modes_of_claims_and_ports_of_endpoints() -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "volumeMode": "Block"}
    named = [{"name": name, "namespace": "shop"} for name in ("a", "b")]
    claims: list[ClaimRow] = Rows(
        "PersistentVolumeClaim", [{"metadata": meta, "spec": spec} for meta in named]
    ).taken
    assert claims[0].access_modes is claims[1].access_modes
    assert claims[0].mode is claims[1].mode
    slices: list[EndpointSliceRow] = Rows(
        "EndpointSlice", [{"metadata": meta, "ports": [{"port": 80}]} for meta in named]
    ).taken
    assert slices[0].ports is slices[1].ports


def test_rules_of_policies_addresses_of_services_and_drivers_of_nodes() -> None:
    named = [{"name": name, "namespace": "shop"} for name in ("a", "b")]
    dns = {"ports": [{"port": 53, "protocol": "UDP"}], "to": [{"namespaceSelector": {}}]}
    spec: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [dns]}
    one, other = Rows("NetworkPolicy", [{"metadata": meta, "spec": spec} for meta in named]).taken
    assert one.egress_rules[0] is other.egress_rules[0]

    spec = {"clusterIPs": ["None"]}
    one, other = Rows("Service", [{"metadata": meta, "spec": spec} for meta in named]).taken
    assert one.cluster_ips
    assert one.cluster_ips is other.cluster_ips

    spec = {"drivers": [{"name": "disk.csi.example.com", "allocatable": {"count": 24}}]}
    one, other = Rows("CSINode", [{"metadata": meta, "spec": spec} for meta in named]).taken
    assert one.drivers
    assert one.drivers is other.drivers

    spec = {"minAvailable": "50%"}
    budgets = [{"metadata": meta, "spec": spec} for meta in named]
    one, other = Rows("PodDisruptionBudget", budgets).taken
    assert one.min_available == "50%"
    assert one.min_available is other.min_available


def test_the_name_of_a_claim_wherever_it_is_named() -> None:
    """By its pod, which says it anew each time it changes, by its volume and by itself."""
    meta = {"name": "data-db-0", "namespace": "shop"}
    (claim,) = Rows("PersistentVolumeClaim", [{"metadata": meta}]).taken
    bound = {"metadata": {"name": "pv-1"}, "spec": {"claimRef": meta}}
    (volume,) = Rows("PersistentVolume", [bound]).taken
    disk = {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}
    pod = POD | {"spec": POD["spec"] | {"volumes": [disk]}}
    (user,) = Rows("Pod", [pod]).taken
    assert claim.name is volume.claim[1] is user.claims[0]


def test_the_name_of_a_node_and_of_who_runs_there() -> None:
    (node,) = Rows("Node", [{"metadata": {"name": "node-1"}}]).taken
    (pod,) = Rows("Pod", [POD | {"spec": POD["spec"] | {"nodeName": "node-1"}}]).taken
    assert node.name is pod.node
