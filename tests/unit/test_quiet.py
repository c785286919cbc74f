"""Quiet on day one: of a cluster that nobody has used yet there is nothing to say.

Nor of one that is full because an autoscaler keeps it so, while no pod waits. And each is broken in
turn, so that its silence is not blindness.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from clusteraudit.audit.audit import Audit, AuditResult
from clusteraudit.audit.ledger import Entry
from clusteraudit.audit.system import SYSTEM_NAMESPACES, is_system
from clusteraudit.model import build
from clusteraudit.model.build import NOW, Manifest
from clusteraudit.model.quantity import whole
from clusteraudit.model.rows import PodRow
from clusteraudit.report.shapes import ScanShape
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import Severity
from clusteraudit.simulate.filters.kit import constraints_of
from clusteraudit.simulate.fit import eligible
from clusteraudit.simulate.snapshot import free
from clusteraudit.sources.gather import of_manifests
from support.cli import call
from support.fresh import TABLES, Distribution, Machine, fresh, objects, waiting

_TYPE = "node.kubernetes.io/instance-type"
MEDIUM = Severity.MEDIUM.rank
AUTOSCALED = ("karpenter", "cluster-autoscaler")
DISTRIBUTIONS = pytest.mark.parametrize("name", list(TABLES))
SYSTEM = pytest.mark.parametrize("system", [SYSTEM_NAMESPACES, ()], ids=["silent", "asked"])

EXPECTED: Mapping[str, Mapping[tuple[str, str], str]] = {}
"""Findings below medium by rule and object, and in a word why their owner can act."""

UNKNOWN: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "kind": {
        "CMP103": ("NodeMetrics: NotServed",),
        "CMP201": ("NodeMetrics: NotServed",),
        "CMP206": ("NodeMetrics: NotServed", "PodMetrics: NotServed"),
    },
    "aks-cilium": {"NET101": ("OtherPolicyKinds",)},
}
"""What cannot be told: kind has no metrics-server, and Cilium's own policies could decide."""

OF_POLICIES = ("NET101", "NET103")
"""Rules that cannot tell where Cilium's own policies could decide."""


def audited(
    manifests: list[Manifest], system: tuple[str, ...] = SYSTEM_NAMESPACES
) -> tuple[Audit, AuditResult]:
    changes, evidence = of_manifests(manifests)
    audit = Audit(catalogue(), NOW, system=system)
    return audit, audit.step(changes, evidence=evidence, now=NOW)


def loud(result: AuditResult) -> list[str]:
    """Findings of medium severity or above."""
    return [
        f"{entry.rule} {entry.severity.value} {entry.message}"
        for entry in result.entries
        if entry.severity.rank <= MEDIUM
    ]


def heard(result: AuditResult) -> set[tuple[str, str]]:
    return {(entry.rule, str(entry.finding.subject)) for entry in result.entries}


# The clusters are possible ones


@DISTRIBUTIONS
def test_every_object_is_read(name: str) -> None:
    manifests = fresh()[name]
    keys = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])  # type: ignore[attr-defined,index]
        for one in manifests
    ]
    audit, result = audited(manifests)
    pods = [pod for pod in audit.cluster.all(PodRow, "Pod") if not pod.synthetic]
    held = {**dict(result.counts), "Pod": len(pods)}

    assert len(set(keys)) == len(keys)
    assert held == {kind: sum(key[0] == kind for key in keys) for kind in held}
    assert {"Node", "Namespace", "Pod", "Service", "EndpointSlice", "StorageClass"} <= set(held)


@DISTRIBUTIONS
def test_every_pod_fits_where_it_is(name: str) -> None:
    audit, _ = audited(fresh()[name])
    cluster = audit.cluster

    for machine in TABLES[name].machines:
        short = {what: left for what, left in free(cluster, machine.name) if left < 0}
        assert short == {}, machine.name
    for pod in cluster.all(PodRow, "Pod"):
        able = eligible(cluster, constraints_of(pod.template))
        assert pod.synthetic or pod.template.static or pod.node in able, pod.name


@pytest.mark.parametrize("name", AUTOSCALED)
def test_autoscaled_nodes_are_full(name: str) -> None:
    audit, _ = audited(fresh()[name])
    filled = [one for one in TABLES[name].machines if one.labels[_TYPE] == "m5.xlarge"]

    assert len(filled) == 12
    for machine in filled:
        left = dict(free(audit.cluster, machine.name))["cpu"]
        assert 940 <= 1000 - 1000 * left // 3920 <= 960


# Quiet


