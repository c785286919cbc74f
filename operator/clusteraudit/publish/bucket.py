"""A token bucket: how many may go now, so that a bad day of the cluster does not become worse."""

from collections.abc import Callable


class Bucket:
    """Holds `burst` tokens at most and gains `rate` a second."""

    def __init__(self, burst: int, rate: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._rate = rate
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    @property
    def tokens(self) -> int:
        """How many there are now."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return int(self._tokens)

    def take(self, number: int) -> None:
        """Use so many; not more than there are."""
        self._tokens -= min(number, self.tokens)
