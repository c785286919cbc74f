"""Progress on stderr for what takes over two seconds, where stderr is a terminal."""

import sys
import time

from clusteraudit.model.printable import printable

_PATIENCE = 2.0
_EVERY = 0.2


class Progress:
    """A line that is rewritten; silent when not on a terminal, or told to be."""

    def __init__(self, *, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._next = time.monotonic() + _PATIENCE
        self._drawn = False

    def __call__(self, what: str, number: int) -> None:
        """Tell that so many objects were read of something."""
        if self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._drawn = True
            sys.stderr.write(f"\r\x1b[Kreading {printable(what)}: {number} objects")
            sys.stderr.flush()

    def done(self) -> None:
        """Clear the line."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False
