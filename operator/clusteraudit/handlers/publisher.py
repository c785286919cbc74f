"""The publisher: every report gets the audit's latest word, at the pace that it asks for."""

import asyncio
import time
from dataclasses import dataclass, replace

import structlog

from clusteraudit.audit.audit import AuditResult
from clusteraudit.handlers.engine import Engine
from clusteraudit.handlers.herald import Call, Herald
from clusteraudit.handlers.reports import Known, Reports
from clusteraudit.handlers.retries import Retries
from clusteraudit.kube.errors import ApiError, ConflictError, NotFoundError, UnreachableError
from clusteraudit.kube.lease import Alone, Leader
from clusteraudit.kube.session import Session
from clusteraudit.publish.status import OutdatedSchemaError, apply_status, pruned
from clusteraudit.publish.stored import (
    Stored,
    entries,
    since,
    stored_report,
    stored_status,
)
from clusteraudit.report.resource import Status
from clusteraudit.report.status import View, digest, digest_of, dump, status

HEARTBEAT = 600.0
"""Seconds after which counts and times are written though nothing else changed."""
_AGAIN = 1.0
"""Seconds until what was overtaken is made anew, unless there are news before."""
_RENEWED = 30.0
"""Seconds between looks at a CRD that did not know every field: somebody may renew it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Last:
    uid: str
    digest: str
    generation: int
    at: float
    basis: object = None
    """What led to nothing else; equal to that, nothing else comes of it again."""


@dataclass(frozen=True)
class _Draft:
    """A status to be written over the version of the report from which it was made."""

    status: Status
    view: View
    version: str
    call: Call | None = None


class NotLeadingError(Exception):
    """Another replica publishes by now."""


class Publisher:
    """Writes statuses while this replica leads; holds nothing that a restart would need."""

    def __init__(
        self,
        session: Session,
        reports: Reports,
        engine: Engine,
        herald: Herald,
        leader: Leader | None = None,
        *,
        retries: Retries | None = None,
    ) -> None:
        self.result: AuditResult | None = None
        self.writes = 0
        self.failures = 0
        self._session = session
        self._reports = reports
        self._engine = engine
        self._herald = herald
        herald.settled = self.look
        self._leader = leader or Alone()
        self._term = self._leader.term
        self._last: dict[str, _Last] = {}
        self._touched: dict[str, str] = {}
        self._wrote: dict[str, str] = {}
        """Versions of reports that are our own writing."""
        self._retries = retries or Retries()
        self._news = asyncio.Event()
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()

    def tell(self, result: AuditResult) -> None:
        """There is a new result."""
        self.result = result
        self._news.set()

    def look(self) -> None:
        """A report came, went or changed."""
        self._news.set()

    async def finish(self) -> None:
        """Write what is not written yet, whatever its turn; `run` ends with it."""
        self._ending.set()
        self._news.set()
        await self._ended.wait()

    def touched(self, name: str, version: str) -> None:
        """A report was written, by us or by somebody else."""
        self._touched[name] = version
        self._news.set()

    async def run(self) -> None:
        """Publish, until cancelled or asked to finish."""
        self._ended.clear()
        while not self._ending.is_set():
            wait = await self._publish_due()
            if self._ending.is_set():
                break
            self._news.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue
        await self._publish_due()
        self._ended.set()

    async def _publish_due(self) -> float:
        """Write what is due; seconds until the next may be."""
        if self.result is None or not self._leader.held:
            return HEARTBEAT
        if self._term != self._leader.term and not await self._take_over():
            return self._retries.wait(self._reports.main)
        known = list(self._reports.known.values())
        return min([await self._attend(one, self.result) for one in known], default=HEARTBEAT)

    async def _attend(self, report: Known, result: AuditResult) -> float:
        if self._may(report.name):
            await self._look_again(report)
        if not self._may(report.name):
            return self._retries.wait(report.name)
        wait = self._wait(report)
        return wait if wait > 0 else await self._publish(report, result)

    async def _take_over(self) -> bool:
        """Go on from what the replica that led before has published; whether that is known.

        Every report is written then, though it may say nothing new: with that, what this one's
        predecessor may still have on its way is refused.
        """
        term, name = self._leader.term, self._reports.main
        if not self._may(name):
            return False
        try:
            said = (await stored_report(self._session, name)).status
        except NotFoundError:
            said = None
        except (ApiError, UnreachableError) as error:
            self._refused("report not read", name, error)
            return False
        said = said or Stored()
        self.result = await self._engine.adopt(since(said), entries(said))
        self._last.clear()
        self._herald.forget()
        self._term = term
        return True

    async def _look_again(self, report: Known) -> None:
        """If somebody else has written into a status, what we said is written over it."""
        version, last = self._touched.pop(report.name, None), self._last.get(report.name)
        if version is None or last is None or version == self._wrote.get(report.name):
            return
        try:
            said = digest_of(await stored_status(self._session, report.name))
        except (ApiError, UnreachableError) as error:
            self._touched.setdefault(report.name, version)
            self._retries.failed(report.name, error)
        else:
            if said != last.digest:
                del self._last[report.name]

    def _may(self, name: str) -> bool:
        """Whether it may be tried, after what came of it before; at the end, once more."""
        return self._ending.is_set() or not self._retries.wait(name)

    def _refused(self, what: str, name: str, error: Exception) -> None:
        self.failures += 1
        if not isinstance(error, ConflictError):
            self._retries.failed(name, error)
        _log.warning(what, report=name, error=str(error))

    def _wait(self, report: Known) -> float:
        last = self._last.get(report.name)
        if self._ending.is_set():
            return 0
        if last is None or last.uid != report.uid or last.generation != report.view.generation:
            return 0
        return last.at + report.view.spec.publish_interval - time.monotonic()

    async def _publish(self, report: Known, result: AuditResult) -> float:
        behind = not report.view.schema_current
        if behind and await self._renewed(result, report):
            report = self._reports.renewed(report)
        last, basis = self._last.get(report.name), self._basis(report, result)
        rest = last.at + HEARTBEAT - time.monotonic() if last else 0
        if last and last.basis == basis and rest > 0 and not behind:
            return rest
        draft = await self._read_and_draft(report, result)
        if draft is None:
            return self._retries.wait(report.name) or _AGAIN
        same = last and (last.uid, last.digest) == (report.uid, digest(draft.status))
        heard = last and last.generation == report.view.generation
        if last and same and heard and rest > 0 and not self._pressing(draft):
            self._last[report.name] = replace(last, basis=basis)
            return min(rest, _RENEWED) if behind else rest
        written = await self._write(report, draft)
        if written is None:
            return self._retries.wait(report.name) or _AGAIN
        generation = report.view.generation
        self._last[report.name] = _Last(report.uid, digest(written), generation, time.monotonic())
        return float(report.view.spec.publish_interval)

    def _basis(self, report: Known, result: AuditResult) -> object:
        """All that a status says, and calls for, but for what rides along."""
        told = (result.entries, result.tallies, result.evidence, result.drills is None)
        return (report.uid, report.view, self._engine.catalogue, told, self._herald.stands)

    def _pressing(self, draft: _Draft) -> bool:
        return draft.call is not None and self._herald.pressing(draft.call)

    async def _read_and_draft(self, report: Known, result: AuditResult) -> _Draft | None:
        try:
            return await self._draft(report, result)
        except NotFoundError:
            self._reports.lose(report.name, report.uid)
        except (ApiError, UnreachableError) as error:
            self._refused("report not read", report.name, error)
        return None

    async def _draft(self, report: Known, result: AuditResult) -> _Draft:
        """The status; if it is the main report's, with the Events that it calls for."""
        view, catalogue = report.view, self._engine.catalogue
        made = status(result, catalogue, view)
        if not view.main:
            return _Draft(made, view, report.version)
        await self._herald.know(report)
        call = self._herald.call(report, result, catalogue, made)
        if call.events:
            view = replace(view, events=call.events)
            made = status(result, catalogue, view)
        return _Draft(made, view, self._herald.version, call)

    async def _write(self, report: Known, draft: _Draft) -> Status | None:
        """The status as it was written; nothing if it was not."""
        try:
            version, written, said = await self._apply(report, draft)
        except NotFoundError:
            self._reports.lose(report.name, report.uid)
            return None
        except NotLeadingError:
            return None
        except (ApiError, UnreachableError, OutdatedSchemaError) as error:
            self._refused("status not written", report.name, error)
            return None
        self.writes += 1
        self._wrote[report.name] = version
        self._retries.succeeded(report.name)
        self._reports.written(report, version, written.conditions)
        if draft.call is not None:
            self._herald.accepted(draft.call, said, version)
        return written

    async def _apply(self, report: Known, draft: _Draft) -> tuple[str, Status, dict[str, object]]:
        """Write it, or as much as the installed CRD knows; the new resourceVersion, and what."""
        said = dump(draft.status)
        try:
            return await self._put(report, draft, said), draft.status, said
        except OutdatedSchemaError:
            self._reports.outdated(report)
            behind = replace(draft.view, schema_current=False)
            made, result = draft.status, self.result
            again = status(result, self._engine.catalogue, behind) if result else made
            known = await pruned(self._session, dump(again))
            return await self._put(report, draft, known), again, known

    async def _put(self, report: Known, draft: _Draft, said: dict[str, object]) -> str:
        self._must_lead()
        try:
            return await apply_status(self._session, report.name, draft.version, said)
        except ConflictError:  # somebody wrote since it was seen: the spec, as a rule
            if not await self._leader.confirm():
                raise NotLeadingError from None
            found = await stored_report(self._session, report.name)
            if draft.call is not None and self._herald.overtaken(found):
                raise  # what is to be said follows from what was said: it is made anew
            version = found.metadata.resource_version
            self._must_lead()
            return await apply_status(self._session, report.name, version, said)

    def _must_lead(self) -> None:
        if not self._leader.held or self._leader.term != self._term:
            raise NotLeadingError

    async def _renewed(self, result: AuditResult, report: Known) -> bool:
        """Whether the installed CRD knows every field by now."""
        whole = dump(status(result, self._engine.catalogue, report.view))
        try:
            return await pruned(self._session, whole) == whole
        except (ApiError, UnreachableError):
            return False
