"""The operator on a real control plane: every rule broken, seen, mended, gone; its manners."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clusteraudit.model import build
from clusteraudit.report.crd import crd
from clusteraudit.report.resource import PLURAL
from clusteraudit.report.rights import granted
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import Rule
from controlplane import ControlPlane
from demo import stage
from demo.apply import apply
from demo.operator import ROLE, USER, Operator, install, report, status_of, uninstall

RULES = list(catalogue())
AT_REST = 20
"""Seconds; a controller looks at all its objects every 15 s."""
SPEC: dict[str, Any] = {"publishInterval": 1, "rules": stage.eager(RULES)}


@pytest.fixture(scope="module")
def began() -> datetime:
    """When this module began: its control plane served others before, under the same account."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def kubeconfig(plane: ControlPlane, began: datetime) -> Iterator[Path]:
    plane.install_metrics()
    path = install(plane, report={"spec": SPEC})
    apply(plane, stage.everything())
    yield path
    uninstall(plane)
    plane.kubectl("delete", "namespace", *(rule.name for rule in RULES), "--wait=false")
    plane.kubectl("delete", "nodes", "-l", stage.POOL)


@pytest.fixture(scope="module")
def operator(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    log = tmp_path_factory.mktemp("operator") / "log"
    with Operator(kubeconfig, log, ["-v"]) as running:
        yield running
        assert running.process is not None
        if running.process.poll() is None:
            assert running.stop() == 0
    text = log.read_text()
    assert "Traceback" not in text, text


@pytest.fixture(scope="module")
def at_rest(plane: ControlPlane, operator: Operator) -> None:
    """Nothing that is told changes any more: controllers bind the last claims after seconds."""
    told, since = essence(plane), time.monotonic()

    def stands() -> bool:
        nonlocal told, since
        if (now := essence(plane)) != told:
            told, since = now, time.monotonic()
        return time.monotonic() - since > AT_REST

    plane.wait(stands, 120, f"findings that are the same for {AT_REST} s")


def findings(plane: ControlPlane, name: str = "cluster") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = status_of(plane, name).get("findings", [])
    return found


def about(plane: ControlPlane, rule: Rule) -> list[dict[str, Any]]:
    """Findings of a rule in its own example: by its namespace, or the name of its nodes."""
    return [
        one
        for one in findings(plane)
        if one["rule"] == rule.code
        and (one["object"].get("namespace") or one["object"]["name"]).startswith(rule.name)
    ]


def gone(plane: ControlPlane, rule: Rule) -> bool:
    return not about(plane, rule)


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_what_is_broken_is_found(plane: ControlPlane, operator: Operator, rule: Rule) -> None:
    found = plane.wait(lambda: about(plane, rule), 40, f"a finding of {rule.name}")

    assert found[0]["name"] == rule.name
    assert found[0]["remedy"]


def test_causes_stand_above_their_effects(plane: ControlPlane, operator: Operator) -> None:
    by = {one["fingerprint"]: one for one in findings(plane)}
    chains = status_of(plane)["chains"]
    links = {(by[c["root"]]["name"], by[e]["name"]) for c in chains for e in c["effects"]}

    assert ("fragmented-capacity", "pod-pending") in links
    assert ("no-node-fits", "pod-pending") in links
    assert ("constraints-leave-no-node", "pod-pending") in links
    assert ("zone-without-node", "volume-out-of-reach") in links
    assert ("zone-without-node", "pod-pending") in links
    assert ("claim-pending", "pod-pending") in links
    assert ("budget-blocks-drain", "node-cordoned-long") in links


def test_what_an_engineer_sees(plane: ControlPlane, operator: Operator) -> None:
    head, row = plane.kubectl("get", "car").strip().splitlines()

    assert head.split() == ["NAME", "READY", "SCORE", "CRITICAL", "HIGH", "MEDIUM", "CHAINS", "AGE"]
    assert row.split()[:2] == ["cluster", "True"]
    assert "Worst first" in plane.kubectl("explain", "car.status.findings")
    assert operator.get("/healthz") == "ok\n"
    assert operator.get("/readyz") == "ok\n"
    metrics = operator.get("/metrics", operator.metrics_port)
    assert 'cluster_audit_operator_kind_synced{kind="Pod"} 1.0' in metrics


def test_what_is_granted_is_enough(
    plane: ControlPlane, operator: Operator, began: datetime
) -> None:
    events = plane.audit_events(USER, since=began)
    refused = [one for one in events if one.get("responseStatus", {}).get("code") == 403]

    assert events
    assert refused == []


def test_a_second_report_is_a_view(plane: ControlPlane, operator: Operator) -> None:
    only = "network-team"
    plane.apply([report(only, namespaces=["egress-cuts-dns"], publishInterval=1)])
    shown = plane.wait(lambda: findings(plane, only), 20, "the second report")

    assert {one["object"]["namespace"] for one in shown} == {"egress-cuts-dns"}
    plane.kubectl("delete", PLURAL, only)


def test_an_invalid_spec_says_what_to_change(plane: ControlPlane, operator: Operator) -> None:
    wrong = {"code": "CMP102", "settings": {"forSeconds": -1}}
    plane.apply([report(**{**SPEC, "rules": [wrong]})])

    def told() -> str:
        conditions = {one["type"]: one for one in status_of(plane).get("conditions", [])}
        valid = conditions.get("SpecValid", {})
        return valid["message"] if valid.get("status") == "False" else ""

    message = plane.wait(told, 20, "SpecValid to be false")
    assert "spec.rules[CMP102].settings.forSeconds" in message
    plane.apply([report(**SPEC)])
    plane.wait(lambda: not told(), 20, "SpecValid to be true")


def test_scan_and_snapshot_say_the_same_bytes(
    plane: ControlPlane, kubeconfig: Path, operator: Operator, tmp_path: Path
) -> None:
    file = tmp_path / "cluster.jsonl.gz"
    now = ["--now", "2031-01-01T00:00:00Z", "-o", "json"]

    def unchanged() -> str | None:
        """What a live scan says, once the cluster is the same before and after the snapshot."""
        before = command(kubeconfig, "scan", *now)
        command(kubeconfig, "snapshot", "-o", str(file))
        return before if command(kubeconfig, "scan", *now) == before else None

    live = plane.wait(unchanged, 60, "a cluster that nothing changes")
    assert live == command(kubeconfig, "scan", "-f", str(file), *now)
    assert json.loads(live)["findings"]


def command(kubeconfig: Path, *arguments: str) -> str:
    env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    run = [sys.executable, "-m", "clusteraudit", *arguments]
    return subprocess.run(run, env=env, check=True, capture_output=True, text=True).stdout


def test_without_rights_nothing_is_guessed(plane: ControlPlane, operator: Operator) -> None:
    env = {**os.environ, "KUBECONFIG": str(plane.kubeconfig_for("nobody"))}
    run = [sys.executable, "-m", "clusteraudit", "scan"]
    done = subprocess.run(run, env=env, check=False, capture_output=True, text=True)

    assert done.returncode == 3
    assert "allow no audited kind to be listed" in done.stderr
    assert done.stdout == ""


@pytest.mark.usefixtures("at_rest")
def test_a_right_that_is_taken_away_makes_its_rules_unknown(
    plane: ControlPlane, operator: Operator
) -> None:
    rule = next(one for one in RULES if one.name == "budget-blocks-drain")
    before = essence(plane)
    role = plane.api.get(*ROLE)
    less = [one for one in role["rules"] if one["apiGroups"] != ["policy"]]
    plane.api.patch(role, {"rules": less})
    operator.stop()
    operator.start()

    def unknown() -> bool:
        said = {one["rule"]: one["reasons"] for one in status_of(plane).get("unknown", [])}
        return said.get(rule.code) == ["PodDisruptionBudget: Forbidden"]

    def stale() -> list[bool]:
        return [True for one in about(plane, rule) if one.get("stale")]

    plane.wait(unknown, 40, f"{rule.name} to be unknown")
    assert stale(), "what cannot be told is not resolved, by a restart neither"
    conditions = {one["type"]: one["status"] for one in status_of(plane)["conditions"]}
    assert conditions["InputsSynced"] == conditions["Complete"] == "False"
    assert {one["name"] for one in findings(plane)} >= {"pod-pending", "egress-cuts-dns"}

    plane.api.patch(role, {"rules": role["rules"]})
    operator.stop()
    operator.start()
    as_before = "all to be as it was, and told of anew"
    plane.wait(lambda: same(plane, before) and not stale(), 40, as_before)


@pytest.mark.usefixtures("at_rest")
def test_a_report_made_anew_is_filled_again(plane: ControlPlane, operator: Operator) -> None:
    before = essence(plane)
    plane.kubectl("delete", PLURAL, "cluster")
    plane.apply([report(**SPEC)])
    plane.wait(lambda: same(plane, before), 20, "the same content")


def essence(plane: ControlPlane) -> list[tuple[str, str, str]]:
    return [(one["fingerprint"], one["since"], one["message"]) for one in findings(plane)]


def same(plane: ControlPlane, before: list[tuple[str, str, str]]) -> bool:
    """True if all is told as `before`. Raises AssertionError with what is not."""
    now = essence(plane)
    assert now == before, f"lost {set(before) - set(now)}, new {set(now) - set(before)}"
    return True


@pytest.mark.usefixtures("at_rest")
def test_killed_at_any_time_it_converges(plane: ControlPlane, operator: Operator) -> None:
    before, written = essence(plane), status_of(plane)["lastAuditTime"]
    for wait in (0.3, 1.5, 4.0):
        assert operator.process is not None
        operator.process.send_signal(signal.SIGKILL)
        operator.process.wait()
        operator.start()
        time.sleep(wait)
    plane.wait(lambda: operator.get("/readyz") == "ok\n", 30, "readiness")
    plane.wait(
        lambda: status_of(plane)["lastAuditTime"] > written, 30, "a report after the restart"
    )

    assert same(plane, before)


@pytest.mark.usefixtures("at_rest")
def test_the_api_server_may_restart(plane: ControlPlane, operator: Operator) -> None:
    before, written = essence(plane), status_of(plane)["lastAuditTime"]
    plane.restart("kube-apiserver")
    plane.kubectl("label", "namespace", RULES[0].name, "restarted=yes", "--overwrite")
    plane.apply([report(**{**SPEC, "maxFindings": 150})])
    plane.wait(lambda: status_of(plane)["lastAuditTime"] > written, 60, "a report after it")

    assert same(plane, before)
    assert operator.process is not None
    assert operator.process.poll() is None


@pytest.mark.usefixtures("at_rest")
def test_our_own_crd_may_go_and_come_back(plane: ControlPlane, operator: Operator) -> None:
    before = {fingerprint for fingerprint, _, _ in essence(plane)}
    plane.kubectl("delete", "crd", f"{PLURAL}.clusteraudit.io")
    time.sleep(2)
    plane.apply([crd()])
    plane.apply([report(**SPEC)])

    plane.wait(lambda: {one for one, _, _ in essence(plane)} == before, 90, "the same findings")


def test_what_is_mended_is_gone(plane: ControlPlane, operator: Operator) -> None:
    for rule in RULES:
        apply(plane, stage.mended(rule))
    for rule in RULES:
        plane.wait(partial(gone, plane, rule), 40, f"{rule.name} to be gone")


def test_a_change_is_published_within_the_window(plane: ControlPlane, operator: Operator) -> None:
    """Not a timed test: the bound is that of the pulse, doubled for a noisy machine."""
    name = "budget-blocks-drain"
    rule = next(one for one in RULES if one.name == name)
    apply(plane, stage.broken(rule))
    start = time.monotonic()
    plane.wait(lambda: about(plane, rule), 20, "the finding")
    took = time.monotonic() - start

    assert took < 8
    apply(plane, stage.mended(rule))


def test_an_older_crd_is_published_into(plane: ControlPlane, operator: Operator) -> None:
    older = crd()
    spec: Any = older["spec"]
    status = spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    for field in ("chains", "inputs"):
        del status["properties"][field]
        status["required"].remove(field)
    plane.apply([older])
    plane.apply([report(**{**SPEC, "maxFindings": 100})])

    def outdated() -> bool:
        conditions = {c["type"]: c["status"] for c in status_of(plane).get("conditions", [])}
        return conditions.get("SchemaCurrent") == "False"

    plane.wait(outdated, 30, "a status that says that the schema is outdated")
    assert "inputs" not in status_of(plane)
    plane.apply([crd()])


def test_what_is_granted_is_what_is_used(
    plane: ControlPlane, operator: Operator, began: datetime
) -> None:
    """All that this module did as the operator, in it or as `scan` in its pod."""
    allowed = granted(plane.api.get(*ROLE)["rules"])

    def used() -> set[tuple[str, str, str]]:
        events = plane.audit_events(USER, since=began)
        answered = [one for one in events if one["responseStatus"]["code"] < 400]
        return {asked(one) for one in answered if "objectRef" in one}

    again = ("patch", "events.k8s.io", "events")
    plane.wait(lambda: again in used(), 30, "an Event to be counted up: a budget is mended again")
    assert used() == allowed


def asked(event: dict[str, Any]) -> tuple[str, str, str]:
    """Verb, group and resource of a request, as a ClusterRole has them."""
    ref = event["objectRef"]
    resource = "/".join(filter(None, (ref["resource"], ref.get("subresource"))))
    return event["verb"], ref.get("apiGroup", ""), resource


def test_it_stops_in_time(operator: Operator) -> None:
    start = time.monotonic()
    assert operator.stop() == 0
    assert time.monotonic() - start < 10


def test_builders_make_what_the_server_accepts(plane: ControlPlane) -> None:
    """Examples are manifests that the API server takes as they are."""
    policy = build.egress_policy("check", "default")
    plane.apply([policy])
    plane.delete([policy])
