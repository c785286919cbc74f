"""Events on a real API server: they agree with status and metrics at every step of every rule."""

import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clusteraudit.report.resource import GROUP
from clusteraudit.rules.kit import Rule, Turn
from controlplane import ControlPlane
from demo import stage
from demo.apply import apply
from demo.operator import ROLE, Operator, install, report, status_of
from support.history import History, agree, counted, sent
from support.staged import AGAIN, RULES, SPEC, about, findings, gone

PATIENCE = 90
OWN = {GROUP, "events.k8s.io", "apiextensions.k8s.io"}
LOOPS_HEALTHY = {(f"{one.loop.title()}Healthy", "True") for one in RULES}
each_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of its own: every Event in it is accounted for."""
    with ControlPlane() as started:
        yield started


@pytest.fixture(scope="module")
def kubeconfig(plane: ControlPlane) -> Path:
    plane.install_metrics()
    path = install(plane)
    plane.apply([report(**SPEC)])
    return path


@pytest.fixture(scope="module")
def operator(
    plane: ControlPlane, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    log = tmp_path_factory.mktemp("events") / "log"
    with Operator(kubeconfig, log) as running:
        yield running
    text = log.read_text()
    assert "Traceback" not in text, text


@pytest.fixture(scope="module")
def history(plane: ControlPlane, operator: Operator) -> Iterator[History]:
    with History(plane) as recorded:
        plane.wait(lambda: recorded.told, PATIENCE, "a first report")
        yield recorded


def severities(plane: ControlPlane, rule: Rule) -> set[str]:
    return {one["severity"] for one in about(plane, rule)}


def event_of(plane: ControlPlane, finding: dict[str, Any], turn: str) -> dict[str, Any]:
    name = f"{finding['fingerprint']}.{turn}"
    return next(one for one in sent(plane) if one["metadata"]["name"] == name)


def described(plane: ControlPlane, kind: str, name: str, namespace: str = "") -> str:
    """The Events that `kubectl describe` shows; of some kinds it shows none, but can be asked.

    What is no object, a pool or a zone, is told of with the report.
    """
    where = ["-n", namespace] if namespace else []
    if kind in {"Pool", "Zone"}:
        return described(plane, "car", "cluster")
    if kind in {"NetworkPolicy", "Namespace"}:
        return plane.kubectl("events", f"--for={kind.lower()}/{name}", *where)
    return plane.kubectl("describe", kind, name, *where).partition("\nEvents:")[2]


def settle(plane: ControlPlane, operator: Operator, history: History, what: str) -> None:
    plane.wait(lambda: agree(plane, operator, history), PATIENCE, f"agreement {what}")


@each_rule
def test_what_opens_and_gets_worse_is_told_alike(
    plane: ControlPlane, operator: Operator, history: History, rule: Rule
) -> None:
    apply(plane, stage.broken(rule))
    plane.wait(partial(about, plane, rule), PATIENCE, "the finding")
    settle(plane, operator, history, "when it is open")
    finding = about(plane, rule)[0]
    opened, kind = event_of(plane, finding, "opened"), rule.event_kind(Turn.OPENED)
    said = (opened["reason"], opened["action"], opened["type"])
    assert said == (kind.reason, kind.action, kind.type)
    assert rule.code in opened["note"]
    assert opened["regarding"]["uid"]

    if finding["severity"] != "critical":
        others = [one for one in SPEC["rules"] if one["code"] != rule.code]
        own = next((one for one in SPEC["rules"] if one["code"] == rule.code), {"code": rule.code})
        worse = {**own, "severity": "critical"}
        plane.apply([report(**{**SPEC, "rules": [*others, worse]})])
        plane.wait(lambda: severities(plane, rule) == {"critical"}, PATIENCE, "worse")
        settle(plane, operator, history, "when it is worse")
        assert event_of(plane, finding, "raised-critical")["reason"] == rule.event
        plane.apply([report(**SPEC)])
        plane.wait(lambda: severities(plane, rule) != {"critical"}, PATIENCE, "as it was")


def test_a_policy_that_cuts_more_is_worse(
    plane: ControlPlane, operator: Operator, history: History
) -> None:
    """Of itself, not by tuning: first DNS over TCP is cut off, then over UDP too."""
    rule = next(one for one in RULES if one.name == "egress-cuts-dns")
    lock = next(one for one in stage.broken(rule) if one["metadata"]["name"] == "lock")
    udp = [{"ports": [{"protocol": "UDP", "port": 53}]}]
    plane.apply([{**lock, "spec": {**lock["spec"], "egress": udp}}])
    plane.wait(lambda: severities(plane, rule) == {"info"}, PATIENCE, "only TCP")
    settle(plane, operator, history, "when it is better")
    finding = about(plane, rule)[0]
    plane.apply([lock])
    plane.wait(lambda: severities(plane, rule) == {"high"}, PATIENCE, "UDP too")
    settle(plane, operator, history, "when it is worse")

    assert event_of(plane, finding, "raised-high")["note"].startswith("Now high: ")


def test_kubectl_describe_shows_them(
    plane: ControlPlane, operator: Operator, history: History
) -> None:
    for rule in RULES:
        finding = about(plane, rule)[0]
        where = finding["object"]
        shown = described(plane, where["kind"], where["name"], where.get("namespace", ""))
        assert f"{rule.event} " in shown
        assert finding["remedy"] in shown
    assert "ComputeUnhealthy" in described(plane, "car", "cluster")


def test_a_restart_replays_nothing(
    plane: ControlPlane, operator: Operator, history: History
) -> None:
    before = [(one["metadata"]["uid"], one["metadata"]["resourceVersion"]) for one in sent(plane)]
    number = len(history.told)
    operator.stop()
    operator.start()
    plane.wait(lambda: len(history.told) > number, PATIENCE, "a report after it")
    settle(plane, operator, history, "after the restart")

    after = [(one["metadata"]["uid"], one["metadata"]["resourceVersion"]) for one in sent(plane)]
    assert after == before


def test_evidence_that_is_lost_is_told_alike_and_comes_back_silently(
    plane: ControlPlane, operator: Operator, history: History
) -> None:
    role = plane.api.get(*ROLE)
    own = [one for one in role["rules"] if set(one["apiGroups"]) <= OWN]
    plane.api.patch(role, {"rules": own})
    operator.stop()
    operator.start()

    def blind() -> bool:
        found = findings(plane)
        return bool(found) and all(one.get("stale") for one in found)

    plane.wait(blind, PATIENCE, "stale findings")
    settle(plane, operator, history, "when all is unknown")
    lost = {one["reason"] for one in sent(plane) if one["action"] == "EvidenceLost"}
    assert lost == {rule.event for rule in RULES}
    assert "InputsBehind" in described(plane, "car", "cluster")
    before = without_unknown(plane)

    plane.api.patch(role, {"rules": role["rules"]})
    operator.stop()
    operator.start()

    def seeing() -> bool:
        return not any(one.get("stale") for one in findings(plane))

    plane.wait(seeing, PATIENCE, "evidence to be back")
    settle(plane, operator, history, "when all is known")
    assert without_unknown(plane) == before


def without_unknown(plane: ControlPlane) -> Counter[str]:
    """A rule that waits for a sample of usage may not be able to tell for a moment more."""
    counts = counted(sent(plane))
    return Counter({name: n for name, n in counts.items() if not name.endswith(".unknown")})


@each_rule
def test_what_is_resolved_is_told_alike(
    plane: ControlPlane, operator: Operator, history: History, rule: Rule
) -> None:
    finding = about(plane, rule)[0]
    apply(plane, stage.mended(rule))
    plane.wait(partial(gone, plane, rule), PATIENCE, "no finding")
    settle(plane, operator, history, "when it is resolved")

    resolved = event_of(plane, finding, "resolved")
    assert (resolved["type"], resolved["note"][:10]) == ("Normal", "Resolved: ")


def test_a_loop_that_is_healthy_again_is_told(plane: ControlPlane, history: History) -> None:
    conditions = {one["type"]: one["status"] for one in status_of(plane)["conditions"]}
    healthy = {name for name, status in conditions.items() if (name, status) in LOOPS_HEALTHY}
    shown = described(plane, "car", "cluster")

    assert healthy
    assert all(f" {name} " in shown for name in healthy)


def test_what_closed_while_nobody_looked_is_resolved(
    plane: ControlPlane, operator: Operator, history: History
) -> None:
    rule = next(one for one in RULES if one.name == AGAIN[0])
    apply(plane, stage.broken(rule))
    plane.wait(partial(about, plane, rule), PATIENCE, "the finding")
    settle(plane, operator, history, "when it is open again")
    resolved = f"{about(plane, rule)[0]['fingerprint']}.resolved"
    times = counted(sent(plane))[resolved]
    assert operator.process is not None
    operator.process.send_signal(signal.SIGKILL)
    operator.process.wait()
    apply(plane, stage.mended(rule))
    operator.start()
    plane.wait(partial(gone, plane, rule), PATIENCE, "no finding")
    settle(plane, operator, history, "when it is resolved again")

    assert counted(sent(plane))[resolved] == times + 1


def test_two_operators_at_once_say_everything_once(
    plane: ControlPlane, operator: Operator, history: History, kubeconfig: Path, tmp_path: Path
) -> None:
    with Operator(kubeconfig, tmp_path / "log") as other:
        plane.wait(lambda: other.get("/readyz") == "ok\n", PATIENCE, "the other one")
        for rule in (one for one in RULES if one.name in AGAIN):
            apply(plane, stage.broken(rule))
            plane.wait(partial(about, plane, rule), PATIENCE, rule.name)
            apply(plane, stage.mended(rule))
            plane.wait(partial(gone, plane, rule), PATIENCE, f"no {rule.name}")
        assert other.stop() == 0
    settle(plane, operator, history, "after two operators")