@DISTRIBUTIONS
def test_nothing_is_said(name: str) -> None:
    _, result = audited(fresh()[name])
    expected = EXPECTED.get(name, {})

    assert loud(result) == []
    assert heard(result) == set(expected), [entry.message for entry in result.entries]


@DISTRIBUTIONS
def test_who_asks_of_system_namespaces_hears_of_hygiene_only(name: str) -> None:
    """What distributions leave undone there is no fault that this cluster alone has."""
    silent, asked = (audited(fresh()[name], system)[1] for system in (SYSTEM_NAMESPACES, ()))
    told = {entry.fingerprint for entry in silent.entries}
    more = [entry for entry in asked.entries if entry.fingerprint not in told]

    assert told <= {entry.fingerprint for entry in asked.entries}
    assert [entry.message for entry in more if not _is_of_the_system(entry.rule, entry)] == []


def _is_of_the_system(code: str, entry: Entry) -> bool:
    rule, subject = catalogue().get(code), entry.finding.subject
    return bool(rule and rule.hygiene) and is_system(subject.namespace or subject.name)


@SYSTEM
@DISTRIBUTIONS
def test_no_rule_fails_and_what_is_unknown_is_for_a_reason(
    name: str, system: tuple[str, ...]
) -> None:
    _, result = audited(fresh()[name], system)
    tallies = {one.rule: one for one in result.tallies}

    assert [one.reasons for one in tallies.values() if one.error] == []
    unknown = {code: one.reasons for code, one in tallies.items() if one.unknown}
    assert unknown == UNKNOWN.get(name, {})


@DISTRIBUTIONS
def test_it_stays_quiet_as_time_goes_by(name: str) -> None:
    """Nothing hangs on the minute: a deadline that passes opens nothing."""
    audit, first = audited(fresh()[name])
    later = NOW + 200 if first.wake is None else first.wake + 1
    result = audit.step(now=later)

    assert loud(result) == []


@pytest.mark.parametrize("asked", [False, True], ids=["silent", "asked"])
def test_scan_says_the_same(tmp_path: Path, asked: bool) -> None:
    manifests = fresh()["gke"]
    _, result = audited(manifests, () if asked else SYSTEM_NAMESPACES)
    file, settings = tmp_path / "gke.jsonl", tmp_path / "settings.yaml"
    file.write_text("\n".join(json.dumps(one) for one in manifests), encoding="utf-8")
    settings.write_text("spec: {systemNamespaces: []}\n", encoding="utf-8")
    more = ["--settings", str(settings)] if asked else []
    when = ("--now", "2026-01-01T12:00:00Z")
    done = call("scan", "-f", file, "--complete", "-o", "json", *when, *more)

    assert done.returncode == 0, done.stderr
    found = ScanShape.model_validate_json(done.stdout).findings
    assert [one.fingerprint for one in found] == [one.fingerprint for one in result.entries]


# Full by design


def table(name: str, load: str, number: int, seconds: int) -> list[Manifest]:
    """The distribution, and one more pod of a workload that waits for a node to come."""
    (chosen,) = (one for one in TABLES[name].loads if one.name == load)
    return [*fresh()[name], waiting(chosen, number, seconds)]


@pytest.mark.parametrize("load", ["api", "worker"])
@pytest.mark.parametrize("seconds", [90, 120, 240])
@pytest.mark.parametrize("name", AUTOSCALED)
def test_a_node_is_being_made(name: str, seconds: int, load: str) -> None:
    _, result = audited(table(name, load, 99, seconds))
    assert loud(result) == []


@pytest.mark.parametrize("seconds", [90, 240, 3600])
@pytest.mark.parametrize("name", AUTOSCALED)
def test_a_placeholder_waits_on_purpose(name: str, seconds: int) -> None:
    _, result = audited(table(name, "placeholder", 99, seconds))
    assert loud(result) == []


# Not blind


def _budget_over_dns(name: str) -> list[Manifest]:
    front = next(one for one in TABLES[name].fronts if one.name == "kube-dns")
    selector = {"matchLabels": dict(front.selects)}
    stuck = build.budget("stuck", "kube-system", selector=selector, maxUnavailable=0)
    return [*fresh()[name], stuck]


def _giant(name: str) -> list[Manifest]:
    pods = build.pods_of("giant", unschedulable=600, cpu="500", memory="1Gi")
    return [*fresh()[name], build.deployment("giant", cpu="500", memory="1Gi"), *pods]


