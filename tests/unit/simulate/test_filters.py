"""Every filter by cases: what it refuses, for which reason, and what it cannot tell."""

from typing import Any

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from support.placing import HOST, ZONE, asked, said

WEB = {"matchLabels": {"app": "web"}}


def new(**spec: Any) -> Manifest:
    asks = {name: spec.pop(name) for name in ("cpu", "memory", "claim", "app") if name in spec}
    return build.pod("new", spec=spec or None, **asks)


def other(name: str = "old", on: str = "n", **spec: Any) -> Manifest:
    return build.pod(name, on=on, app=spec.pop("app", "web"), spec=spec or None)


def ports(*ports: dict[str, Any]) -> dict[str, Any]:
    listed = [{"containerPort": 80, **one} for one in ports]
    return {"containers": [{"name": "main", "ports": listed}]}


def affinity(kind: str, **term: Any) -> dict[str, Any]:
    whole = {"topologyKey": ZONE, "labelSelector": WEB, **term}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [whole]}}


def near(**term: Any) -> dict[str, Any]:
    return {"affinity": affinity("podAffinity", **term)}


def apart(**term: Any) -> dict[str, Any]:
    return {"affinity": affinity("podAntiAffinity", **term)}


def terms(*terms: Any) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


def tolerate(**toleration: Any) -> dict[str, Any]:
    return {"tolerations": [toleration]}


@pytest.mark.parametrize(
    ("tolerations", "fits"),
    [
        ({}, False),
        (tolerate(operator="Exists"), True),
        (tolerate(key="node.kubernetes.io/unschedulable", effect="NoSchedule"), True),
        (tolerate(key="other", operator="Exists"), False),
    ],
)
def test_a_cordoned_node(tolerations: dict[str, Any], fits: bool) -> None:
    found = said(new(**tolerations), build.node("n", cordoned=60))
    assert found == ([] if fits else ["Unschedulable", "UntoleratedTaint"])


@pytest.mark.parametrize(
    ("taint", "toleration", "fits"),
    [
        ("a=1:NoSchedule", {}, False),
        ("a=1:NoExecute", {}, False),
        ("a=1:PreferNoSchedule", {}, True),
        ("a=1:NoSchedule", {"key": "a", "value": "1"}, True),
        ("a=1:NoSchedule", {"key": "a", "value": "2"}, False),
        ("a=1:NoSchedule", {"key": "a", "operator": "Exists", "effect": "NoExecute"}, False),
        ("a=5:NoSchedule", {"key": "a", "operator": "Gt", "value": "4"}, True),
        ("a=5:NoSchedule", {"key": "a", "operator": "Gt", "value": "5"}, False),
        ("a=5:NoSchedule", {"key": "a", "operator": "Lt", "value": "6"}, True),
        ("a=x:NoSchedule", {"key": "a", "operator": "Lt", "value": "6"}, False),
        ("a=05:NoSchedule", {"key": "a", "operator": "Lt", "value": "6"}, False),
        ("a=5:NoSchedule", {"key": "a", "operator": "Near", "value": "5"}, False),
    ],
)
def test_taints(taint: str, toleration: dict[str, str], fits: bool) -> None:
    pair, effect = taint.split(":")
    key, value = pair.split("=")
    node = build.node("n", taints=[{"key": key, "value": value, "effect": effect}])
    spec = tolerate(**toleration) if toleration else {}
    assert said(new(**spec), node) == ([] if fits else ["UntoleratedTaint"])


SSD = {"key": "disk", "operator": "In", "values": ["ssd"]}
BIG = {"key": "size", "operator": "Gt", "values": ["3"]}
NAMED = {"key": "metadata.name", "operator": "In", "values": ["n"]}


