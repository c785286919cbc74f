"""Which Events a status calls for, after what the last one said; and how they are worded."""

from typing import Any

import msgspec
import pytest

from clusteraudit.audit.audit import Audit, AuditResult
from clusteraudit.audit.ledger import Entry
from clusteraudit.model import build
from clusteraudit.model.build import NOW
from clusteraudit.model.store import Evidence
from clusteraudit.publish import summary
from clusteraudit.publish.events import NOTE_BYTES, Said, call, fit, heard, news
from clusteraudit.publish.stored import Stored, as_stored, cut, entries, events, marks, since
from clusteraudit.report.resource import RuleTuning, Spec, Status, StatusEvent
from clusteraudit.report.status import View, dump, status
from clusteraudit.report.tuning import tune
from clusteraudit.rules.catalogue import Catalogue, catalogue
from clusteraudit.rules.kit import Rule, Severity
from support.clusters import EVERYTHING, audit_of, changes_of

ALL = catalogue()
RULES = list(ALL)
EMPTY = Said({}, frozenset(), {})
each_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])


def said(result: AuditResult) -> Said:
    found = {one.fingerprint: one for one in result.entries}
    return Said(found, frozenset(found), {})


def turns(before: Said, result: AuditResult, spec: Spec | None = None) -> list[str]:
    return [one.transition for one in news(before, result, ALL, spec or Spec())]


def broken(rule: Rule) -> tuple[Audit, AuditResult]:
    example = next(one for one in rule.examples if one.finds)
    return audit_of(
        [rule], example.objects, now=example.now, settings={rule.code: example.settings}
    )


def called(before: Said, result: AuditResult, rules: Catalogue = ALL) -> list[StatusEvent]:
    return list(call(news(before, result, rules, Spec()), result, rules, "cluster", NOW))


@each_rule
def test_what_becomes_of_a_finding_is_told(rule: Rule) -> None:
    audit, first = broken(rule)
    lost = audit.step(evidence={rule.reads[0]: Evidence("none", "Forbidden")}, now=NOW)
    back = audit.step(evidence={rule.reads[0]: EVERYTHING["Pod"]}, now=NOW)
    example = next(one for one in rule.examples if one.finds)
    mended = audit.step(changes_of(example.mend), now=NOW)
    number = len(first.entries)

    assert number
    assert turns(EMPTY, first) == ["opened"] * number
    assert turns(said(first), first) == []
    assert turns(said(first), lost) == ["unknown"] * number
    assert turns(said(lost), lost) == turns(said(lost), back) == []
    assert turns(said(back), mended) == ["resolved"] * number
    assert turns(said(lost), mended) == ["resolved"] * number


@each_rule
def test_notes_fit_and_read_as_sentences(rule: Rule) -> None:
    audit, first = broken(rule)
    lost = audit.step(evidence={rule.reads[0]: Evidence("none", "Forbidden")}, now=NOW)
    none = msgspec.structs.replace(first, entries=())
    told = [
        *called(EMPTY, first),
        *called(said(first), lost),
        *called(said(first), none),
    ]
    for one in told:
        assert len(one.note.encode()) <= NOTE_BYTES
        assert one.note[0].isupper() or one.note[0].isdigit()
        assert rule.code in one.note
        assert "  " not in one.note
    entry = first.entries[0]
    opened = next(one for one in told if one.name == f"{entry.fingerprint}.opened")
    assert entry.remedy in opened.note
    assert (opened.regarding.kind == "ClusterAuditReport") == (
        not entry.finding.subject.api_version
    )
    assert any(f"{rule.reads[0]}: Forbidden" in one.note for one in told)


def test_a_worse_severity_is_told_each_time_it_is_another() -> None:
    rule = next(one for one in RULES if one.severity is Severity.HIGH)
    _, result = broken(rule)

    def at(severity: Severity) -> AuditResult:
        raised = [msgspec.structs.replace(one, severity=severity) for one in result.entries]
        return msgspec.structs.replace(result, entries=tuple(raised))

    low, high, critical = (at(one) for one in (Severity.LOW, Severity.HIGH, Severity.CRITICAL))
    assert set(turns(said(low), high)) == {"raised-high"}
    assert set(turns(said(high), critical)) == {"raised-critical"}
    assert turns(said(critical), low) == []


def test_only_what_the_main_report_shows_is_told() -> None:
    rule = next(one for one in RULES if one.name == "budget-blocks-drain")
    _, result = broken(rule)

    assert turns(EMPTY, result, Spec(namespaces=["elsewhere"])) == []
    assert turns(EMPTY, result, Spec(min_severity="critical")) == []
    assert turns(EMPTY, result, Spec(min_severity="high")) == ["opened"]


