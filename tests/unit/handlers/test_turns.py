"""The loop has its turn soon while the audit's thread is busy."""

import sys
import threading
import time
from collections.abc import Iterator

import pytest

from clusteraudit.handlers.turns import SHARE, share


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def test_a_busy_thread_gives_the_interpreter_away_soon() -> None:
    """After each call that lets go of it, as a read of a socket does, it must be waited for."""
    share()
    assert sys.getswitchinterval() == pytest.approx(SHARE)
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            sum(range(100))

    thread = threading.Thread(target=busy)
    thread.start()
    waits = []
    for _ in range(50):
        began = time.monotonic()
        time.sleep(0)
        waits.append(time.monotonic() - began)
    over.set()
    thread.join()
    assert min(waits) < 5 * SHARE
