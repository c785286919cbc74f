"""One gate for connectivity: while the server is down, a single probe goes out at a time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from clusteraudit.kube.errors import UnreachableError

T = TypeVar("T")
FIRST = 1.0
LONGEST = 30.0


def backoff(failures: int, rng: random.Random) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, bounded, jittered."""
    return min(LONGEST, FIRST * 2.0 ** min(failures, 10)) * (0.5 + rng.random() / 2)


class Gate:
    """Lets everybody through while the server answers, and one at a time while it does not."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._turn = asyncio.Lock()
        self._failures = 0

    @property
    def down(self) -> bool:
        """Whether the last attempt found no server."""
        return self._failures > 0

    async def through(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make the attempt, at once or when it is its turn; raises what it raises."""
        while self.down:
            async with self._turn:
                if self.down:
                    await asyncio.sleep(backoff(self._failures - 1, self._rng))
                    return await self._try(attempt)
        return await self._try(attempt)

    async def _try(self, attempt: Callable[[], Awaitable[T]]) -> T:
        failures = self._failures
        try:
            result = await attempt()
        except UnreachableError:
            # Many that fail side by side are one failure: else the first outage waits longest.
            self._failures = max(self._failures, failures + 1)
            raise
        self._failures = 0
        return result
