"""Drills have what changes and audits leave: much while nothing happens, little in a storm."""

import time

import pytest

from clusteraudit.handlers.allowance import BUDGET, LEAST, MOST, Allowance


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("others", "share"),
    [(0.0, MOST), (BUDGET - MOST, MOST), (0.07, BUDGET - 0.07), (0.0875, LEAST), (0.9, LEAST)],
)
def test_drills_have_what_is_left(clock: list[float], others: float, share: float) -> None:
    allowance, used = Allowance(), 5.0
    told = []
    for _ in range(4):
        clock[0] += 30
        used += 30 * others
        told.append(allowance.share(used))
    assert told[1:] == pytest.approx([share] * 3)


def test_until_a_window_has_passed_little_is_known_and_little_taken(clock: list[float]) -> None:
    allowance = Allowance()
    clock[0] += 1
    assert allowance.share(0.0) == LEAST


def test_a_short_while_says_nothing_of_a_minute(clock: list[float]) -> None:
    allowance = Allowance()
    clock[0] += 60
    before = allowance.share(60 * 0.05)
    clock[0] += 1
    assert allowance.share(60 * 0.05 + 1) == before


def test_what_was_used_at_the_start_is_forgotten(clock: list[float]) -> None:
    allowance = Allowance()
    clock[0] += 100
    assert allowance.share(40.0) == LEAST
    clock[0] += 30
    assert allowance.share(40.0) == MOST