def _unmeant(name: str) -> list[Manifest]:
    spec: build.Spec = {"nodeSelector": {"disk": "nvme"}}
    pods = build.pods_of("picky", unschedulable=600, cpu="1", spec=spec)
    return [*fresh()[name], build.deployment("picky", cpu="1", spec=spec), *pods]


def _lost_zone(name: str) -> list[Manifest]:
    """A disk stays in the place of the last node, which goes away."""
    machines = TABLES[name].machines
    zone, host = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
    key = zone if zone in machines[-1].labels else host
    place = machines[-1].labels[key]
    kept = tuple(one for one in machines if one.labels[key] != place)
    new = {**machines[-1].labels, host: "anew"}
    kept = kept or (replace(machines[-1], name="anew", labels=new),)
    gone = {one.name for one in machines if one.labels[key] == place}
    owner = build.owned_by("StatefulSet", "db")
    return [
        *(one for one in fresh()[name] if not _is_on(one, gone)),
        *_nodes(kept),
        build.stateful_set("db", claim="data"),
        build.pod("db-0", app="db", owner=owner, unschedulable=600, claim="data"),
        build.claim("data", "disk"),
        _disk(key, place),
    ]


def _is_on(one: Manifest, nodes: set[str]) -> bool:
    spec, meta = one.get("spec"), one["metadata"]
    placed = isinstance(spec, dict) and spec.get("nodeName") in nodes
    return placed or one["kind"] == "Node" or (isinstance(meta, dict) and meta["name"] in nodes)


def _nodes(machines: tuple[Machine, ...]) -> list[Manifest]:
    bare = Distribution(machines=machines, loads=(), measured=False)
    return [one for one in objects(bare) if one["kind"] == "Node"]


def _disk(key: str, place: str) -> Manifest:
    made = build.volume("disk", place, "data")
    inside = {"key": key, "operator": "In", "values": [place]}
    terms = {"required": {"nodeSelectorTerms": [{"matchExpressions": [inside]}]}}
    spec = made["spec"]
    return {**made, "spec": {**spec, "nodeAffinity": terms}} if isinstance(spec, dict) else made


def _pressed(name: str) -> list[Manifest]:
    """The kubelet of one machine reports pressure."""
    chosen, made = TABLES[name].machines[-1].name, fresh()[name]
    (node,) = (one for one in made if one["kind"] == "Node" and _name(one) == chosen)
    status = node["status"]
    assert isinstance(status, dict)
    condition = {"type": "MemoryPressure", "status": "True", "lastTransitionTime": build.ago(60)}
    conditions = [one for one in status["conditions"] if one["type"] != "MemoryPressure"]
    status["conditions"] = [*conditions, condition]
    return made


def _name(one: Manifest) -> str:
    meta = one["metadata"]
    return str(meta["name"]) if isinstance(meta, dict) else ""


def _greedy(name: str) -> list[Manifest]:
    """A pod may take all the memory of its machine three times."""
    machine = TABLES[name].machines[-1]
    limits = {"memory": str(3 * whole(machine.capacity[1]))}
    box = {"name": "main", "resources": {"limits": limits, "requests": {"cpu": 0, "memory": 0}}}
    return [*fresh()[name], build.pod("greedy", on=machine.name, spec={"containers": [box]})]


def _unpulled(name: str) -> list[Manifest]:
    status = build.unready(600, build.unpulled("401 Unauthorized"), phase="Pending")
    return [*fresh()[name], build.pod("web", on=TABLES[name].machines[-1].name, status=status)]


def _killed(name: str) -> list[Manifest]:
    status = build.unready(600, build.killed(600))
    return [*fresh()[name], build.pod("web", on=TABLES[name].machines[-1].name, status=status)]


def _unasking(name: str) -> list[Manifest]:
    return [*fresh()[name], build.pod("web", on=TABLES[name].machines[-1].name)]


def _unserved(name: str) -> list[Manifest]:
    return [*fresh()[name], build.service("web"), build.endpoints("web", ready=0, total=0)]


def _unwalled(name: str) -> list[Manifest]:
    own = build.pods_of("web", 2, "own", on=TABLES[name].machines[-1].name)
    return [*fresh()[name], build.namespace("own"), build.deployment("web", "own", 2), *own]


def _unbound(name: str) -> list[Manifest]:
    return [*fresh()[name], build.claim("data", storage_class="fsat", created=3600)]


def _padded(name: str) -> list[Manifest]:
    """A machine of its own, full of requests, that does nothing."""
    node = build.node("anew", "8", labels={"agentpool": "anew"})
    usage = [build.node_usage("anew", "100m", "100Mi")] if TABLES[name].measured else []
    return [*fresh()[name], node, *usage, build.pod("api", on="anew", cpu="8", memory="1Gi")]


