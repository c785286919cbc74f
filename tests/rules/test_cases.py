"""Cases of every rule: `tests/rules/<loop>/<rule>.yaml`, each a cluster and what is said of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusteraudit.audit.audit import AuditResult
from clusteraudit.model import build
from clusteraudit.model.build import NOW
from clusteraudit.model.store import Evidence
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import Rule
from support.clusters import EVERYTHING, audit_of

HERE = Path(__file__).parent
FEWEST = 8


def cases() -> Iterator[Any]:
    for rule in catalogue():
        for case in load(rule):
            yield pytest.param(rule, case, id=f"{rule.name}: {case['case']}")


def path(rule: Rule) -> Path:
    return HERE / rule.loop / f"{rule.ask.__name__}.yaml"


def load(rule: Rule) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = yaml.safe_load(path(rule).read_text(encoding="utf-8"))
    return held


def objects(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Manifests as they stand, or calls of a builder: `node: {name: a, cpu: "8"}`."""
    for entry in entries:
        if "kind" in entry:
            yield entry
            continue
        ((name, arguments),) = entry.items()
        made = getattr(build, name)(**(arguments or {}))
        yield from made if isinstance(made, list) else [made]


def asked(rule: Rule, case: dict[str, Any]) -> AuditResult:
    evidence = dict(EVERYTHING)
    evidence |= dict.fromkeys(case.get("partial", ()), Evidence("partial"))
    evidence |= dict.fromkeys(case.get("withheld", ()), Evidence("none", "Forbidden"))
    settings = {rule.code: case.get("settings", {})}
    now = NOW + case.get("after", 0)
    manifests = list(objects(case["objects"]))
    return audit_of([rule], manifests, now=now, settings=settings, evidence=evidence)[1]


@pytest.mark.parametrize(("rule", "case"), list(cases()))
def test_case(rule: Rule, case: dict[str, Any]) -> None:
    result = asked(rule, case)
    tally = result.tallies[0]

    assert sum(word in case for word in ("finds", "clear", "unknown")) == 1
    assert not tally.error, tally.reasons
    if "finds" in case:
        found = {str(entry.finding.subject): entry for entry in result.entries}
        assert sorted(found) == sorted(one["object"] for one in case["finds"])
        for one in case["finds"]:
            entry = found[one["object"]]
            assert entry.severity.value == one.get("severity", rule.severity.value)
            for part in one.get("says", ()):
                assert part in f"{entry.message} {entry.remedy}"
    elif "unknown" in case:
        assert result.entries == ()
        assert list(tally.reasons) == case["unknown"]
    else:
        assert result.entries == ()
        assert tally.outcome in {"clear", "notApplicable"}, tally.reasons


@pytest.mark.parametrize("rule", list(catalogue()), ids=lambda rule: rule.name)
def test_every_rule_has_cases_of_both_kinds(rule: Rule) -> None:
    held = load(rule)
    assert len(held) >= FEWEST
    assert any("finds" in case for case in held)
    assert any("clear" in case for case in held)


def test_no_case_is_nobodys() -> None:
    assert set(HERE.rglob("*.yaml")) == {path(rule) for rule in catalogue()}
