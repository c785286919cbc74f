"""Events of findings, as values: which ones a new status calls for, after what the last one said.

Levels are compared, not transitions counted: what was open by the last status that was accepted,
and what is open now. See docs/decisions/0003-events.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clusteraudit.audit.audit import AuditResult, order
from clusteraudit.audit.ledger import Entry
from clusteraudit.diagnose.chains import diagnose
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.printable import printable
from clusteraudit.model.rows import Ref
from clusteraudit.report.resource import GROUP, KIND, VERSION, Spec, StatusEvent
from clusteraudit.report.scan import reference
from clusteraudit.report.shapes import ObjectReference
from clusteraudit.report.status import shown
from clusteraudit.rules.catalogue import Catalogue
from clusteraudit.rules.kit import Rule, Turn

NOTE_BYTES = 1024
"""What the API takes of a note."""
_UNHEARD = "Stale"
"""Reason of a kind that is not heard of for now: the report tells it, not every finding."""


@dataclass(frozen=True)
class Said:
    """What a status told: findings by fingerprint, and a word for each topic of the report."""

    entries: Mapping[str, Entry]
    marks: frozenset[str]
    """Fingerprints of all that was open, also of what is known by nothing else."""
    words: Mapping[str, str]
    whole: bool = True
    """False where more was open than there was room to note."""


@dataclass(frozen=True)
class News:
    """What became of a finding."""

    turn: Turn
    entry: Entry

    @property
    def transition(self) -> str:
        """The second part of the Event's name; a worse severity is another one each time."""
        raised = self.turn is Turn.RAISED
        return f"{self.turn}-{self.entry.severity}" if raised else self.turn.value


def news(said: Said, result: AuditResult, catalogue: Catalogue, spec: Spec) -> list[News]:
    """What became of the findings that the report shows, worst first."""
    found = [*_open(said, result, catalogue), *_closed(said, result, catalogue)]
    told = (one for one in found if shown(one.entry, spec))
    return sorted(told, key=lambda one: order(one.entry))


def _open(said: Said, result: AuditResult, catalogue: Catalogue) -> Iterator[News]:
    unheard = _unheard(result, catalogue)
    for entry in result.entries:
        before = said.entries.get(entry.fingerprint)
        if before is None:
            if said.whole and entry.fingerprint not in said.marks and not entry.stale:
                yield News(Turn.OPENED, entry)
        elif entry.severity.rank < before.severity.rank:
            yield News(Turn.RAISED, entry)
        elif entry.stale and not before.stale and entry.rule not in unheard:
            yield News(Turn.UNKNOWN, entry)


def _closed(said: Said, result: AuditResult, catalogue: Catalogue) -> Iterator[News]:
    """A rule that is not asked any more has resolved nothing."""
    still = {one.fingerprint for one in result.entries}
    for mark, entry in said.entries.items():
        if mark not in still and catalogue.get(entry.rule):
            yield News(Turn.RESOLVED, entry)


def heard(said: Said, result: AuditResult, catalogue: Catalogue) -> Mapping[str, Entry]:
    """The entries as they are told: what is only not heard of for now stays as it was."""
    unheard = _unheard(result, catalogue)
    return {
        one.fingerprint: said.entries.get(one.fingerprint, one)
        if one.stale and one.rule in unheard
        else one
        for one in result.entries
    }


def _unheard(result: AuditResult, catalogue: Catalogue) -> set[str]:
    kinds = {kind for kind, evidence in result.evidence if evidence.reason == _UNHEARD}
    return {rule.code for rule in catalogue if kinds & set(rule.reads)}


# Words


def call(
    found: Iterable[News], result: AuditResult, catalogue: Catalogue, report: str, at: int
) -> Iterator[StatusEvent]:
    """The Events of findings; of a place that is no object (a pool, a zone), of the report."""
    chosen = list(found)
    if not chosen:
        return
    causes = diagnose(result.entries, catalogue).caused_by
    entries = {one.fingerprint: one for one in result.entries}
    reasons = {one.rule: "; ".join(one.reasons) for one in result.tallies}
    for one in chosen:
        rule = catalogue.get(one.entry.rule)
        cause = entries.get(next(iter(causes.get(one.entry.fingerprint, ())), ""))
        if rule:
            told = cause if one.turn in {Turn.OPENED, Turn.RAISED} else None
            kind, note = rule.event_kind(one.turn), _note(one, rule, told, reasons.get(rule.code))
            subject = one.entry.finding.subject
            yield StatusEvent(
                name=f"{one.entry.fingerprint}.{one.transition}",
                at=rfc3339(at),
                type=kind.type,
                reason=kind.reason,
                action=kind.action,
                regarding=reference(subject) if _is_object(subject) else the_report(report),
                related=_related(subject, told),
                note=note,
            )


def the_report(name: str) -> ObjectReference:
    """The reference to a report."""
    return ObjectReference(api_version=f"{GROUP}/{VERSION}", kind=KIND, namespace="", name=name)


def _is_object(subject: Ref) -> bool:
    return bool(subject.api_version)


def _related(subject: Ref, cause: Entry | None) -> ObjectReference | None:
    other = cause.finding.subject if cause else subject
    return reference(other) if other != subject and _is_object(other) else None


def _note(one: News, rule: Rule, cause: Entry | None, reasons: str | None) -> str:
    """A sentence or three: what is wrong, why, what to do; the object stands beside it."""
    entry, subject = one.entry, one.entry.finding.subject
    said = entry.message.removeprefix(f"{subject}: ") if _is_object(subject) else entry.message
    end = f"{_why(entry, cause)} {entry.remedy} ({rule.code}, {entry.severity})"
    match one.turn:
        case Turn.OPENED:
            return fit(said[:1].upper() + said[1:], end)
        case Turn.RAISED:
            return fit(f"Now {entry.severity}: {said}", end)
        case Turn.RESOLVED:
            return fit(f"Resolved: {said}", f" ({rule.code})")
        case Turn.UNKNOWN:
            lost = f" ({reasons})" if reasons else ""
            return fit(f"Cannot tell any more{lost}, it was: {said}", f" ({rule.code})")


def _why(entry: Entry, cause: Entry | None) -> str:
    if cause is None:
        return ""
    subject = cause.finding.subject
    where = "" if subject == entry.finding.subject else f" of {subject}"
    return f" Cause: {cause.rule}{where}."


def fit(text: str, end: str = "") -> str:
    """As much of the text as the API takes before the end; both whole, as a rule."""
    text, end = printable(text), printable(end)
    room = NOTE_BYTES - len(end.encode())
    if len(text.encode()) <= room:
        return text + end
    short = text.encode()[: max(0, room - len("…".encode()))].decode(errors="ignore")
    return f"{short}…{end}".encode()[:NOTE_BYTES].decode(errors="ignore")
