"""Random sequences of faults with churn, then quiet: the report is that of a fresh audit.

CLUSTER_AUDIT_FAULTS says how many (20), CLUSTER_AUDIT_FAULTS_SEED the seed of the first one: that
of a failure, with CLUSTER_AUDIT_FAULTS=1, plays it again.
"""

import os
import sys
from functools import partial
from pathlib import Path

import pytest

from controlplane import ControlPlane
from support.faulty import PATIENCE, Chance, Faulty, faulty
from support.history import History, agree, counted, sent

pytestmark = pytest.mark.filterwarnings(
    # The proxy drops connections in the middle of their TLS handshake, and until then asyncio has
    # nobody who could close them. What the operator holds is counted from outside.
    "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning"
)

COUNT = int(os.environ.get("CLUSTER_AUDIT_FAULTS", "20"))
SEED = int(os.environ.get("CLUSTER_AUDIT_FAULTS_SEED", "1"))
BARE = ("etcd", "kube-apiserver")
TOO_MANY = 3
"""Failures after which it is given up: one may be the cause of the next."""
WARM = 3
"""Sequences until which the most that is held is compared with what is held at the end: after one
of them watches may not be open again yet."""
MORE = {"files": 12, "threads": 6, "tasks": 12, "KiB": 24 * 1024}


def test_random_faults_then_quiet_and_it_says_what_a_fresh_audit_says(tmp_path: Path) -> None:
    took: list[float] = []
    failures: list[str] = []
    with ControlPlane(components=BARE) as plane, faulty(plane, tmp_path) as on:
        before = on.weight()
        with History(plane) as history:
            plane.wait(lambda: history.told, PATIENCE, "the baseline")
            for number, seed in enumerate(range(SEED, SEED + COUNT)):
                try:
                    took.append(_play(on, history, seed))
                except (TimeoutError, AssertionError) as error:
                    print(f"FAILED {error}", flush=True)
                    failures.append(f"{error}")
                assert len(failures) < TOO_MANY, failures
                before = _most(before, on.weight()) if number < WARM else before
            after = on.weight()
            _tell(took, before, after, history)
        assert not failures
        grown = {name: after[name] - before[name] for name in MORE}
        assert COUNT <= WARM or not {name for name in MORE if grown[name] > MORE[name]}, grown


def _most(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: max(value, other[name]) for name, value in one.items()}


def _play(on: Faulty, history: History, seed: int) -> float:
    chance = Chance(on, seed)
    chance.play()
    what = f"after sequence {seed}: {'; '.join(chance.said)}"
    try:
        seconds = on.converges(what)
        on.plane.wait(partial(_once, on, history), PATIENCE, f"Events {what}")
    except BaseException:
        print(f"CLUSTER_AUDIT_FAULTS=1 CLUSTER_AUDIT_FAULTS_SEED={seed}", file=sys.stderr)
        raise
    print(f"sequence {seed}: {seconds:.1f} s; {'; '.join(chance.said)}", flush=True)
    return seconds


def _once(on: Faulty, history: History) -> bool:
    """Every Event once; all of them, unless some were given up, which is counted."""
    dropped = on.figure("cluster_audit_operator_events_dropped", "reason")
    if not sum(dropped.values()):
        return agree(on.plane, on.operator, history)
    assert history.settled()
    assert counted(sent(on.plane)) <= history.called_for()
    return True


def _tell(
    took: list[float], before: dict[str, int], after: dict[str, int], history: History
) -> None:
    longest, median = max(took, default=0), sorted([0, *took])[(len(took) + 1) // 2]
    print(f"{COUNT} sequences from {SEED}: converged in {median:.1f} s, at most {longest:.1f} s")
    print(f"{len(history.told)} statuses; before {before}, after {after}")
