"""Traps of the API's data, and what is often said of Kubernetes and is not so: a case each.

Those that have a case elsewhere are not here: quantities (`model/test_quantity.py`), the order of
eviction (`simulate/test_evictions.py`), lists and watches (`sources/test_informer.py`), and what
each rule makes of evidence that is missing (`tests/rules`).
"""

from typing import Any

import pytest

from clusteraudit.audit.audit import AuditResult
from clusteraudit.model import build
from clusteraudit.model.build import NOW, Manifest
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.rows import NodeRow, PodRow
from clusteraudit.model.store import COMPLETE, Evidence
from clusteraudit.report.inputs import Origin
from clusteraudit.report.scan import scan
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.simulate.fit import refusals
from clusteraudit.simulate.node_zones import zone_of
from clusteraudit.simulate.pools import places
from clusteraudit.simulate.schedule import verdicts
from clusteraudit.simulate.snapshot import snapshot
from support.capacity import asked as capacity_of
from support.clusters import EVERYTHING, audit_of, changes_of
from support.placing import ZONE, asked, cluster_of, pod_of

LATER = rfc3339(NOW + 3600)


def audited(
    rule: str, *objects: Manifest, evidence: dict[str, Evidence] | None = None
) -> AuditResult:
    """One rule's answer."""
    known = {**EVERYTHING, **(evidence or {})}
    return audit_of(catalogue().only([rule]), objects, evidence=known)[1]


def outcome(rule: str, *objects: Manifest, **evidence: Evidence) -> str:
    return audited(rule, *objects, evidence=evidence).tallies[0].outcome


def subjects(rule: str, *objects: Manifest) -> list[str]:
    return [str(one.finding.subject) for one in audited(rule, *objects).entries]


def mirror(name: str, **more: Any) -> Manifest:
    """A static pod as the API shows it."""
    made = build.pod(name, **more)
    annotations = {"kubernetes.io/config.mirror": "abc"}
    owner = build.owned_by("Node", more["on"], "v1")
    made["metadata"] = {
        "name": name,
        "namespace": "shop",
        "annotations": annotations,
        "ownerReferences": owner,
    }
    return made


# What is often said, and is not so


def test_a_node_of_sixteen_cores_with_eight_times_one_and_a_half_requested_is_not_full() -> None:
    """4 CPU are free, and a pod of 4 is placed: what is requested and idle is another figure."""
    busy = build.pods_of("web", 8, on="n", cpu="1500m", memory="1Gi")
    idle = build.node_usage("n", "500m", "1Gi")
    node = build.node("n", "16", "64Gi")
    four = build.pod("new", unschedulable=600, cpu="4", memory="1Gi")

    assert asked(four, node, *busy).fits is True
    figures = capacity_of(cluster_of(changes_of([node, *busy]))).resources["cpu"]
    assert (figures.free, figures.requested) == (4000, 12000)
    assert outcome("CMP101", node, idle, *busy) == "clear"
    assert outcome("CMP103", node, idle, *busy) == "clear"


def test_the_scheduler_knows_the_zone_of_a_bound_volume() -> None:
    """The pod is refused and waits; it is not put elsewhere to fail there."""
    pod = build.pod("new", unschedulable=600, claim="data")
    disk = [build.claim("data", "disk"), build.volume("disk", "zone-b", "data")]
    node = build.node("n", zone="zone-a")

    assert [one.filter for one in asked(pod, node, *disk).refusals] == ["VolumeBinding"]
    assert subjects("STO101", node, pod, *disk) == ["Pod shop/new"]


def test_a_volume_that_says_nothing_of_its_place_is_no_refusal() -> None:
    disk = build.volume("disk", "zone-b", "data")
    spec: Any = disk["spec"]
    del spec["nodeAffinity"]
    pod = build.pod("new", unschedulable=600, claim="data")
    said = asked(pod, build.node("n", zone="zone-a"), build.claim("data", "disk"), disk)

    assert said.refusals == ()


# Pods


def test_a_pod_that_is_being_deleted_holds_its_room_and_serves_nobody() -> None:
    going = build.pod("web", on="n", cpu="3", status={"conditions": []})
    going["metadata"] = {
        "name": "web",
        "namespace": "shop",
        "labels": {"app": "web"},
        "deletionTimestamp": build.ago(600),
    }
    pod = build.pod("new", unschedulable=600, cpu="2")
    service = [build.service("web"), build.endpoints("web", ready=0)]

    assert asked(pod, build.node("n", "4"), going).fits is False
    assert subjects("NET201", build.node("n", "4"), going, *service) == ["Service shop/web"]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_holds_nothing(phase: str) -> None:
    done = build.pods_of("batch", 200, on="n", cpu="3", status={"phase": phase})
    pod = build.pod("new", unschedulable=600, cpu="4")
    assert asked(pod, build.node("n", "4"), *done).fits is True


def test_a_mirror_pod_holds_room_and_nobody_is_told_to_mend_it() -> None:
    static = mirror("etcd-n", on="n", cpu="3")
    pod = build.pod("new", unschedulable=600, cpu="2")

    assert asked(pod, build.node("n", "4"), static).fits is False
    assert subjects("CMP203", mirror("etcd-n", on="n")) == []
    row = pod_of(cluster_of(changes_of([static])), "etcd-n")
    assert (row.template.static, row.template.owner) == (True, None)


