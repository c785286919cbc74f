"""How long the event loop keeps all others waiting: what answers a probe, or hears a watch."""

import asyncio
import sys
import time
from dataclasses import dataclass

EVERY = 0.02
"""Seconds between looks: a stall that began between two is told by that much too short."""
WINDOW = 150.0
"""Seconds of which the longest stall is kept; it is told for one to two of them."""
SHARE = 0.001
"""Seconds for which the audit's thread keeps the interpreter while the loop waits for it.

The loop gives the interpreter away with each read of a socket, and waits that long to get it back:
with the interpreter's own 5 ms, a turn with ten sockets takes 50 ms longer during an audit.
"""


def share() -> None:
    """Let the loop have the interpreter soon, whatever other threads are at."""
    sys.setswitchinterval(SHARE)


@dataclass(frozen=True)
class Stall:
    """Seconds by the clock, and of them the CPU time of the loop's own thread."""

    wall: float = 0.0
    cpu: float = 0.0

    def longest(self, other: "Stall") -> "Stall":
        """The longer of both, each by itself."""
        return Stall(max(self.wall, other.wall), max(self.cpu, other.cpu))


class Turns:
    """Sleeps for a moment, again and again, and notes by how much it overslept."""

    def __init__(self) -> None:
        self._now = self._before = Stall()
        self._began = time.monotonic()
        self.cpu_seconds = 0.0
        """Of the loop's thread, so far."""

    @property
    def longest(self) -> Stall:
        """The longest stalls of the last minutes."""
        return self._now.longest(self._before)

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            wall, cpu = time.monotonic(), time.thread_time()
            await asyncio.sleep(EVERY)
            late = time.monotonic() - wall - EVERY
            self.cpu_seconds = time.thread_time()
            self.note(Stall(max(0.0, late), self.cpu_seconds - cpu))

    def note(self, stall: Stall) -> None:
        """Keep it if it is longer than others of these minutes."""
        if time.monotonic() - self._began > WINDOW:
            self._began = time.monotonic()
            self._before, self._now = self._now, Stall()
        self._now = self._now.longest(stall)
