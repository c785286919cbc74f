"""The status of a report: what it keeps, what it says of itself, and when it is written anew."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from clusteraudit.audit.audit import AuditResult
from clusteraudit.model import build
from clusteraudit.model.build import NOW
from clusteraudit.model.store import Evidence
from clusteraudit.report.crd import crd
from clusteraudit.report.resource import RuleTuning, Spec
from clusteraudit.report.status import (
    CAP_BYTES,
    View,
    digest,
    dump,
    first_seen,
    ledger,
    size,
    status,
)
from clusteraudit.report.tuning import tune
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import LOOPS, Severity
from support.clusters import EVERYTHING, audit_of, changes_of

ALL = catalogue()


def result_of(*objects: Any, evidence: Any = EVERYTHING) -> AuditResult:
    return audit_of(ALL, objects, evidence=evidence)[1]


def locked(number: int) -> list[build.Manifest]:
    """So many budgets that block, each with its pod; and cordoned nodes that wait for them."""
    return [
        one
        for i in range(number)
        for one in (
            build.node(f"node-{i}", cordoned=90_000),
            *build.pods_of(f"app-{i}", on=f"node-{i}", cpu="1m", memory="1Mi"),
            build.budget(f"app-{i}", maxUnavailable=0),
        )
    ]


def conditions(made: Any) -> dict[str, str]:
    return {one.type: one.status for one in made.conditions}


def test_a_quiet_cluster() -> None:
    made = status(result_of(build.node("a")), ALL, View(Spec()))

    assert made.score == 100
    assert made.findings == []
    said = conditions(made)
    assert (said["Ready"], said["InputsSynced"], said["Truncated"]) == ("True", "True", "False")
    assert said["Complete"] == "False"  # of the node's memory nothing is known
    assert said["PlatformHealthy"] == "True"
    assert said["ControlplaneHealthy"] == "Unknown"  # no rule asks of it


def test_capacity_is_said_in_base_units() -> None:
    objects = [
        *(build.node(f"n{i}", "8") for i in range(3)),
        build.node("away", "8", cordoned=60),
        *(one for i in range(3) for one in build.pods_of(f"a{i}", on=f"n{i}", cpu="5")),
    ]
    cpu = status(result_of(*objects), ALL, View(Spec())).capacity[0]

    assert (cpu.resource, cpu.allocatable, cpu.requested) == ("cpu", 32_000, 15_000)
    assert (cpu.free, cpu.unavailable) == (9000, 8000)
    assert (cpu.fragmented_permille, cpu.stranded) == (1000, 9000)
    partial = {**EVERYTHING, "Pod": Evidence("partial")}
    assert status(result_of(*objects, evidence=partial), ALL, View(Spec())).capacity == []


def test_what_is_not_in_sync_is_said() -> None:
    evidence = {**EVERYTHING, "Pod": Evidence("none", "Forbidden", NOW)}
    made = status(result_of(build.node("a"), evidence=evidence), ALL, View(Spec()))

    assert conditions(made)["InputsSynced"] == "False"
    assert conditions(made)["Complete"] == "False"
    pods = next(one for one in made.inputs if one.kind == "Pod")
    assert (pods.synced, pods.reason, pods.since) == (False, "Forbidden", build.ago(0))


def test_metrics_that_are_not_served_are_not_behind() -> None:
    evidence = {**EVERYTHING, "NodeMetrics": Evidence("none", "NotServed", NOW)}
    made = status(result_of(build.node("a"), evidence=evidence), ALL, View(Spec()))
    assert conditions(made)["InputsSynced"] == "True"


def test_causes_are_kept_and_nothing_points_at_what_is_dropped() -> None:
    result = result_of(*locked(60))
    made = status(result, ALL, View(Spec(max_findings=70)))

    kept = {one.fingerprint for one in made.findings}
    assert {chain.root for chain in made.chains} <= kept
    links = [link for one in made.findings for link in (*one.caused_by, *one.effects)]
    assert set(links) | {e for chain in made.chains for e in chain.effects} <= kept
    counts = {one.rule: (one.total, one.kept) for one in made.findings_by_rule}
    assert counts["PLT101"] == (60, 60)
    assert counts["PLT102"][0] == 60
    assert counts["PLT102"][1] <= 20
    assert conditions(made)["Truncated"] == "True"
    assert made.summary.findings == 120


@pytest.mark.parametrize("cap", [2_000, 20_000, CAP_BYTES])
def test_it_fits_under_the_cap(cap: int) -> None:
    made = status(result_of(*locked(150)), ALL, View(Spec()), cap=cap)
    assert size(made) <= cap or made.findings == []
    assert len(made.findings) <= 200


def test_the_ledger_knows_what_is_not_listed() -> None:
    result = result_of(*locked(60))
    made = status(result, ALL, View(Spec(max_findings=5), main=True))

    assert len(made.findings) == 5
    assert first_seen(made.ledger) == {one.fingerprint: one.since for one in result.entries}
    assert status(result, ALL, View(Spec())).ledger == []
    assert digest(made) == digest(made.model_copy(update={"ledger": []}))


@pytest.mark.parametrize("cap", [20_000, CAP_BYTES])
def test_the_ledger_takes_only_the_room_that_is_left(cap: int) -> None:
    entries = result_of(*locked(60)).entries * 100
    made = status(result_of(*locked(60)), ALL, View(Spec(), main=True), cap)

    assert size(made) <= cap
    assert ledger(entries, 11) == []
    assert len(str(ledger(entries, 5000)).replace(" '", "'")) < 5000
    assert first_seen(["of no sense", "", *made.ledger]) == first_seen(made.ledger)


def test_severity_and_namespace_limit_what_is_shown() -> None:
    result = result_of(*locked(3))
    high = status(result, ALL, View(Spec(min_severity="high")))
    none = status(result, ALL, View(Spec(namespaces=["elsewhere"])))

    assert {one.rule for one in high.findings} == {"PLT101"}
    assert none.findings == []
    assert none.score == 100


def test_the_digest_changes_with_what_is_said_only() -> None:
    audit, first = audit_of(ALL, locked(1))
    later = audit.step(now=NOW + 60)
    more = audit.step(changes_of([build.namespace("b")]), now=NOW + 60)
    other = audit.step(changes_of(locked(2)), now=NOW + 60)
    before = {one.type: one for one in status(first, ALL, View(Spec())).conditions}
    view = View(Spec(), before=before)

    marks = [digest(status(one, ALL, view)) for one in (first, later, more, other)]
    assert marks[0] == marks[1] == marks[2] != marks[3]


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    audit, first = audit_of(ALL, locked(1))
    before = {one.type: one for one in status(first, ALL, View(Spec())).conditions}
    gone = audit.step(changes_of([build.budget("app-0", maxUnavailable=1)]), now=NOW + 60)
    after = {one.type: one for one in status(gone, ALL, View(Spec(), before=before)).conditions}

    assert after["PlatformHealthy"].status == "True"
    assert after["PlatformHealthy"].last_transition_time == build.ago(-60)
    assert after["Ready"].last_transition_time == before["Ready"].last_transition_time


def test_no_age_and_no_float_is_published() -> None:
    def leaves(value: object) -> list[object]:
        if isinstance(value, dict):
            return [leaf for one in value.values() for leaf in leaves(one)]
        if isinstance(value, list):
            return [leaf for one in value for leaf in leaves(one)]
        return [value]

    made = dump(status(result_of(*locked(2)), ALL, View(Spec())))
    assert all(isinstance(leaf, str | int) for leaf in leaves(made))


def fields(schema: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, schema
    for name, one in schema.get("properties", {}).items():
        yield from fields(one, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def test_the_crd_is_structural_and_described() -> None:
    definition: Any = crd()
    root = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    every = list(fields(root, ""))

    assert [path for path, one in every if "type" not in one] == []
    assert [path for path, one in every if {"$ref", "anyOf", "title"} & one.keys()] == []
    undescribed = {path for path, one in every if "description" not in one}
    assert {path for path in undescribed if not path.endswith("[]")} == {
        f".status.summary.{group}.{name}"
        for group, names in (("bySeverity", Severity), ("byLoop", LOOPS))
        for name in names
    }


def test_tuning_names_the_field_and_keeps_the_defaults() -> None:
    wrong = RuleTuning(code="CMP102", settings={"forSeconds": "long", "more": 1})
    tuned = tune(ALL, [wrong, RuleTuning(code="ABC123"), RuleTuning(code="PLT102", enabled=False)])

    assert any("spec.rules[CMP102].settings.forSeconds" in one for one in tuned.problems)
    assert any("settings.more" in one for one in tuned.problems)
    assert tuned.warnings == ("spec.rules[ABC123]: there is no such rule",)
    assert tuned.catalogue.get("PLT102") is None
    assert tuned.settings["CMP102"].model_dump()["for_seconds"] == 300


def test_a_rule_that_is_switched_off_closes_its_findings() -> None:
    audit, first = audit_of(ALL, locked(1))
    tuned = tune(ALL, [RuleTuning(code="PLT101", enabled=False)])
    audit.retune(tuned.catalogue, tuned.settings, ())
    after = audit.step(now=NOW)

    assert {one.rule for one in first.entries} == {"PLT101", "PLT102"}
    assert {one.rule for one in after.entries} == {"PLT102"}


def test_a_forced_severity_stands_before_the_rules_own() -> None:
    tuned = tune(ALL, [RuleTuning(code="PLT101", severity="info")])
    _, result = audit_of(tuned.catalogue, locked(1))
    assert {one.rule: one.severity.value for one in result.entries}["PLT101"] == "info"


def test_hygiene_is_silent_in_system_namespaces() -> None:
    rule = ALL.get("NET102")
    assert rule is not None
    policy = build.egress_policy("lock", "kube-system", app="gone")
    assert audit_of([rule], [policy])[1].entries == ()
    loud = replace(rule, hygiene=False)
    assert len(audit_of([loud], [policy])[1].entries) == 1