def _no_memory(name: str) -> list[Manifest]:
    machine = TABLES[name].machines[-1]
    return [*fresh()[name], build.node_usage(machine.name, "1", machine.capacity[1])]


def _deaf(name: str) -> list[Manifest]:
    own = build.pods_of("web", 2, "own", on=TABLES[name].machines[-1].name)
    made = [build.namespace("own"), build.deployment("web", "own", 2), *own]
    return [*fresh()[name], *made, build.egress_policy("lock", "own")]


def _typo(name: str) -> list[Manifest]:
    return [*fresh()[name], build.egress_policy("lock", "own", app="wbe")]


BREAKS: Mapping[str, tuple[Callable[[str], list[Manifest]], str, str]] = {
    "a budget over DNS": (_budget_over_dns, "PLT101", "PodDisruptionBudget kube-system/stuck"),
    "a pod that cannot fit": (_giant, "CMP102", "Deployment shop/giant"),
    "a label that no node has": (_unmeant, "CMP105", "Deployment shop/picky"),
    "a disk out of reach": (_lost_zone, "STO101", "StatefulSet shop/db"),
    "an image that nobody gives": (_unpulled, "IDN101", "Pod shop/web"),
    "a container killed": (_killed, "CMP202", "Pod shop/web"),
    "nothing is requested": (_unasking, "CMP203", "Pod shop/web"),
    "too much is promised": (_greedy, "CMP204", "Pool "),
    "a Service of nobody": (_unserved, "NET201", "Service shop/web"),
    "no policy": (_unwalled, "NET103", "Namespace own"),
    "a class of a wrong name": (_unbound, "STO201", "PersistentVolumeClaim shop/data"),
    "no guard rails": (_unwalled, "PLT201", "Namespace own"),
    "requests of air": (_padded, "CMP103", "Pool anew"),
    "pressure": (_pressed, "CMP205", "Node "),
    "no memory": (_no_memory, "CMP201", "Node "),
    "no DNS": (_deaf, "NET101", "NetworkPolicy own/lock"),
    "a typo": (_typo, "NET102", "NetworkPolicy own/lock"),
}


@pytest.mark.parametrize("fault", BREAKS)
@DISTRIBUTIONS
def test_a_fault_is_heard(name: str, fault: str) -> None:
    breaks, code, subject = BREAKS[fault]
    _, result = audited(breaks(name))
    found = {entry.rule: str(entry.finding.subject) for entry in result.entries}

    if (name == "aks-cilium" and code in OF_POLICIES) or (name, code) == ("kind", "CMP103"):
        assert code not in found
    else:
        assert found.get(code, "").startswith(subject), [e.message for e in result.entries]


@pytest.mark.parametrize("name", AUTOSCALED)
def test_a_pod_that_no_autoscaler_serves_is_heard(name: str) -> None:
    _, result = audited(table(name, "api", 99, 3600))
    by = {entry.rule: entry.severity for entry in result.entries}

    assert by["CMP101"] is Severity.CRITICAL
    assert by["CMP102"] is Severity.HIGH


@DISTRIBUTIONS
def test_a_pod_that_no_node_could_take_is_heard_wherever_it_waits(name: str) -> None:
    _, result = audited(_giant(name))
    assert {entry.rule: entry.severity for entry in result.entries}["CMP102"] is Severity.HIGH


@pytest.mark.parametrize("name", AUTOSCALED)
def test_an_autoscaler_that_is_down_excuses_nothing(name: str) -> None:
    """Its pods are there and none is ready: nobody makes a node."""
    manifests = [_not_ready(one, name) for one in table(name, "api", 99, 240)]
    _, result = audited(manifests)

    assert {entry.rule: entry.severity for entry in result.entries}["CMP101"] is Severity.CRITICAL


def _not_ready(one: Manifest, load: str) -> Manifest:
    if one["kind"] != "Pod" or not str(one["metadata"]["name"]).startswith(load):  # type: ignore[index]
        return one
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": build.ago(60)}
    return {**one, "status": {"phase": "Running", "conditions": [ready]}}


def test_its_own_namespace_is_no_news_on_day_one() -> None:
    name = "cluster-audit"
    own = [build.thing("v1", "Namespace", name), build.pod("operator", name, app=name)]
    _, result = audited([*fresh()["kind"], *own])
    assert [one for one in result.entries if one.finding.subject.namespace == name] == []
    assert [one for one in result.entries if one.finding.subject.name == name] == []