@pytest.mark.parametrize(
    ("spec", "reasons"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, []),
        ({"nodeSelector": {"disk": "hdd"}}, ["NodeSelectorMismatch"]),
        (terms({"matchExpressions": [SSD]}), []),
        (terms({"matchExpressions": [SSD, BIG]}), ["NodeAffinityMismatch"]),
        (terms({"matchExpressions": [BIG]}, {"matchExpressions": [SSD]}), []),
        (terms({"matchFields": [NAMED]}), []),
        (terms({"matchFields": [{**NAMED, "operator": "NotIn"}]}), ["NodeAffinityMismatch"]),
        (terms({"matchExpressions": [BIG], "matchFields": [NAMED]}), ["NodeAffinityMismatch"]),
        (terms({}), ["NodeAffinityMismatch"]),
        (terms(), ["NodeAffinityMismatch"]),
        ({"nodeSelector": {"disk": "hdd"}, **terms({"matchExpressions": [SSD]})}, None),
    ],
)
def test_node_affinity(spec: dict[str, Any], reasons: list[str] | None) -> None:
    node = build.node("n", labels={"disk": "ssd", "size": "3"})
    assert said(new(**spec), node) == (["NodeSelectorMismatch"] if reasons is None else reasons)


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, False),
        ({"hostPort": 80}, {"hostPort": 81}, True),
        ({"hostPort": 80, "protocol": "UDP"}, {"hostPort": 80}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.1"}, False),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, False),
        ({"hostPort": 80}, {"hostPort": 80, "hostIP": "10.0.0.1"}, False),
        ({"hostPort": 80, "hostIP": "0.0.0.0"}, {"hostPort": 80, "hostIP": "10.0.0.1"}, False),
        ({}, {"hostPort": 80}, True),
    ],
)
def test_host_ports(mine: dict[str, Any], theirs: dict[str, Any], fits: bool) -> None:
    found = said(new(**ports(mine)), build.node("n"), other(**ports(theirs)))
    assert found == ([] if fits else ["HostPortConflict"])


def test_on_the_nodes_network_every_port_is_its_own() -> None:
    mine = {**ports({}), "hostNetwork": True}
    assert said(new(**mine), build.node("n"), other(**mine)) == ["HostPortConflict"]


def test_an_init_container_frees_its_port_unless_it_stays() -> None:
    taken = other(**ports({"hostPort": 80}))
    init = {"name": "i", "ports": [{"containerPort": 80, "hostPort": 80}]}
    assert said(new(initContainers=[init]), build.node("n"), taken) == []
    stays = {**init, "restartPolicy": "Always"}
    assert said(new(initContainers=[stays]), build.node("n"), taken) == ["HostPortConflict"]


def test_one_refusal_per_resource_with_its_amounts() -> None:
    found = asked(new(cpu="6", memory="20Gi"), build.node("n", "4", "16Gi")).refusals
    assert [(one.resource, one.requested, one.free) for one in found] == [
        ("cpu", 6000, 4000),
        ("memory", 20 << 30, 16 << 30),
    ]


def test_slots_are_asked_apart_from_resources() -> None:
    node = build.node("n")
    node["status"] = {"allocatable": {"cpu": "4", "pods": "1"}}
    found = asked(new(), node, other()).refusals
    assert [(one.reason, one.resource, one.requested, one.free) for one in found] == [
        ("TooManyPods", "pods", 1, 0)
    ]


def test_a_request_of_nothing_fits_an_overcommitted_node() -> None:
    full = build.pod("old", on="n", cpu="8")
    assert said(new(cpu="0"), build.node("n", "4"), full) == []
    assert asked(new(cpu="1m"), build.node("n", "4"), full).refusals[0].free == -4000


GPU: dict[str, Any] = {
    "containers": [{"name": "m", "resources": {"limits": {"example.com/gpu": "1"}}}]
}


def device_class(name: str, resource: str = "") -> Manifest:
    spec = {"extendedResourceName": resource} if resource else {}
    return build.thing("resource.k8s.io/v1", "DeviceClass", name, spec=spec)


def test_a_resource_of_a_device_class_is_left_to_its_driver() -> None:
    node, gpu = build.node("n"), device_class("gpu", "example.com/gpu")
    assert said(new(**GPU), node) == ["InsufficientResource"]
    assert said(new(**GPU), node, gpu) == ["NotModelled?"]
    assert said(new(**GPU), node, partial="DeviceClass") == ["DeviceClass?"]
    named = {"deviceclass.resource.kubernetes.io/gpu": "1"}
    spec = {"containers": [{"name": "m", "resources": {"limits": named}}]}
    assert said(new(**spec), node, device_class("gpu")) == ["NotModelled?"]


def test_a_node_that_advertises_the_resource_is_asked_for_it() -> None:
    node = build.node("n")
    node["status"] = {"allocatable": {"example.com/gpu": "1", "pods": "9"}}
    gpu = device_class("gpu", "example.com/gpu")
    assert said(new(**GPU), node, gpu) == []
    assert said(new(**GPU), node, gpu, other(**GPU)) == ["InsufficientResource"]


