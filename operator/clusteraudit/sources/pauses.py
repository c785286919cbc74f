"""How long an informer waits before it asks again: longer each time, bounded, drawn by lot."""

import random

from clusteraudit.kube.errors import ApiError, ForbiddenError, NotFoundError
from clusteraudit.kube.gate import backoff

SLOW_RETRY = 45.0
"""Seconds, at most, until a kind that is forbidden or not served is tried again."""
_PATIENCE = 2
_LASTED = 10.0
"""Seconds after which a watch that ends was none that failed: the next one need not wait."""
_RESUMED = 5.0
"""Seconds, at most, until a watch is taken up where it stopped: that costs little, a list does."""
_APART = 1.0
"""Seconds, at least, from the beginning of a watch that told something to that of the next one."""


class Pauses:
    """Counts failures in a row; each question counts one and answers in seconds."""

    def __init__(self, rng: random.Random) -> None:
        self.failures = 0
        self._rng = rng

    def ended(self, lasted: float, *, relist: bool, told: bool = False) -> float:
        """A watch ended after so many seconds; `relist`: a list must follow.

        One that `told` something is no failure. A server that cannot keep up ends watches; who
        waits then has more to catch up with, and is ended the sooner. client-go's reflector goes
        on at once, too.
        """
        if lasted > _LASTED:
            self.failures = 0
            return 0
        if told and not relist:
            self.failures = 0
            return max(0.0, _APART - lasted)
        self.failures += 1
        pause = backoff(self.failures - 1, self._rng)
        return pause if relist else min(pause, _RESUMED)

    def refused(self, error: ApiError) -> float:
        """The server refused to list or to watch; what it asks for is kept to."""
        self.failures += 1
        if isinstance(error, ForbiddenError | NotFoundError):
            return min(SLOW_RETRY, backoff(self.failures - 1, self._rng) * _PATIENCE)
        return max(error.retry_after or 0, backoff(self.failures, self._rng))

    def failed(self) -> float:
        """There is nothing to ask with."""
        self.failures += 1
        return backoff(self.failures, self._rng)