def test_pods_of_a_daemon_set_are_no_workload_that_could_be_elsewhere() -> None:
    agent = build.pod(
        "agent", on="n", cpu="1", memory="1Gi", owner=build.owned_by("DaemonSet", "agent")
    )
    figures = capacity_of(cluster_of(changes_of([build.node("n", "4"), agent])))
    assert figures.resources["cpu"].requested == 1000
    assert figures.shapes == []


def test_two_pods_of_one_volume_name_one_disk() -> None:
    pods = [
        build.pod(name, unschedulable=600, claim="data", owner=build.owned_by("StatefulSet", "db"))
        for name in ("db-0", "db-1")
    ]
    disk = [build.claim("data", "disk"), build.volume("disk", "zone-b", "data")]
    found = audited("STO102", build.node("n", zone="zone-a"), *pods, *disk).entries

    assert [dict(one.finding.evidence)["volumes"] for one in found] == [1]


def test_a_path_of_the_node_is_no_volume_of_a_zone() -> None:
    spec = {"volumes": [{"name": "data", "hostPath": {"path": "/data"}}]}
    pod = build.pod("new", unschedulable=600, spec=spec)

    assert pod_of(cluster_of(changes_of([pod])), "new").claims == ()
    assert outcome("STO101", build.node("n", zone="zone-a"), pod) == "clear"


@pytest.mark.parametrize(
    ("init", "qos"), [({"cpu": "1", "memory": "1Gi"}, "Guaranteed"), ({"cpu": "1"}, "Burstable")]
)
def test_without_a_qos_class_in_the_status_it_is_computed(init: dict[str, str], qos: str) -> None:
    """Requests that equal limits are not enough: of both, and of init containers too."""
    full = {"limits": {"cpu": "1", "memory": "1Gi"}}
    spec = {
        "containers": [{"name": "a", "resources": full}],
        "initContainers": [{"name": "i", "resources": {"limits": init}}],
    }
    row = pod_of(cluster_of(changes_of([build.pod("a", on="n", spec=spec)])), "a")
    assert row.template.qos == qos


# Owners


def owners(*objects: Manifest) -> list[str]:
    """Who speaks for the pods, both by the model and by whom a rule is asked of."""
    cluster = cluster_of(changes_of(objects))
    said = {str(cluster.owner(pod)) for pod in cluster.all(PodRow, "Pod")}
    assert set(subjects("CMP203", *objects)) == said
    return sorted(said)


def test_a_deployment_speaks_for_pods_by_way_of_its_replica_set() -> None:
    assert owners(build.deployment("web"), *build.pods_of("web", 2, on="n")) == [
        "Deployment shop/web"
    ]


def test_names_are_never_cut_where_the_replica_set_is_not_known() -> None:
    _, *pods = build.pods_of("web", 2, on="n")
    assert owners(*pods) == ["ReplicaSet shop/web-1"]


def test_owners_stop_at_a_kind_that_is_not_known() -> None:
    pod = build.pod("db-1", on="n", owner=build.owned_by("Cluster", "db", "postgresql.cnpg.io/v1"))
    assert owners(pod) == ["Cluster shop/db"]


def test_an_owner_that_does_not_control_is_none() -> None:
    made = build.owned_by("ReplicaSet", "web-1")
    owner = [{**one, "controller": False} for one in made]
    assert owners(build.pod("x", on="n", owner=owner)) == ["Pod shop/x"]


def test_owners_in_a_circle_end() -> None:
    pods = build.pods_of("web", on="n")
    round_about = build.deployment("web")
    round_about["metadata"] = {
        "name": "web",
        "namespace": "shop",
        "ownerReferences": build.owned_by("ReplicaSet", "web-1"),
    }
    cluster = cluster_of(changes_of([*pods, round_about]))
    row = pod_of(cluster, "web-1-0")
    assert cluster.owner(row).name in {"web", "web-1"}
    assert [pod.name for pod in cluster.pods_of(cluster.owner(row))] == ["web-1-0"]


# Nodes


def bare(name: str = "n") -> Manifest:
    """A node that has not said what it has."""
    return build.thing("v1", "Node", name)


def test_a_node_that_has_not_said_what_it_has_takes_no_pod() -> None:
    pod = build.pod("new", unschedulable=600, cpu="1")
    reasons = [one.reason for one in asked(pod, bare()).refusals]
    assert reasons == ["TooManyPods", "InsufficientResource"]


@pytest.mark.parametrize("rule", ["CMP103", "CMP201", "CMP204"])
def test_of_a_node_that_has_not_said_what_it_has_nothing_is_clear(rule: str) -> None:
    usage = build.node_usage("n", "1", "1Gi")
    assert outcome(rule, bare(), usage, build.pod("x", on="n", cpu="1")) == "unknown"