def test_a_rule_that_is_switched_off_resolves_nothing() -> None:
    rule = next(one for one in RULES if one.name == "budget-blocks-drain")
    audit, result = broken(rule)
    tuned = tune(Catalogue([rule]), [RuleTuning(code=rule.code, enabled=False)])
    audit.retune(tuned.catalogue, tuned.settings, ())
    after = audit.step(now=NOW)

    assert after.entries == ()
    assert news(said(result), after, tuned.catalogue, Spec()) == []


def test_what_is_only_not_heard_of_is_not_told_but_what_is_lost_then_is() -> None:
    rule = next(one for one in RULES if one.name == "budget-blocks-drain")
    audit, result = broken(rule)
    stale = audit.step(evidence={"Pod": Evidence("none", "Stale")}, now=NOW)
    before = said(result)

    assert stale.entries[0].stale
    assert turns(before, stale) == []
    kept = Said(dict(heard(before, stale, ALL)), before.marks, {})
    lost = audit.step(evidence={"Pod": Evidence("none", "Forbidden")}, now=NOW)
    assert turns(kept, lost) == ["unknown"]


def test_the_cause_is_named() -> None:
    rule = next(one for one in RULES if one.name == "node-cordoned-long")
    example = next(one for one in rule.examples if one.finds and one.objects)
    _, result = audit_of(ALL, example.objects, now=example.now)
    found = {one.name.partition(".")[0]: one for one in called(EMPTY, result)}
    by_rule = {one.rule: found[one.fingerprint] for one in result.entries}
    cordoned = by_rule[rule.code]

    assert cordoned.related is not None
    assert cordoned.related.kind == "PodDisruptionBudget"
    assert "Cause: PLT101 of PodDisruptionBudget" in cordoned.note


@pytest.mark.parametrize("character", ["a", "é", "💥"])
def test_a_note_is_cut_by_bytes_and_keeps_its_end(character: str) -> None:
    assert fit("short", " end.") == "short end."
    note = fit(character * 2000, " end.")
    assert len(note.encode()) <= NOTE_BYTES
    assert note.endswith("… end.")
    assert len(fit(character * 2000).encode()) <= NOTE_BYTES
    assert len(fit("a", character * 2000).encode()) <= NOTE_BYTES


# What the next life reads


def made(result: AuditResult, view: View | None = None) -> Status:
    return status(result, ALL, view or View(Spec(), main=True))


def two_locked() -> AuditResult:
    rule = next(one for one in RULES if one.name == "budget-blocks-drain")
    objects = [
        one
        for name in ("a", "b")
        for one in (
            build.node(f"node-{name}"),
            *build.pods_of(name, on=f"node-{name}"),
            build.budget(name, maxUnavailable=0),
        )
    ]
    return audit_of([rule], objects)[1]


def test_a_status_read_back_says_what_was_open() -> None:
    result = two_locked()
    stored = as_stored(dump(made(result)))
    found = {one.fingerprint: one for one in entries(stored)}
    before = Said(found, marks(stored, found.values()), {}, whole=not cut(stored))

    assert since(stored) == {one.fingerprint: one.since for one in result.entries}
    assert turns(before, result) == []
    none = msgspec.structs.replace(result, entries=())
    assert turns(before, none) == ["resolved"] * 2
    assert [one.note for one in called(before, none)] == [
        one.note for one in called(said(result), none)
    ]


def test_what_had_no_room_opens_nothing_after_a_restart() -> None:
    result = two_locked()
    stored = as_stored(dump(made(result)))
    first = result.entries[0]
    lines = [f"{first.fingerprint} {first.since}", "+1"]
    short = msgspec.structs.replace(stored, findings=[], ledger=lines)
    before = Said({}, marks(short, ()), {}, whole=not cut(short))

    assert cut(short)
    assert turns(before, result) == []
    whole = msgspec.structs.replace(short, ledger=lines[:1])
    known = Said({}, marks(whole, ()), {}, whole=not cut(whole))
    assert turns(known, result) == ["opened"]


