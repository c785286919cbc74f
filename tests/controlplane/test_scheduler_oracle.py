"""The engine against the real scheduler: no pod that it calls unplaceable is ever bound.

`CLUSTER_AUDIT_ORACLE_DECISIONS` makes more decisions, `..._SEED` and `..._STEP` other ones, and
`CLUSTER_AUDIT_ORACLE_REPLAY` asks again about the file of a failure.
"""

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane import ControlPlane
from support.oracle import plane as scheduler_plane
from support.trial import Trial, replay, shrink

DECISIONS = int(os.environ.get("CLUSTER_AUDIT_ORACLE_DECISIONS", "500"))
SEED = int(os.environ.get("CLUSTER_AUDIT_ORACLE_SEED", "1"))
STEP = int(os.environ.get("CLUSTER_AUDIT_ORACLE_STEP", "1"))
REPLAY = os.environ.get("CLUSTER_AUDIT_ORACLE_REPLAY")


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    with scheduler_plane() as started:
        found = Trial(started)
        found.prepare()
        yield found


def test_the_engine_agrees_with_the_scheduler(trial: Trial) -> None:
    seeds = itertools.count(SEED, STEP)
    trial.run(seeds, DECISIONS)
    last = next(seeds) - STEP
    print(f"seeds {SEED} to {last}, {trial.discarded} discarded: {trial.tally}")

    if trial.failures:
        smallest = _smallest(trial.plane, trial.failures[0])
        pytest.fail("\n".join([*trial.failures, f"smallest: {smallest}"]))
    assert trial.tally.bound > DECISIONS // 5
    assert trial.tally.pending > DECISIONS // 5
    assert trial.tally.doubtful < DECISIONS // 10


def _smallest(plane: ControlPlane, failure: str) -> Path:
    path = Path(failure.partition("replay ")[2].partition(": ")[0])
    objects = [json.loads(line) for line in path.read_text().splitlines()]
    small = path.with_suffix(".small.jsonl")
    fewer = shrink(objects, lambda some: bool(replay(plane, some)))
    small.write_text("".join(f"{json.dumps(one)}\n" for one in fewer))
    return small


@pytest.mark.skipif(not REPLAY, reason="CLUSTER_AUDIT_ORACLE_REPLAY names no file")
def test_a_failure_is_mended(trial: Trial) -> None:
    lines = Path(REPLAY or "").read_text().splitlines()
    assert replay(trial.plane, [json.loads(line) for line in lines]) == []
