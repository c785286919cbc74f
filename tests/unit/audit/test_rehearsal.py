"""Drills in the background: a pass at a time, and it says what `drill all` says."""

from collections.abc import Sequence

import pytest

from clusteraudit.audit import rehearsal
from clusteraudit.audit.audit import Audit
from clusteraudit.audit.rehearsal import Rehearsed
from clusteraudit.model import build
from clusteraudit.model.build import NOW, Manifest
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import COMPLETE, Change, Evidence
from clusteraudit.report.losses import drills
from clusteraudit.rules.catalogue import Catalogue
from clusteraudit.simulate.drill import Verdict
from clusteraudit.simulate.drills import every
from clusteraudit.simulate.ground import Ground
from support.clusters import changes_of

ALL_KNOWN = dict.fromkeys(KINDS, COMPLETE)
WEB = [build.deployment("web", replicas=2), *build.pods_of("web", 2, on="a")]
NODES = [build.node("a", zone="one"), build.node("b", zone="two")]
FULL = [build.node("a", zone="one"), build.node("b", zone="two", cordoned=60)]


def audit_of(objects: Sequence[Manifest]) -> Audit:
    audit = Audit(Catalogue(()), NOW)
    audit.step(changes_of(objects), evidence=ALL_KNOWN, now=NOW)
    return audit


def passed(audit: Audit, now: int = NOW) -> Rehearsed | None:
    while audit.rehearsal.step(now):
        pass
    return audit.rehearsal.last


def test_nothing_is_told_before_the_pass_has_ended() -> None:
    audit = audit_of([*NODES, *WEB])
    assert audit.step(now=NOW).drills is None
    assert audit.rehearsal.step(NOW)
    assert audit.step(now=NOW).drills is None
    assert passed(audit) is not None
    assert audit.step(now=NOW).drills is audit.rehearsal.last


@pytest.mark.parametrize("objects", [[*NODES, *WEB], [*FULL, *WEB]], ids=["room", "no room"])
def test_it_says_what_drill_all_says(objects: list[Manifest]) -> None:
    audit = audit_of(objects)
    found = passed(audit)
    assert found is not None
    said = {
        (one.kind, one.target): one.verdict for one in every(Ground(audit.cluster), "unreachable")
    }
    assert dict(found.nodes) == {name: said["node", name] for name in ("a", "b")}
    assert dict(found.zones) == {name: said["zone", name] for name in ("one", "two")}


def test_a_node_whose_pods_find_no_other_is_fatal() -> None:
    found = passed(audit_of([*FULL, *WEB]))
    assert found is not None
    assert found.fatal == ("a",)
    shape = drills(found)
    assert (shape.nodes.fails, shape.nodes.survives) == (1, 1)
    assert [(one.zone, one.verdict) for one in shape.zones] == [
        ("one", "fails"),
        ("two", "survives"),
    ]


def test_a_pass_begins_anew_only_when_something_changed_that_counts() -> None:
    audit = audit_of([*NODES, *WEB])
    first = passed(audit)
    audit.step(changes_of([build.service("web")]), now=NOW + 5)
    assert passed(audit, NOW + 5) is first

    audit.step(changes_of([build.node("b", zone="two", cordoned=60)]), now=NOW + 9)
    second = passed(audit, NOW + 9)
    assert second is not None
    assert second.as_of == NOW + 9
    assert second.fatal == ("a",)


def test_what_changes_within_a_pass_is_seen_by_the_rest_of_it_and_by_the_next() -> None:
    audit = audit_of([*NODES, *WEB])
    assert audit.rehearsal.step(NOW)
    audit.step([Change("Node", ("", "b"), None)], now=NOW + 1)
    found = passed(audit, NOW + 2)
    assert found is not None
    assert found.as_of == NOW + 2
    assert dict(found.nodes) == {"a": Verdict.FAILS}


def test_without_all_nodes_or_pods_nothing_is_told() -> None:
    audit = audit_of([*NODES, *WEB])
    assert passed(audit) is not None
    audit.step(evidence={"Pod": Evidence("none", "Forbidden")}, now=NOW + 1)
    assert passed(audit, NOW + 1) is None
    audit.step(evidence={"Pod": COMPLETE}, now=NOW + 2)
    assert passed(audit, NOW + 2) is not None


def test_a_zone_that_is_too_large_to_be_lost_by_itself_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rehearsal, "MAX_PODS", 1)
    found = passed(audit_of([*NODES, *WEB]))
    assert found is not None
    assert dict(found.zones) == {"one": Verdict.UNKNOWN, "two": Verdict.SURVIVES}


def test_a_drill_that_fails_is_told_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rehearsal, "node_loss", refuse)
    audit = audit_of([*NODES, *WEB])
    found = passed(audit)
    assert found is not None
    assert {said for _, said in found.nodes} == {Verdict.UNKNOWN}
    fault = audit.rehearsal.fault
    assert fault is not None
    assert fault[0] == "node b"
    assert isinstance(fault[1], ZeroDivisionError)
