"""The loop has its turn soon while the audit's thread is busy; what keeps it is timed."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clusteraudit.handlers.run_delay import RunDelay
from clusteraudit.handlers.turns import SHARE, WINDOW, Stall, Turns, share


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


def stall(work: Callable[[Turns], Coroutine[None, None, None]]) -> Stall:
    """The longest while a loop does this."""
    turns = Turns()
    with asyncio.Runner(loop_factory=turns.loop) as runner:
        runner.run(asyncio.sleep(0.01))
        turns.note(Stall())
        runner.run(work(turns))
    return turns.longest


def work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def one_long_turn(_: Turns) -> None:
    await asyncio.sleep(0.01)
    work(0.2)
    await asyncio.sleep(0.01)


async def many_short_turns(_: Turns) -> None:
    for _turn in range(20):
        work(0.01)
        await asyncio.sleep(0)


async def a_turn_that_sleeps(_: Turns) -> None:
    await asyncio.sleep(0.01)
    time.sleep(0.2)  # noqa: ASYNC251 - the fault that is to be told
    await asyncio.sleep(0.01)


async def another_thread_keeps_the_interpreter(turns: Turns) -> None:
    with turns.closely(), ThreadPoolExecutor(1) as thread:
        await asyncio.get_running_loop().run_in_executor(thread, sum, range(10_000_000))


def test_a_long_turn_is_told_by_the_clock_and_its_own_time() -> None:
    longest = stall(one_long_turn)
    assert longest.process >= longest.cpu >= 0.2
    assert longest.wall >= 0.2


def test_turns_that_are_short_are_no_stall_together() -> None:
    assert stall(many_short_turns).cpu < 0.1


def test_a_turn_that_waits_for_something_else_costs_no_time_of_its_own() -> None:
    longest = stall(a_turn_that_sleeps)
    assert longest.wall >= longest.process >= 0.15
    assert longest.cpu < 0.1


def test_a_thread_that_keeps_the_interpreter_is_told() -> None:
    began = time.thread_time()
    sum(range(10_000_000))
    takes = time.thread_time() - began
    assert stall(another_thread_keeps_the_interpreter).wall > takes / 3


BUSY = """
print(flush=True)
while True:
    pass
"""


@pytest.fixture
def one_core_of_four() -> Iterator[None]:
    """Three other processes on the core that this thread has."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    others = [
        subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) for _ in range(3)
    ]
    for one in others:
        assert one.stdout
        one.stdout.readline()
    yield
    for one in others:
        one.kill()
        one.communicate()
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_core_of_four")
def test_what_the_loop_waits_for_a_core_is_not_of_the_process() -> None:
    longest = stall(one_long_turn)
    assert longest.wall > 2 * longest.process
    assert longest.process >= longest.cpu >= 0.2


async def one_that_takes_part_keeps_it(turns: Turns) -> None:
    with turns.closely(), ThreadPoolExecutor(1, initializer=turns.take_part) as thread:
        await asyncio.get_running_loop().run_in_executor(thread, sum, range(10_000_000))


@pytest.mark.usefixtures("one_core_of_four")
def test_nor_is_what_a_thread_waits_for_one_that_keeps_the_interpreter() -> None:
    longest = stall(one_that_takes_part_keeps_it)
    assert longest.wall > 2 * longest.process > 0


def test_what_a_thread_has_waited_for_is_known_when_it_has_ended() -> None:
    with ThreadPoolExecutor(1) as thread:
        delay = thread.submit(RunDelay).result()
        before = thread.submit(delay).result()
    assert delay() == delay() >= before
    delay.close()


def test_a_kernel_that_does_not_count_leaves_the_clock(tmp_path: Path) -> None:
    delay = RunDelay(str(tmp_path / "none"))
    assert delay() == 0
    delay.close()


def test_who_has_nothing_to_do_is_not_woken_up() -> None:
    waits: list[float | None] = []

    async def idle(_: Turns) -> None:
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        select = selector.select

        def counted(timeout: float | None) -> object:
            waits.append(timeout)
            return select(timeout)

        selector.select = counted
        await asyncio.sleep(0.3)
        selector.select = select

    stall(idle)
    assert len(waits) <= 2


def test_the_longest_of_some_minutes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    turns = Turns()
    turns.note(Stall(3, 2, 1))
    turns.note(Stall(1, 1, 1))
    now[0] += WINDOW + 1
    turns.note(Stall(0.5, 0.5, 0.5))
    assert turns.longest == Stall(3, 2, 1)
    now[0] += WINDOW + 1
    turns.note(Stall(0.1, 0.1, 0.1))
    assert turns.longest == Stall(0.5, 0.5, 0.5)
