"""The audit in a thread of its own: one owner of the model, results that nobody changes."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple

import structlog

from clusteraudit.audit.audit import Audit, AuditResult
from clusteraudit.audit.ledger import Entry
from clusteraudit.audit.system import SYSTEM_NAMESPACES
from clusteraudit.handlers.pending import Rows, changes
from clusteraudit.handlers.turns import Turns
from clusteraudit.model.rows import Ref
from clusteraudit.model.store import Evidence
from clusteraudit.report.resource import Spec
from clusteraudit.report.tuning import Tuned, tune
from clusteraudit.rules.catalogue import Catalogue, catalogue

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_log = structlog.get_logger(__name__)
SLICE = 0.2
"""CPU seconds for which drills hold up an audit, if each of them is quick."""


class Engine:
    """Steps of one audit, one after the other, off the loop."""

    def __init__(self, turns: Turns | None = None) -> None:
        self._turns = turns or Turns()
        self.catalogue: Catalogue = catalogue()
        self.cpu_seconds = 0.0
        self.audits = 0
        self.spent = {"audit": 0.0, "drills": 0.0}
        """CPU seconds so far."""
        self._audit = Audit(self.catalogue, 0)
        take_part = self._turns.take_part
        self._thread = ThreadPoolExecutor(1, "audit", initializer=take_part)
        self._tuned: tuple[Tuned, tuple[str, ...]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def remember(self, first_seen: Mapping[str, int], open_then: Iterable[Entry] = ()) -> None:
        """Findings of an earlier life: since when, and what; before the first step."""
        self._audit.ledger.remember(first_seen, open_then)

    async def adopt(self, first_seen: Mapping[str, int], open_then: Iterable[Entry]) -> AuditResult:
        """Go on from what another replica published; once every kind has answered."""
        return await self._off(self._audit.adopt, first_seen, tuple(open_then), int(time.time()))

    async def child_of(self, owner: Ref) -> Ref | None:
        """An object that it owns, if the model holds one."""
        return await self._off(self._audit.child_of, owner)

    def tune(self, spec: Spec) -> Tuned:
        """Take over what the main report tunes, from the next step on; says what is wrong."""
        tuned = tune(catalogue(), spec.rules)
        named = spec.system_namespaces
        self._tuned = (tuned, SYSTEM_NAMESPACES if named is None else tuple(named))
        return tuned

    async def step(
        self, rows: Rows, evidence: Mapping[str, Evidence], *, settled: bool
    ) -> AuditResult:
        """One audit of what has gathered; `settled` once every kind has answered."""
        tuned, self._tuned = self._tuned, None
        step = partial(self._step, rows, evidence, tuned, settled=settled)
        result, seconds = await self._off(step)
        if tuned:
            self.catalogue = tuned[0].catalogue
        self.cpu_seconds = seconds
        self.spent["audit"] += seconds
        self.audits += 1
        return result

    async def absorb(self, rows: Rows, evidence: Mapping[str, Evidence]) -> None:
        """Rows into the model, before the first step."""
        await self._off(partial(self._absorb, rows, evidence))

    async def rehearse(self) -> tuple[float, bool]:
        """Drills for a moment, between audits: CPU seconds, and whether a pass has ended."""
        seconds, ended = await self._off(self._rehearse)
        self.spent["drills"] += seconds
        return seconds, ended

    async def _off(self, act: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """In the audit's thread."""
        loop = asyncio.get_running_loop()
        with self._turns.closely():
            return await loop.run_in_executor(self._thread, act, *arguments)

    def _absorb(self, rows: Rows, evidence: Mapping[str, Evidence]) -> None:
        self._audit.absorb(changes(rows), evidence=evidence)

    def _rehearse(self) -> tuple[float, bool]:
        rehearsal, start = self._audit.rehearsal, time.thread_time()
        before, spent = rehearsal.last, 0.0
        while spent < SLICE and rehearsal.step(int(time.time())):
            spent = time.thread_time() - start
        ended = rehearsal.last is not before
        if ended and rehearsal.fault:
            lost, error = rehearsal.fault
            _log.error("a drill failed, its verdict is unknown", lost=lost, exc_info=error)
        return time.thread_time() - start, ended

    def _step(
        self,
        rows: Rows,
        evidence: Mapping[str, Evidence],
        tuned: tuple[Tuned, tuple[str, ...]] | None,
        *,
        settled: bool,
    ) -> tuple[AuditResult, float]:
        start = time.thread_time()
        if tuned:
            self._audit.retune(tuned[0].catalogue, tuned[0].settings, tuned[1])
        now = int(time.time())
        result = self._audit.step(changes(rows), evidence=evidence, now=now, settled=settled)
        return result, time.thread_time() - start
