"""Memory that lies free between what is kept goes back to the system."""

import platform
from pathlib import Path

import pytest

from clusteraudit.handlers.memory import give_back

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