def test_an_empty_zone_label_is_no_zone() -> None:
    cluster = cluster_of(changes_of([build.node("n", labels={ZONE: ""})]))
    assert [zone_of(one) for one in cluster.all(NodeRow, "Node")] == [""]
    assert [one.zone for one in places(cluster)] == [""]
    immediate = build.storage_class("fast", "ebs.csi.aws.com", default=True)
    empty = [build.node(name, labels={ZONE: ""}) for name in "ab"]
    assert outcome("STO104", immediate, *empty) == "clear"
    one_more = build.node("c", zone="zone-a")
    assert outcome("STO104", immediate, *empty, one_more) == "clear"


# Evidence


def test_usage_that_is_missing_is_not_zero() -> None:
    full = [build.node("n", "8"), build.pod("api", on="n", cpu="7800m")]
    assert outcome("CMP103", *full) == "unknown"
    assert outcome("CMP103", *full, NodeMetrics=Evidence("none", "NotServed")) == "unknown"
    assert outcome("CMP201", build.node("n")) == "unknown"


def test_what_may_not_be_read_is_unknown_and_what_is_not_served_is_empty() -> None:
    pods = [build.node("n"), *build.pods_of("web", on="n"), build.namespace("shop")]
    refused = Evidence("none", "Forbidden")
    assert outcome("NET103", *pods, NetworkPolicy=refused) == "unknown"
    assert outcome("PLT101", *pods, PodDisruptionBudget=refused) == "unknown"
    assert outcome("PLT101", *pods, PodDisruptionBudget=COMPLETE) == "notApplicable"


def test_pods_of_one_namespace_leave_all_room_in_doubt() -> None:
    """Who may read a part of the pods does not know what is free on any node."""
    pod = build.pod("new", unschedulable=600, cpu="1")
    said = asked(pod, build.node("n", "4"), partial="Pod")
    assert (said.fits, [one.missing for one in said.doubts]) == (None, ["Pod"])
    part = Evidence("partial")
    for rule in ("CMP101", "CMP103", "CMP204"):
        assert outcome(rule, build.node("n", "4"), Pod=part) == "unknown"


def test_events_are_no_evidence() -> None:
    """They are kept for an hour and merged: no rule can read them, since the model holds none."""
    assert "Event" not in KINDS


def test_words_of_the_scheduler_decide_nothing() -> None:
    """They change between versions: condition and reason count, and what the engine finds."""
    node = build.node("n", "4")
    told = []
    for message in ("0/1 nodes are available: 1 Insufficient memory.", "", "anything"):
        pod = build.pod("new", unschedulable=600, cpu="6")
        status: Any = pod["status"]
        status["conditions"][0]["message"] = message
        told.append(audited("CMP102", node, pod).entries[0].message)
    assert len(set(told)) == 1
    assert "too little cpu" in told[0]


# Time


def test_a_time_that_is_yet_to_come_is_waited_for() -> None:
    """Clocks differ: nothing is found early, nothing fails, and the question is asked again."""
    pod = build.pod("new", unschedulable=0, cpu="6")
    status: Any = pod["status"]
    status["conditions"][0]["lastTransitionTime"] = LATER
    result = audited("CMP102", build.node("n", "4"), pod)

    assert result.tallies[0].outcome == "clear"
    assert result.wake == NOW + 3600 + 300


def test_a_sample_of_a_clock_that_is_ahead_is_a_sample() -> None:
    usage = {**build.node_usage("n", "1", "16300Mi"), "timestamp": LATER}
    assert outcome("CMP201", build.node("n", "4", "16Gi"), usage) == "found"


# What is published


def test_no_value_annotation_or_argument_comes_into_an_answer() -> None:
    secret = "hunter2"
    container = {
        "name": "main",
        "image": "app:1",
        "args": [f"--password={secret}"],
        "command": ["run", secret],
        "env": [{"name": "PASSWORD", "value": secret}],
    }
    pod = build.pod("new", unschedulable=600, spec={"containers": [container]})
    pod["metadata"] = {"name": "new", "namespace": "shop", "annotations": {"note": secret}}
    rules = catalogue()
    _, result = audit_of(rules, [build.node("n", "4"), pod])
    text = scan(result, rules, Origin()).model_dump_json()

    assert result.entries
    assert secret not in text


def test_each_reason_is_of_the_first_filter_however_many_nodes_there_are() -> None:
    """Nodes are counted by sorts; a refusal of one is one of its like, never of another."""
    nodes = [
        *(build.node(f"a{one}", "4") for one in range(3)),
        *(build.node(f"b{one}", "4", cordoned=60) for one in range(2)),
        build.node("c", "16"),
    ]
    pod = build.pod("new", unschedulable=600, cpu="8", spec={"nodeSelector": {"disk": "fast"}})
    nodes[5]["metadata"]["labels"]["disk"] = "fast"  # type: ignore[index]
    cluster = cluster_of(changes_of([*nodes, pod]))

    assert dict(refusals(cluster, pod_of(cluster, "new"))) == {
        "cordoned": 2,
        "node selector disk=fast does not match": 3,
    }
    assert [one.fits for one in verdicts(snapshot(cluster), pod_of(cluster, "new"))].count(
        True
    ) == 1
