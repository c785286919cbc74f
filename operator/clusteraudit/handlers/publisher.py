"""The publisher: every report gets the audit's latest word, at the pace that it asks for."""

import asyncio
import time
from dataclasses import dataclass, replace

import structlog

from clusteraudit.audit.audit import AuditResult
from clusteraudit.handlers.engine import Engine
from clusteraudit.handlers.reports import Known, Reports
from clusteraudit.kube.errors import ApiError, ConflictError, NotFoundError, UnreachableError
from clusteraudit.kube.session import Session
from clusteraudit.publish.status import OutdatedSchemaError, apply_status, pruned, version_of
from clusteraudit.report.resource import Status
from clusteraudit.report.status import digest, dump, status

HEARTBEAT = 600.0
"""Seconds after which counts and times are written though nothing else changed."""
_RETRY = 5.0
_RENEWED = 30.0
"""Seconds between looks at a CRD that did not know every field: somebody may renew it."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Last:
    uid: str
    digest: str
    generation: int
    at: float


class Publisher:
    """Writes statuses; holds nothing that a restart would need."""

    def __init__(self, session: Session, reports: Reports, engine: Engine) -> None:
        self.result: AuditResult | None = None
        self.writes = 0
        self.failures = 0
        self._session = session
        self._reports = reports
        self._engine = engine
        self._last: dict[str, _Last] = {}
        self._news = asyncio.Event()

    def tell(self, result: AuditResult) -> None:
        """There is a new result."""
        self.result = result
        self._news.set()

    def look(self) -> None:
        """A report came, went or changed."""
        self._news.set()

    async def run(self) -> None:
        """Publish, until cancelled."""
        while True:
            wait = await self._publish_due()
            self._news.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _publish_due(self) -> float:
        """Write what is due; seconds until the next may be."""
        waits = [HEARTBEAT]
        if self.result is None:
            return HEARTBEAT
        for report in list(self._reports.known.values()):
            wait = self._wait(report)
            if wait <= 0:
                wait = await self._publish(report, self.result)
            waits.append(wait)
        return min(waits)

    def _wait(self, report: Known) -> float:
        last = self._last.get(report.name)
        if last is None or last.uid != report.uid or last.generation != report.view.generation:
            return 0
        return last.at + report.view.spec.publish_interval - time.monotonic()

    async def _publish(self, report: Known, result: AuditResult) -> float:
        behind = not report.view.schema_current
        if behind and await self._renewed(result, report):
            report = self._reports.renewed(report)
        made = status(result, self._engine.catalogue, report.view)
        last = self._last.get(report.name)
        if last and (last.uid, last.digest) == (report.uid, digest(made)):
            rest = last.at + HEARTBEAT - time.monotonic()
            if rest > 0 and last.generation == report.view.generation:
                return min(rest, _RENEWED) if behind else rest
        written = await self._write(report, made)
        if written is None:
            return _RETRY
        generation = report.view.generation
        self._last[report.name] = _Last(report.uid, digest(written), generation, time.monotonic())
        return float(report.view.spec.publish_interval)

    async def _write(self, report: Known, made: Status) -> Status | None:
        """The status as it was written; nothing if it was not."""
        try:
            version, made = await self._apply(report, made)
        except NotFoundError:
            self._reports.lose(report.name, report.uid)
            return made
        except (ApiError, UnreachableError, OutdatedSchemaError) as error:
            self.failures += 1
            _log.warning("status not written", report=report.name, error=str(error))
            return None
        self.writes += 1
        self._reports.written(report, version, made.conditions)
        return made

    async def _apply(self, report: Known, made: Status) -> tuple[str, Status]:
        """Write it, or as much as the installed CRD knows; the new resourceVersion, and what."""
        try:
            return await self._put(report, made), made
        except OutdatedSchemaError:
            self._reports.outdated(report)
            behind = replace(report.view, schema_current=False)
            again = status(self.result, self._engine.catalogue, behind) if self.result else made
            known = await pruned(self._session, dump(again))
            version = await version_of(self._session, report.name)
            return await apply_status(self._session, report.name, version, known), again

    async def _put(self, report: Known, made: Status) -> str:
        try:
            return await apply_status(self._session, report.name, report.version, dump(made))
        except ConflictError:  # somebody wrote since it was seen: the spec, as a rule
            version = await version_of(self._session, report.name)
            return await apply_status(self._session, report.name, version, dump(made))

    async def _renewed(self, result: AuditResult, report: Known) -> bool:
        """Whether the installed CRD knows every field by now."""
        whole = dump(status(result, self._engine.catalogue, report.view))
        try:
            return await pruned(self._session, whole) == whole
        except (ApiError, UnreachableError):
            return False
