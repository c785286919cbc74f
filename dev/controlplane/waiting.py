"""Waiting for something to become true, with a message when it does not."""

import http.client
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import ApiError

T = TypeVar("T")
SHORTEST, LONGEST = 0.02, 0.25


def wait(
    condition: Callable[[], T],
    timeout: float = 30.0,
    what: str = "the condition",
    check: Callable[[], None] = lambda: None,
) -> T:
    """Ask until `condition` gives something true, and return that.

    A failed assertion, an API error or a lost connection count as "not yet" and are shown when time
    is up. `check` is asked in between; what it raises ends the wait at once.
    """
    deadline = time.monotonic() + timeout
    pause, last = SHORTEST, "it was never true"
    while True:
        try:
            if value := condition():
                return value
        except (AssertionError, ApiError, OSError, http.client.HTTPException) as error:
            last = f"{type(error).__name__}: {error}"
        check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}: {last}")
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST)
