"""The pulse: when the audit runs. A throttle, not a debounce: churn cannot put it off."""

import asyncio
import contextlib
import time
from collections.abc import Callable

import structlog

from clusteraudit.audit.audit import AuditResult
from clusteraudit.handlers import memory
from clusteraudit.handlers.engine import Engine
from clusteraudit.handlers.pending import Pending

WINDOW = 2.0
LONGEST = 15.0
_SHARE = 0.1
"""Of a core, for audits: on average."""
_AHEAD = 0.5
"""CPU seconds that audits may be ahead of it, so that one that takes long puts no other off."""

_log = structlog.get_logger(__name__)


class Rest:
    """How long audits are put off, so that they take their share of a core and no more."""

    def __init__(self, now: float) -> None:
        self._at, self._owed = now, 0.0

    def audited(self, seconds: float, now: float) -> None:
        """An audit that ended now took so many CPU seconds."""
        left = max(0.0, self._owed - _SHARE * (now - self._at))
        self._at, self._owed = now, min(left + seconds, _AHEAD + _SHARE * LONGEST)

    @property
    def until(self) -> float:
        """When the next one may begin."""
        return self._at + max(0.0, self._owed - _AHEAD) / _SHARE


class Pulse:
    """Runs the audit some time after the first change, and when a deadline is due."""

    def __init__(
        self,
        pending: Pending,
        engine: Engine,
        tell: Callable[[AuditResult], None],
        window: float = WINDOW,
    ) -> None:
        self.last: AuditResult | None = None
        self.beat = time.monotonic()
        self._pending = pending
        self._engine = engine
        self._tell = tell
        self._window = window
        self._rest = Rest(self.beat)

    async def run(self) -> None:
        """Pulse, until cancelled."""
        await self._gather()
        await self._audit()
        await asyncio.to_thread(memory.settle)
        while True:
            await self._wait()
            await asyncio.sleep(self._due() - time.monotonic())
            await self._audit()

    def _due(self) -> float:
        """When the next audit begins: changes that came while the last one ran have waited then."""
        pending = self._pending
        first = pending.since if pending.changed.is_set() else time.monotonic()
        return max(first + self._window, self._rest.until)

    async def _gather(self) -> None:
        """Until every kind has answered, rows go into the model, and nobody is asked."""
        while not self._pending.settled.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._window):
                    await self._pending.settled.wait()
            await self._engine.absorb(*self._pending.take())
            self.beat = time.monotonic()

    async def _wait(self) -> None:
        """Until something changed, or the earliest deadline is due.

        The clock is looked at now and then, since it may be set meanwhile.
        """
        wake = self.last.wake if self.last else None
        while wake is None or wake > time.time():
            left = LONGEST if wake is None else min(LONGEST, wake - time.time())
            try:
                async with asyncio.timeout(max(0.0, left)):
                    await self._pending.changed.wait()
            except TimeoutError:
                continue
            return

    async def _audit(self) -> None:
        rows, evidence = self._pending.take()
        result = await self._engine.step(rows, evidence, settled=True)
        self.last = result
        self.beat = time.monotonic()
        self._rest.audited(self._engine.cpu_seconds, self.beat)
        _say(result, len(rows), self._engine.cpu_seconds)
        self._tell(result)


def _say(result: AuditResult, changes: int, seconds: float) -> None:
    """One line per audit; no line per object."""
    opened = sum(one.before is None for one in result.transitions)
    closed = sum(one.after is None for one in result.transitions)
    level = _log.info if result.transitions else _log.debug
    level(
        "audited",
        changes=changes,
        asked=result.asked,
        findings=len(result.entries),
        opened=opened,
        closed=closed,
        changed=len(result.transitions) - opened - closed,
        cpu_ms=round(seconds * 1000),
    )
