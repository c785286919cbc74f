"""The pulse and the wall clock: a deadline is due by the clock as it is, however it was set."""

import asyncio
import contextlib
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from clusteraudit.handlers import pulse as module
from clusteraudit.handlers.pending import Pending
from clusteraudit.handlers.pulse import LONGEST, WINDOW, Pulse, Rest

if TYPE_CHECKING:
    from clusteraudit.audit.audit import AuditResult
    from clusteraudit.handlers.engine import Engine


class Audits:
    cpu_seconds = 0.0

    def __init__(self, wake: float | None) -> None:
        self.at: list[float] = []
        self._wake = wake

    async def absorb(self, *_: object) -> None:
        """Rows before every kind has answered: there are none."""

    async def step(self, *_: object, **__: object) -> Any:
        self.at.append(time.monotonic())
        return SimpleNamespace(wake=self._wake, transitions=(), asked=0, entries=())


async def audits(wake: float | None, ahead: float, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many beyond the first in half a second, of which after a fifth the clock is set ahead."""
    monkeypatch.setattr(module, "LONGEST", 0.05)
    start, true = time.monotonic(), time.time
    monkeypatch.setattr(time, "time", lambda: true() + ahead * (time.monotonic() - start > 0.2))
    engine = Audits(wake)
    pending = Pending()
    pending.settled.set()
    monkeypatch.setattr("clusteraudit.handlers.memory.settle", lambda: None)
    pulse = Pulse(pending, cast("Engine", engine), lambda _: None, window=0.01)
    pulse.last = cast("AuditResult", SimpleNamespace(wake=wake))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await pulse.run()
    return len(engine.at) - 1


async def test_a_clock_that_is_set_ahead_makes_a_deadline_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await audits(time.time() + 1000, 3600, monkeypatch) > 0


async def test_a_clock_that_is_set_back_puts_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await audits(time.time() + 1000, -3600, monkeypatch) == 0


async def test_without_a_deadline_it_waits_for_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await audits(None, 3600, monkeypatch) == 0


async def test_the_window_begins_with_the_first_change_also_while_an_audit_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waits for what an audit tells, waits for the window and for one audit, not for two."""
    monkeypatch.setattr("clusteraudit.handlers.memory.settle", lambda: None)
    pending = Pending()
    pending.settled.set()

    class Slow(Audits):
        async def step(self, *_: object, **__: object) -> Any:
            pending.wake()
            self.at.append(time.monotonic())
            await asyncio.sleep(0.5)
            return SimpleNamespace(wake=None, transitions=(), asked=0, entries=())

    engine = Slow(None)
    pulse = Pulse(pending, cast("Engine", engine), lambda _: None, window=0.6)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2.9):
            await pulse.run()
    pauses = [after - before for before, after in pairwise(engine.at)]
    assert len(pauses) >= 3
    assert min(pauses) >= 0.55


def put_off(seconds: list[float]) -> list[float]:
    """Pauses after audits of so many CPU seconds, each of which begins when it may."""
    now, rest, pauses = 0.0, Rest(0.0), []
    for one in seconds:
        rest.audited(one, now)
        pauses.append(max(WINDOW, rest.until - now))
        now += pauses[-1]
    return pauses


def test_one_audit_that_takes_long_puts_no_other_off() -> None:
    assert put_off([0.1, 0.1, 0.4, 0.1, 0.1, 0.4]) == [WINDOW] * 6


def test_audits_that_take_long_take_a_tenth_of_a_core_in_the_end() -> None:
    pauses = put_off([0.6] * 100)
    assert pauses[-1] == pytest.approx(6)
    assert sum(pauses) >= 10 * (60 - 0.5) - WINDOW


def test_an_audit_is_put_off_for_so_long_and_no_longer() -> None:
    assert put_off([100.0, 100.0]) == [pytest.approx(LONGEST)] * 2
