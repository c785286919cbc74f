"""When what was refused is tried again: later each time, and not before the server wants it."""

import random
import time
from collections import Counter
from collections.abc import Callable

from clusteraudit.kube.errors import ApiError
from clusteraudit.kube.gate import backoff


class Retries:
    """Pauses by name, in seconds; news do not shorten them.

    A pause is that of `backoff`, or what `Retry-After` asks for if that is longer (`Session` bounds
    it). Only refusals of the server make it grow: while it cannot be reached the gate has its own.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, rng: random.Random | None = None
    ) -> None:
        self._clock = clock
        self._rng = rng or random.Random()
        self._failures: Counter[str] = Counter()
        self._until: dict[str, float] = {}

    def failed(self, name: str, error: Exception) -> None:
        """It was tried, and this came of it."""
        asked = error.retry_after if isinstance(error, ApiError) else None
        pause = max(asked or 0, backoff(self._failures[name], self._rng))
        self._until[name] = self._clock() + pause
        self._failures[name] += isinstance(error, ApiError)

    def succeeded(self, name: str) -> None:
        """The next failure is a first one."""
        self._failures.pop(name, None)
        self._until.pop(name, None)

    def wait(self, name: str) -> float:
        """Seconds until it may be tried; 0 if it may be now."""
        return max(0.0, self._until.get(name, 0.0) - self._clock())