def spread(**more: Any) -> dict[str, Any]:
    one = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **more}
    return {"topologySpreadConstraints": [{"labelSelector": WEB, **one}]}


TWO = (build.node("n", zone="a"), build.node("m", zone="b"))
TAINTED = build.node("m", zone="b", taints=[{"key": "t", "effect": "NoSchedule"}])


@pytest.mark.parametrize(
    ("spec", "objects", "reasons"),
    [
        (spread(), (*TWO, other()), ["TopologySkew"]),
        (spread(maxSkew=2), (*TWO, other()), []),
        (spread(), (*TWO, other(), other("x", "m")), []),
        (spread(whenUnsatisfiable="ScheduleAnyway"), (*TWO, other()), []),
        (spread(), (TWO[0], other()), []),
        (spread(minDomains=2), (TWO[0], other()), ["TopologySkew"]),
        (spread(), (build.node("n"), TWO[1]), ["MissingTopologyLabel"]),
        (spread(), (TWO[0], TAINTED, other()), ["TopologySkew"]),
        (spread(nodeTaintsPolicy="Honor"), (TWO[0], TAINTED, other()), []),
        ({**spread(), "nodeSelector": {ZONE: "a"}}, (*TWO, other()), []),
        (
            {**spread(nodeAffinityPolicy="Ignore"), "nodeSelector": {ZONE: "a"}},
            (*TWO, other()),
            ["TopologySkew"],
        ),
        (spread(labelSelector={}), (*TWO, other()), []),
        (spread(labelSelector=None), (*TWO, other()), []),
        (spread(matchLabelKeys=["app"]), (*TWO, other()), ["TopologySkew"]),
    ],
)
def test_topology_spread(
    spec: dict[str, Any], objects: tuple[Manifest, ...], reasons: list[str]
) -> None:
    assert said(new(app="web", **spec), *objects) == reasons


def test_label_keys_to_match_set_generations_apart() -> None:
    def pod(name: str, revision: str, **more: Any) -> Manifest:
        made = build.pod(name, app="web", **more)
        made["metadata"] = {
            "name": name,
            "namespace": "shop",
            "labels": {"app": "web", "rev": revision},
        }
        return made

    spec = spread(matchLabelKeys=["rev"])
    assert said(pod("new", "2", spec=spec), *TWO, pod("old", "1", on="n")) == []
    assert said(pod("new", "1", spec=spec), *TWO, pod("old", "1", on="n")) == ["TopologySkew"]


def test_pods_on_their_way_out_do_not_count_for_spread() -> None:
    going = other()
    going["metadata"] = {**going["metadata"], "deletionTimestamp": build.ago(5)}  # type: ignore[dict-item]
    assert said(new(app="web", **spread()), *TWO, going) == []


@pytest.mark.parametrize("kind", ["Node", "Pod"])
def test_spread_cannot_be_told_of_a_part(kind: str) -> None:
    assert f"{kind}?" in said(new(app="web", **spread()), *TWO, other(), partial=kind)


TEAM = build.thing("v1", "Namespace", "ops", metadata={"labels": {"team": "ops"}})


def elsewhere(name: str = "old") -> Manifest:
    return build.pod(name, "ops", on="n", app="web")