def test_events_survive_in_the_status_and_what_makes_no_sense_is_left_out() -> None:
    result = two_locked()
    due = tuple(called(EMPTY, result))
    stored = as_stored(dump(made(result, View(Spec(), main=True, events=due))))

    assert tuple(events(stored)) == due
    late = {**stored.events[0], "at": "late"}
    odd = msgspec.structs.replace(stored, events=[{"name": 1}, late, *stored.events])
    assert tuple(events(odd)) == due
    finding = msgspec.structs.replace(stored.findings[0], severity="odd")
    assert list(entries(msgspec.structs.replace(stored, findings=[finding]))) == []


# An earlier life's findings in the audit


def entry_of(result: AuditResult) -> Entry:
    """As the next life reads it."""
    return next(entries(as_stored(dump(made(result)))))


def test_what_closed_meanwhile_is_over_and_what_cannot_be_told_stays() -> None:
    rule = next(one for one in RULES if one.name == "budget-blocks-drain")
    example = next(one for one in rule.examples if one.finds)
    before = entry_of(broken(rule)[1])
    audit = Audit(Catalogue([rule]), NOW)
    audit.ledger.remember({}, [before])
    blind = {**EVERYTHING, "PodDisruptionBudget": Evidence("none", "Forbidden")}
    unknown = audit.step(evidence=blind, now=NOW, settled=True)
    sound = [one for one in example.objects if one["kind"] != "PodDisruptionBudget"]
    audit.step(changes_of(sound), now=NOW, settled=True)
    seen = audit.step(evidence=EVERYTHING, now=NOW, settled=True)

    assert [(one.fingerprint, one.stale) for one in unknown.entries] == [(before.fingerprint, True)]
    assert seen.entries == ()


def test_what_is_found_again_is_the_same_finding() -> None:
    rule = next(one for one in RULES if one.name == "budget-blocks-drain")
    example = next(one for one in rule.examples if one.finds)
    before = msgspec.structs.replace(entry_of(broken(rule)[1]), since=NOW - 500)
    audit = Audit(Catalogue([rule]), NOW)
    audit.ledger.remember({}, [before])
    found = audit.step(changes_of(example.objects), evidence=EVERYTHING, now=NOW, settled=True)
    gone = audit.step(changes_of(example.mend), now=NOW, settled=True)

    assert [(one.fingerprint, one.since, one.stale) for one in found.entries] == [
        (before.fingerprint, NOW - 500, False)
    ]
    assert gone.entries == ()


# The report's own


def stored(**words: Any) -> Stored:
    return as_stored(dump(made(two_locked()))) if not words else Stored(**words)


def test_the_report_tells_when_a_loop_gets_worse_and_is_healthy_again() -> None:
    now = stored()
    words = summary.words(now)
    assert words["platform"] == "high"
    worse = list(summary.call({**words, "platform": "healthy"}, now, "cluster", NOW))
    raised = list(summary.call({**words, "platform": "medium"}, now, "cluster", NOW))

    assert [one.reason for one in worse] == ["PlatformUnhealthy"] == [o.reason for o in raised]
    assert "2 findings of medium severity or worse; the worst is PodDis" in worse[0].note
    assert list(summary.call({**words, "platform": "critical"}, now, "cluster", NOW)) == []
    assert list(summary.call(words, now, "cluster", NOW)) == []
    quiet = as_stored(dump(made(msgspec.structs.replace(two_locked(), entries=()))))
    healthy = list(summary.call(words, quiet, "cluster", NOW))
    assert [(one.reason, one.type) for one in healthy] == [("PlatformHealthy", "Normal")]


def test_the_report_tells_when_its_spec_is_invalid_and_when_no_more() -> None:
    result = two_locked()
    good = as_stored(dump(made(result)))
    bad = as_stored(dump(made(result, View(Spec(), problems=("spec.x: no",), main=True))))
    lost = list(summary.call(summary.words(good), bad, "cluster", NOW))
    back = list(summary.call(summary.words(bad), good, "cluster", NOW))

    assert [(one.reason, one.type) for one in lost] == [("SpecInvalid", "Warning")]
    assert "spec.x: no" in lost[0].note
    assert [(one.reason, one.type) for one in back] == [("SpecValid", "Normal")]
    assert list(summary.call({}, bad, "cluster", NOW)) == [], "the first status is the baseline"


def test_reasons_and_actions_are_what_the_api_takes() -> None:
    kinds = [
        *(summary.loop_kind(loop, healthy=good) for loop in ("compute",) for good in (True, False)),
        *(summary.topic_kind(one, good=good) for one in summary.TOPICS for good in (True, False)),
    ]
    assert all(one.action in summary.ACTIONS_OF_ALL for one in kinds)
    assert all(one.reason.isalnum() and len(one.reason) <= 128 for one in kinds)
