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


class Pauses:
    """Counts failures in a row; each question counts one and answers in seconds."""

    def __init__(self, rng: random.Random) -> None:
        self.failures = 0
        self._rng = rng

    def ended(self, lasted: float, *, relist: bool) -> float:
        """A watch ended after so many seconds; `relist`: a list must follow."""
        if lasted > _LASTED:
            self.failures = 0
            return 0
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