@pytest.mark.parametrize(
    ("spec", "objects", "reasons"),
    [
        (near(), (other(),), []),
        (near(), (other(on="m"),), ["PodAffinityMismatch"]),
        (near(), (), []),
        (near(labelSelector={"matchLabels": {"app": "db"}}), (), ["PodAffinityMismatch"]),
        (near(labelSelector=None), (other(),), ["PodAffinityMismatch"]),
        (near(topologyKey="rack"), (), ["MissingTopologyLabel"]),
        (near(), (elsewhere(),), []),
        (near(labelSelector={"matchLabels": {"app": "web", "x": "y"}}), (elsewhere(),), None),
        (near(namespaces=["ops"]), (elsewhere(),), []),
        (near(namespaceSelector={}), (elsewhere(),), []),
        (near(namespaceSelector={"matchLabels": {"team": "ops"}}), (elsewhere(), TEAM), []),
        (near(namespaceSelector={"matchLabels": {"team": "x"}}), (elsewhere(), TEAM), None),
        (apart(), (other(),), ["PodAntiAffinity"]),
        (apart(), (other(on="m"),), []),
        (apart(), (elsewhere(),), []),
        (apart(namespaceSelector={}), (elsewhere(),), ["PodAntiAffinity"]),
        (apart(topologyKey="rack"), (other(),), []),
        (apart(matchLabelKeys=["app"]), (other(),), ["PodAntiAffinity"]),
        (apart(labelSelector={}, mismatchLabelKeys=["app"]), (other(),), []),
        (
            apart(labelSelector={}, mismatchLabelKeys=["app"]),
            (other(app="db"),),
            ["PodAntiAffinity"],
        ),
        ({}, (other(**apart()),), ["ExistingPodAntiAffinity"]),
        ({}, (other(on="m", **apart()),), []),
        ({}, (other(**apart(namespaces=["ops"])),), []),
    ],
)
def test_pod_affinity(
    spec: dict[str, Any], objects: tuple[Manifest, ...], reasons: list[str] | None
) -> None:
    wanted = ["PodAffinityMismatch"] if reasons is None else reasons
    assert said(new(app="web", **spec), *TWO, *objects) == wanted


def test_all_terms_must_be_met_by_one_pod() -> None:
    both = near()
    required = both["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    required.append({"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "db"}}})
    pods = (other(), other("db", app="db"))
    assert said(new(app="x", **both), *TWO, *pods) == ["PodAffinityMismatch"]


def test_affinity_that_is_not_met_is_a_doubt_where_pods_are_missing() -> None:
    wanted = near(labelSelector={"matchLabels": {"app": "db"}})
    found = asked(new(**wanted), *TWO, partial="Pod")
    assert found.fits is None
    assert not found.refusals


def test_gates_refuse_everywhere() -> None:
    found = asked(new(schedulingGates=[{"name": "quota"}]), build.node("n")).refusals
    assert [(one.filter, one.detail) for one in found] == [
        ("SchedulingGates", "waits for gate quota")
    ]


@pytest.mark.parametrize(
    ("declared", "reasons"),
    [
        (["RestartAllContainersOnContainerExits"], []),
        (["Other"], ["MissingFeature"]),
        ([], ["declaredFeatures?"]),
    ],
)
def test_declared_features(declared: list[str], reasons: list[str]) -> None:
    node = build.node("n")
    node["status"] = {**node["status"], "declaredFeatures": declared}  # type: ignore[dict-item]
    rules: Any = [
        {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [1]}}
    ]
    spec = {"containers": [{"name": "m", "restartPolicyRules": rules}]}
    assert said(new(**spec), node) == reasons


def test_what_is_not_modelled_is_a_doubt() -> None:
    found = asked(new(schedulerName="mine", resourceClaims=[{"name": "c"}]), build.node("n"))
    assert found.fits is None
    assert [one.filter for one in found.doubts] == ["DynamicResources", "Scheduler mine"]


def test_without_all_pods_that_a_node_has_room_is_a_doubt() -> None:
    assert said(new(cpu="1"), build.node("n"), partial="Pod") == ["Pod?"]
    assert asked(new(cpu="8"), build.node("n"), partial="Pod").fits is False


def test_the_pods_own_share_is_released() -> None:
    placed = build.pod("new", on="n", cpu="4")
    assert said(placed, build.node("n", "4")) == []


def test_a_pod_that_waits_for_its_volume_holds_its_node() -> None:
    waiting = build.pod("old", cpu="4")
    waiting["status"] = {"phase": "Pending", "nominatedNodeName": "n"}
    assert said(new(cpu="1"), build.node("n", "4"), waiting) == ["InsufficientResource"]


def test_a_node_set_aside_is_taken_for_equals_and_free_for_those_above() -> None:
    def nominated(priority: int) -> Manifest:
        made = build.pod("old", cpu="4", unschedulable=5, spec={"priority": priority})
        made["status"] = {**made["status"], "nominatedNodeName": "n"}  # type: ignore[dict-item]
        return made

    node = build.node("n", "4")
    assert said(new(cpu="1"), node, nominated(0)) == ["InsufficientResource"]
    assert said(new(cpu="1", priority=9), node, nominated(0)) == []
