"""Events of the report itself: a control loop is worse or healthy again, a condition turned."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clusteraudit.model.moments import rfc3339
from clusteraudit.publish.events import fit, the_report
from clusteraudit.publish.stored import Stored
from clusteraudit.report.resource import GROUP, KIND, StatusEvent
from clusteraudit.rules.kit import ACTIONS, LOOPS, EventKind, EventType, Severity

_HEALTHY = "healthy"
_LOST, _BACK = "ConditionLost", "ConditionRestored"
ACTIONS_OF_ALL = (*ACTIONS.values(), _LOST, _BACK)
"""Every action that an Event may name, those of findings included."""
_BAD = tuple(one.value for one in Severity if one.rank <= Severity.MEDIUM.rank)


@dataclass(frozen=True)
class Topic:
    """A condition whose turns are told: reasons for its loss and for its return, and a remedy."""

    condition: str
    lost: str
    back: str
    remedy: str = ""


TOPICS: tuple[Topic, ...] = (
    Topic("InputsSynced", "InputsBehind", "InputsSynced", "The rules that need it cannot tell."),
    Topic("SpecValid", "SpecInvalid", "SpecValid", "Defaults stand in its place."),
    Topic("SchemaCurrent", "SchemaOutdated", "SchemaCurrent"),
)


def loop_kind(loop: str, *, healthy: bool) -> EventKind:
    """What is fixed of the Events of a control loop."""
    condition = f"{loop.title()}Healthy"
    reason = condition if healthy else f"{loop.title()}Unhealthy"
    return EventKind(reason, *_turned(good=healthy))


def topic_kind(topic: Topic, *, good: bool) -> EventKind:
    """What is fixed of the Events of a condition."""
    return EventKind(topic.back if good else topic.lost, *_turned(good=good))


def _turned(*, good: bool) -> tuple[str, EventType]:
    return (_BACK, "Normal") if good else (_LOST, "Warning")


def words(stored: Stored) -> Mapping[str, str]:
    """A word for each topic: the worst severity of a loop, the status of a condition."""
    said = {one.type: one.status for one in stored.conditions}
    return {loop: _loop(loop, stored, said) for loop in LOOPS} | {
        one.condition: said[one.condition] for one in TOPICS if one.condition in said
    }


def _loop(loop: str, stored: Stored, said: Mapping[str, str]) -> str:
    found = {one.severity for one in stored.findings if one.loop == loop}
    worst = next((one for one in _BAD if one in found), "")
    healthy = said.get(f"{loop.title()}Healthy") == "True"
    return worst or (_HEALTHY if healthy else "unknown")


def call(before: Mapping[str, str], stored: Stored, report: str, at: int) -> Iterator[StatusEvent]:
    """The Events of the report, after what its words were before."""
    now = words(stored)
    for loop in LOOPS:
        old, new = before.get(loop, ""), now[loop]
        if old and old != new and _told(old, new):
            kind = loop_kind(loop, healthy=new == _HEALTHY)
            note = _loop_note(loop, new, stored)
            yield _event(_mark(report, loop, new), kind, report, note, at)
    for topic in TOPICS:
        old, new = before.get(topic.condition, ""), now.get(topic.condition, "")
        if old and new and old != new:
            kind = topic_kind(topic, good=new == "True")
            mark = _mark(report, topic.condition, new.lower())
            yield _event(mark, kind, report, _note(topic, stored), at)


def _told(old: str, new: str) -> bool:
    """What is worse than it was, and what is healthy after it was not."""
    if new in _BAD:
        return old not in _BAD or _BAD.index(new) < _BAD.index(old)
    return new == _HEALTHY and old in _BAD


def _loop_note(loop: str, word: str, stored: Stored) -> str:
    if word == _HEALTHY:
        return "No finding of medium severity or worse is open any more."
    worst = next(one for one in stored.findings if one.loop == loop and one.severity == word)
    number = next(one.message for one in stored.conditions if one.type == f"{loop.title()}Healthy")
    return fit(f"Now {word}: {number}; the worst is {worst.message}", f" ({worst.rule})")


def _note(topic: Topic, stored: Stored) -> str:
    found = next(one for one in stored.conditions if one.type == topic.condition)
    if found.status == "True":
        return "All is well again."
    return fit(found.message, f". {topic.remedy}" if topic.remedy else "")


def _event(mark: str, kind: EventKind, report: str, note: str, at: int) -> StatusEvent:
    return StatusEvent(
        name=mark,
        at=rfc3339(at),
        type=kind.type,
        reason=kind.reason,
        action=kind.action,
        regarding=the_report(report),
        related=None,
        note=note,
    )


def _mark(report: str, topic: str, word: str) -> str:
    """The name of an Event, made as those of findings are."""
    said = f"{GROUP}\0{KIND}\0{report}\0{topic}"
    return f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.{word}"
