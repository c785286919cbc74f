"""How much of a core drills may take: what following the cluster leaves of its budget."""

import time

BUDGET = 0.08
"""Of a core, for changes, audits and drills together: of a tenth, Kopf, the log and what changes
faster than a window have the rest."""
LEAST, MOST = 0.005, 0.05
"""Of a core, for drills: however much changes, and however little."""
_WINDOW = 5.0
"""Seconds of which the use is taken; audits come every two."""


class Allowance:
    """Looks now and then at what was used, and says what is left."""

    def __init__(self) -> None:
        self._at, self._used = time.monotonic(), 0.0
        self._share = LEAST

    def share(self, used: float) -> float:
        """Of a core, as of the last window; `used` is all CPU time of the others, in seconds."""
        past = time.monotonic() - self._at
        if past >= _WINDOW:
            left = BUDGET - (used - self._used) / past
            self._share = max(LEAST, min(MOST, left))
            self._at, self._used = time.monotonic(), used
        return self._share
