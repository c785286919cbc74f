"""How long the event loop keeps all others waiting: what answers a probe, or hears a watch.

A turn of the loop is timed where it ends, in the selector that the loop waits with: to wake up and
look would take a hundredth of a core. What no turn tells is how long another thread kept the
interpreter; so while one works, the loop looks by how much it wakes up too late. How much of it the
loop's thread waited for a core, or that of the audit with the interpreter in hand, says the kernel.
"""

import asyncio
import selectors
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clusteraudit.handlers.run_delay import RunDelay

EVERY = 0.02
"""Seconds between looks: what began between two is told by that much too short."""
WINDOW = 150.0
"""Seconds of which the longest stall is kept; it is told for one to two of them."""
SHARE = 0.0002
"""Seconds for which the audit's thread keeps the interpreter while the loop waits for it.

The loop gives the interpreter away with each read of a socket, and waits that long to get it back:
with the interpreter's own 5 ms, a turn with ten sockets takes 50 ms longer during an audit.
"""
_BRIEF = 0.001
"""Seconds of a turn so short that nobody needs to know what of it the loop had no core for."""


def share() -> None:
    """Let the loop have the interpreter soon, whatever other threads are at."""
    sys.setswitchinterval(SHARE)


@dataclass(frozen=True)
class Stall:
    """Seconds by the clock, those that the process made of them, and the thread's CPU time."""

    wall: float = 0.0
    process: float = 0.0
    """Without those for which the loop's thread, or that of the audit, had no core: their work."""
    cpu: float = 0.0

    def longest(self, other: "Stall") -> "Stall":
        """The longer of both, each by itself."""
        return Stall(
            max(self.wall, other.wall),
            max(self.process, other.process),
            max(self.cpu, other.cpu),
        )


class Turns:
    """The loop's turns, and the longest of them."""

    def __init__(self) -> None:
        self._now = self._before = Stall()
        self._began = time.monotonic()
        self._others = 0
        self._due: float | None = None
        self._delays: list[RunDelay] = []
        self._slept = 0.0
        """What they had counted when the turn began after which the loop went to wait.

        Not when it went: between two readings of clocks the interpreter may be another thread's.
        """

    def loop(self) -> asyncio.AbstractEventLoop:
        """A new loop whose turns these are."""
        self.take_part()
        return asyncio.SelectorEventLoop(_Timed(self))

    def take_part(self) -> None:
        """What this thread waits for a core is not of the process either."""
        self._delays.append(RunDelay())

    def close(self) -> None:
        """Once the loop is over."""
        while self._delays:
            self._delays.pop().close()

    def delay(self) -> float:
        """Seconds that those who take part have waited for a core so far."""
        return sum(one() for one in self._delays)

    def sleep(self, wall: float, cpu: float, began: float) -> None:
        """The loop goes to wait, after a turn of so many seconds that began at that `delay`."""
        self._slept = began
        process = wall if wall < _BRIEF else wall - (self.delay() - began)
        self.note(Stall(wall, max(cpu, process), cpu))

    @property
    def longest(self) -> Stall:
        """The longest stalls of the last minutes."""
        return self._now.longest(self._before)

    def note(self, stall: Stall) -> None:
        """Keep it if it is longer than others of these minutes."""
        if time.monotonic() - self._began > WINDOW:
            self._began = time.monotonic()
            self._before, self._now = self._now, Stall()
        self._now = self._now.longest(stall)

    @contextmanager
    def closely(self) -> Iterator[None]:
        """While another thread works, which may keep the interpreter; on the loop."""
        self._others += 1
        if self._due is None:
            self._look_later()
        try:
            yield
        finally:
            self._others -= 1

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + EVERY
        loop.call_at(self._due, self._look, self._due)

    def _look(self, due: float) -> None:
        late = max(0.0, time.monotonic() - due)
        self.note(Stall(late, max(0.0, late - (self.delay() - self._slept))))
        self._due = None
        if self._others:
            self._look_later()


class _Timed(selectors.DefaultSelector):
    """Ends a turn where the loop begins to wait, and begins one where that ends."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns
        self._wall, self._cpu = time.monotonic(), time.thread_time()
        self._delay = turns.delay()

    def close(self) -> None:
        """As the selector's own."""
        super().close()
        self._turns.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the selector's own."""
        wall, cpu = time.monotonic() - self._wall, time.thread_time() - self._cpu
        self._turns.sleep(wall, cpu, self._delay)
        ready = super().select(timeout)
        self._wall, self._cpu = time.monotonic(), time.thread_time()
        self._delay = self._turns.delay()
        return ready
