"""Memory that lies free between what is kept goes back to the system; cycles are looked for."""

import gc
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusteraudit.cli.main import collect_rarely
from clusteraudit.handlers.memory import give_back, settle

MIB = 2**20


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_what_is_free_between_what_is_kept_is_given_back() -> None:
    pieces = [bytes(16_384) for _ in range(4096)]
    last = bytes(16_384)  # above all of them: of its own accord the library gives nothing back
    held = resident()
    del pieces
    give_back()
    assert held - resident() > 48 * MIB
    assert len(last) == 16_384


_TABLES = """
from pathlib import Path
from clusteraudit.handlers.memory import set_large_apart

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

set_large_apart()
largest = b"." * 2**23
del largest  # glibc learns from it
held = []
for _ in range(20):
    held += [b"." * 2**21, bytes(2000)]
before = resident()
del held[::2]
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_large_blocks_leave_nothing_between_small_ones() -> None:
    """Without being asked, whatever was freed before. In a process of its own: it is for good."""
    done = subprocess.run([sys.executable, "-c", _TABLES], check=True, capture_output=True)
    assert int(done.stdout) > 36 * MIB


@pytest.fixture
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("as_before")
def test_young_objects_are_looked_at_before_there_are_many() -> None:
    """A look at all that a restart of everything makes would hold all threads up."""
    looks: Counter[int] = Counter()

    def noted(phase: str, about: dict[str, int]) -> None:
        looks[about["generation"]] += phase == "start"

    settle()
    gc.callbacks.append(noted)
    made: list[list[int]] = [[] for _ in range(100_000)]
    gc.callbacks.remove(noted)
    assert looks[0] > len(made) / 10_000
    assert looks[1]
    assert not looks[2], "nor is all that is kept walked through"


@pytest.mark.usefixtures("as_before")
def test_while_a_cluster_is_read_young_objects_alone_are_looked_at() -> None:
    """A look at what was kept of 150,000 pods takes a tenth of a second of the loop."""
    looks: Counter[int] = Counter()

    def noted(phase: str, about: dict[str, int]) -> None:
        looks[about["generation"]] += phase == "start"

    collect_rarely()
    gc.set_threshold(50, *gc.get_threshold()[1:])  # as if a hundred times as many were made
    gc.callbacks.append(noted)
    made: list[list[int]] = [[] for _ in range(50_000)]
    gc.callbacks.remove(noted)
    assert looks[0] > len(made) / 100
    assert not looks[1] + looks[2]
