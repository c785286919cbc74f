"""How long a thread could have run and had no core: the machine's part of what takes long."""

import os
from contextlib import suppress

_FILE = "/proc/thread-self/schedstat"
_LONGEST = 80
"""Bytes of three numbers of nanoseconds and counts."""


class RunDelay:
    """Of the thread that makes it: seconds so far, by the kernel's count; 4 µs to read.

    The kernel counts while the thread stands in a run queue (`Documentation/scheduler/
    sched-stats.rst`). Where it tells nothing, as outside of Linux, it is 0 for ever.
    """

    def __init__(self, path: str = _FILE) -> None:
        self._file = -1
        self._seconds = 0.0
        with suppress(OSError):
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __call__(self) -> float:
        """Seconds; of a thread that has ended, what it was."""
        if self._file >= 0:
            with suppress(OSError):
                self._seconds = int(os.pread(self._file, _LONGEST, 0).split()[1]) / 1e9
        return self._seconds

    def close(self) -> None:
        """Once nobody asks any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
