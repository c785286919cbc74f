"""On PYTHONPATH of a process this moves its wall clock by the seconds that a file says.

The monotonic clock goes on, as it does when a machine's clock is set.
"""

import os
import time
from pathlib import Path

_file = os.environ.get("TEST_CLOCK", "")
if _file:
    _true = time.time

    def moved() -> float:
        try:
            return _true() + float(Path(_file).read_text(encoding="ascii") or 0)
        except (OSError, ValueError):
            return _true()

    time.time = moved
