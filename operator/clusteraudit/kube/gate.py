"""One gate for connectivity: one probe finds out for all whether the server is there.

A connection that fails puts the server in doubt, and all wait for the answer to a probe. If there
is none, the server is down, and a single attempt goes out at a time.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from clusteraudit.kube.errors import ApiError, SlowError, UnreachableError, UntrustedError

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

    Down is a server that cannot be reached by the probe, and one that has only 5xx for whatever it
    is asked: a load balancer whose servers are gone answers so.
    """

    def __init__(self, rng: random.Random, probe: Callable[[], Awaitable[object]]) -> None:
        self.outages = 0
        """How often the server was gone: what comes back may have another history."""
        self._rng = rng
        self._probe = probe
        self._turn = asyncio.Lock()
        self._doubted = False
        self._failures = 0
        self._ill: set[str] = set()

    @property
    def down(self) -> bool:
        """Whether the last probe found no server."""
        return self._failures > 0

    @property
    def shut(self) -> bool:
        """Whether all but one wait: the server is down, or it is just being found out."""
        return self._doubted or self.down

    async def through(self, attempt: Callable[[], Awaitable[T]], about: str = "") -> T:
        """Make the attempt, at once or when it is its turn; raises what it raises."""
        while self.shut:
            async with self._turn:
                if self._doubted:
                    await self._find_out()
                elif self.down:
                    await asyncio.sleep(patience(self._failures - 1, self._rng))
                    return await self._alone(attempt)
        return await self._among_others(attempt, about)

    async def doubt(self) -> None:
        """A connection failed: find out, once for all whose connections do, and return then."""
        if self.down:
            return
        self._doubted = True
        async with self._turn:
            if self._doubted:
                await self._find_out()

    async def _find_out(self) -> None:
        """Ask; a probe that is cancelled leaves the doubt to whoever comes next."""
        with contextlib.suppress(UnreachableError, ApiError):
            await self._alone(self._probe)
        self._doubted = False

    async def _alone(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """An attempt that decides for all."""
        try:
            result = await attempt()
        except UnreachableError as error:
            self._fail(gone=not isinstance(error, SlowError))
            raise
        except ApiError as error:
            self._fail(gone=True) if error.status >= _BROKEN else self._heal()
            raise
        self._heal()
        return result

    async def _among_others(self, attempt: Callable[[], Awaitable[T]], about: str) -> T:
        """An attempt while the server is up, as far as is known."""
        try:
            result = await attempt()
        except UntrustedError:  # it was reached: there is no doubt
            self._fall()
            raise
        except UnreachableError:
            await self.doubt()
            raise
        except ApiError as error:
            self._heal() if error.status < _BROKEN else self._worry(about)
            raise
        self._heal()
        return result

    def _worry(self, about: str) -> None:
        self._ill.add(about)
        if len(self._ill) >= _ILL:
            self._fall()

    def _fall(self) -> None:
        """From up to down: of many that fail side by side, the first."""
        if not self.down:
            self._fail(gone=True)

    def _fail(self, *, gone: bool) -> None:
        self.outages += gone and not self.down
        self._failures += 1

    def _heal(self) -> None:
        self._failures = 0
        self._ill.clear()
