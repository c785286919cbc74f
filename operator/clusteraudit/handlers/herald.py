"""The herald: the Events that a status calls for, and their way out.

They are called for in the status itself (`status.events`), so status and Events are one write; what
is called for is sent until it is known to be sent, by this life of the operator or the next, and
sending it twice changes nothing. See docs/decisions/0003-events.md.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from clusteraudit.audit.audit import AuditResult
from clusteraudit.handlers.reports import Known
from clusteraudit.kube.errors import NotFoundError, UnreachableError
from clusteraudit.kube.gate import backoff
from clusteraudit.kube.lease import Alone, Leader
from clusteraudit.kube.session import Session
from clusteraudit.model.moments import epoch
from clusteraudit.publish import events, stored, summary
from clusteraudit.publish.bucket import Bucket
from clusteraudit.publish.events import Said
from clusteraudit.publish.recorder import Dropped, DroppedError, LaterError, Recorder
from clusteraudit.publish.stored import Stored, StoredReport, as_stored, stored_report
from clusteraudit.report.resource import MAX_EVENTS, Status, StatusEvent
from clusteraudit.report.status import dump
from clusteraudit.rules.catalogue import Catalogue

BURST = MAX_EVENTS
RATE = 1.0
"""Events a second in the long run."""
ATTEMPTS = 8
"""How often a server that refuses for now is asked, over a minute and a half."""
_LONGEST = 30.0
_log = structlog.get_logger(__name__)
_Key = tuple[str, str]


@dataclass(frozen=True)
class Call:
    """What a status calls for, once it is accepted."""

    said: Said
    old: tuple[StatusEvent, ...]
    """Called for before, and not known to be sent."""
    new: tuple[StatusEvent, ...]
    dropped: int
    at: int

    @property
    def events(self) -> tuple[StatusEvent, ...]:
        """What is to stand in the status."""
        return (*self.old, *self.new)


class Herald:
    """Knows what the main report said last, what that called for, and sends it."""

    def __init__(
        self,
        session: Session,
        recorder: Recorder,
        clock: Callable[[], float] = time.monotonic,
        leader: Leader | None = None,
    ) -> None:
        self.sent: Counter[str] = Counter()
        self.dropped: Counter[Dropped] = Counter()
        self.settled: Callable[[], None] = lambda: None
        """Called when nothing waits any more: what stands in the status can go."""
        self.version = ""
        """That of the report from which what it said is known: only over it is written."""
        self._session = session
        self._recorder = recorder
        self._leader = leader or Alone()
        self._bucket = Bucket(BURST, RATE, clock)
        self._rng = random.Random()
        self._uid = ""
        self._said: Said | None = None
        self._stored: Stored | None = None
        self._due: dict[_Key, StatusEvent] = {}
        self._listed: set[_Key] = set()
        self._attempts: Counter[_Key] = Counter()
        self._at = 0
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Events called for and not sent yet."""
        return len(self._due)

    @property
    def stands(self) -> object:
        """Equal to what it was for as long as the same is called for of the same result."""
        return (self._uid, self._said, tuple(self._due))

    # What is called for

    async def know(self, report: Known) -> None:
        """Read what the report says, unless that is known; raises what reading it raises."""
        if report.uid != self._uid:
            found = await stored_report(self._session, report.name)
            if found.metadata.uid != report.uid:
                raise NotFoundError(404, f"{report.name} is another one meanwhile")
            self._learn(found)

    def forget(self) -> None:
        """Another replica has published meanwhile: what the report says is read again."""
        self._uid = ""

    def overtaken(self, found: StoredReport) -> bool:
        """Whether somebody else wrote the status since we did; then what that says counts."""
        if found.metadata.uid == self._uid and found.status == self._stored:
            self.version = found.metadata.resource_version
            return False
        self._learn(found)
        return True

    def _learn(self, found: StoredReport) -> None:
        self._uid, self._stored = found.metadata.uid, found.status
        self.version = found.metadata.resource_version
        said = found.status if found.status and found.status.ledger is not None else None
        self._said = _said(said) if said else None
        self._due = {_key(one): one for one in stored.events(said)} if said else {}
        self._listed = set(self._due)
        self._at = max(self._at, _latest(said)) if said else self._at
        self._wake.set()

    def call(self, report: Known, result: AuditResult, catalogue: Catalogue, made: Status) -> Call:
        """What this status calls for; nothing if it is the first, from which others are counted."""
        at = max(result.now, self._at + 1)
        now = as_stored(dump(made))
        before, words = self._said, summary.words(now)
        old = tuple(self._due.values())
        if before is None:
            entries = {one.fingerprint: one for one in result.entries}
            return Call(Said(entries, frozenset(entries), words), old, (), 0, at)
        found = events.news(before, result, catalogue, report.view.spec)
        own = list(summary.call(before.words, now, report.name, at))
        room = min(self._bucket.tokens, MAX_EVENTS - len(old))
        kept = own[:room]
        called = events.call(found[: room - len(kept)], result, catalogue, report.name, at)
        new = (*called, *kept)
        entries = dict(events.heard(before, result, catalogue))
        said = Said(entries, frozenset(entries), words)
        return Call(said, old, new, len(found) + len(own) - len(new), at)

    def pressing(self, call: Call) -> bool:
        """Whether the status must be written for its Events alone."""
        return bool(call.new) or self._listed != {_key(one) for one in call.old}

    def accepted(self, call: Call, said: Mapping[str, object], version: str) -> None:
        """The status was written: what it calls for is due."""
        self._said, self._stored, self._at = call.said, as_stored(said), call.at
        self.version = version
        self._bucket.take(len(call.new))
        self.dropped[Dropped.RATE] += call.dropped
        self._listed = {_key(one) for one in call.events}
        self._due |= {_key(one): one for one in call.new}
        self._wake.set()

    # The way out

    async def run(self) -> None:
        """Send what is due while this replica leads, until cancelled.

        Whoever begins to lead reads what is due from the report, and is woken by that.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due and self._leader.held:
                await self._next()

    async def _next(self) -> None:
        key, event = next(iter(self._due.items()))
        try:
            news = await self._recorder.send(event)
            self.sent[event.action] += news
        except DroppedError as error:
            self._give_up(event, error.why, error)
        except LaterError as error:
            await self._later(event, error)
            return
        except UnreachableError:  # it is no fault of this Event, and whoever asks next waits
            await asyncio.sleep(backoff(0, self._rng))
            return
        self._settle(key)

    async def _later(self, event: StatusEvent, error: LaterError) -> None:
        """Put it behind the others; after some attempts it is given up."""
        key = _key(event)
        self._attempts[key] += 1
        if self._attempts[key] >= ATTEMPTS:
            self._give_up(event, Dropped.UNAVAILABLE, error)
            self._settle(key)
            return
        for one in [each for each in self._due if each[0] == event.name]:
            self._due[one] = self._due.pop(one)  # of one name the earlier stays the earlier
        wait = error.after or backoff(self._attempts[key] - 1, self._rng)
        await asyncio.sleep(min(wait, _LONGEST))

    def _give_up(self, event: StatusEvent, why: Dropped, error: Exception) -> None:
        self.dropped[why] += 1
        _log.warning("event not sent", name=event.name, why=why.value, error=str(error))

    def _settle(self, key: _Key) -> None:
        self._due.pop(key, None)
        self._attempts.pop(key, None)
        if not self._due:
            self.settled()


def _key(event: StatusEvent) -> _Key:
    return (event.name, event.at)


def _said(found: Stored) -> Said:
    listed = {one.fingerprint: one for one in stored.entries(found)}
    known = stored.marks(found, listed.values())
    return Said(listed, known, summary.words(found), whole=not stored.cut(found))


def _latest(found: Stored) -> int:
    """The last moment for which the status called for an Event, or could have."""
    moments = [*(one.at for one in stored.events(found)), *stored.audited(found)]
    return max((epoch(one) for one in moments), default=0)
