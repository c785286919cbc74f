"""One gate for connectivity: while the server is down, a single probe goes out at a time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from clusteraudit.kube.errors import ApiError, SlowError, UnreachableError

T = TypeVar("T")
FIRST = 1.0
LONGEST = 30.0
_ILL = 3
"""Resources that meet nothing but 5xx in a row, after which it is the server that is down."""
_BROKEN = 500


def backoff(failures: int, rng: random.Random) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, bounded, jittered."""
    return min(LONGEST, FIRST * 2.0 ** min(failures, 10)) * (0.5 + rng.random() / 2)


def patience(failures: int, rng: random.Random) -> float:
    """Seconds between probes of a server that is down: `backoff`, then no less than LONGEST."""
    if FIRST * 2.0 ** min(failures, 10) >= LONGEST:
        return LONGEST * (1.0 + rng.random() / 10)
    return backoff(failures, rng)


class Gate:
    """Lets everybody through while the server answers, and one at a time while it does not.

    Down is a server that cannot be reached, and one that has only 5xx for whatever it is asked: a
    load balancer whose servers are gone answers so.
    """

    def __init__(self, rng: random.Random) -> None:
        self.outages = 0
        """How often the server was gone: what comes back may have another history."""
        self._rng = rng
        self._turn = asyncio.Lock()
        self._failures = 0
        self._ill: set[str] = set()

    @property
    def down(self) -> bool:
        """Whether the last attempt found no server."""
        return self._failures > 0

    @property
    def lasting(self) -> bool:
        """Whether several probes in a row found no server."""
        return self._failures > 1

    async def through(self, attempt: Callable[[], Awaitable[T]], about: str = "") -> T:
        """Make the attempt, at once or when it is its turn; raises what it raises."""
        while self.down:
            async with self._turn:
                if self.down:
                    await asyncio.sleep(patience(self._failures - 1, self._rng))
                    return await self._try(attempt, about)
        return await self._try(attempt, about)

    async def _try(self, attempt: Callable[[], Awaitable[T]], about: str) -> T:
        failures = self._failures
        try:
            result = await attempt()
        except UnreachableError as error:
            self._fail(failures, gone=not isinstance(error, SlowError))
            raise
        except ApiError as error:
            if error.status < _BROKEN:
                self._heal()
            else:
                self._ill.add(about)
                if failures or len(self._ill) >= _ILL:
                    self._fail(failures, gone=True)
            raise
        self._heal()
        return result

    def _fail(self, failures: int, *, gone: bool) -> None:
        self.outages += gone and not self.down
        # Many that fail side by side are one failure: else the first outage waits longest.
        self._failures = max(self._failures, failures + 1)

    def _heal(self) -> None:
        self._failures = 0
        self._ill.clear()
