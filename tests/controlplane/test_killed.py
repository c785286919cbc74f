"""The operator killed at random moments: no Event is lost, and none is twice.

CLUSTER_AUDIT_TEST_KILLS says how often (6), CLUSTER_AUDIT_TEST_SEED makes it another run.
"""

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from clusteraudit.rules.kit import Rule
from controlplane import ControlPlane
from demo import stage
from demo.apply import apply
from demo.operator import Operator, install, report
from support.history import History, agree
from support.staged import AGAIN, RULES, SPEC, gone

KILLS = int(os.environ.get("CLUSTER_AUDIT_TEST_KILLS", "6"))
SEED = int(os.environ.get("CLUSTER_AUDIT_TEST_SEED", "1"))
PATIENCE = 180
LONGEST = 16.0
"""Seconds from a start to the next kill, at most: some lives never get to say anything."""


def test_killed_at_random_moments_it_loses_no_event_and_doubles_none(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    with ControlPlane() as plane:
        plane.install_metrics()
        kubeconfig = install(plane)
        plane.apply([report(**SPEC)])
        operator = Operator(kubeconfig, tmp_path / "log")
        with operator, History(plane) as history:
            plane.wait(lambda: history.told, PATIENCE, "the baseline")
            steps = itertools.islice(_steps(plane, rng), max(KILLS, 2 * len(RULES)))
            _kill_during(list(steps), operator, rng)
            there = {one["metadata"]["name"] for one in plane.api.items("v1", "Namespace")}
            for rule in (one for one in RULES if one.name in there):
                apply(plane, stage.mended(rule))
            for rule in RULES:
                plane.wait(partial(gone, plane, rule), PATIENCE, f"{rule.name} to be gone")
            plane.wait(lambda: agree(plane, operator, history), PATIENCE, "agreement")
            sys.stdout.write(_summary(history))
    assert "Traceback" not in operator.log.read_text()


def _steps(plane: ControlPlane, rng: random.Random) -> Iterator[Callable[[], None]]:
    """Every example breaks and mends, in any order; those that can, again and again."""
    broken: set[str] = set()
    mended: set[str] = set()
    while True:
        fresh = [one for one in RULES if one.name not in broken | mended]
        rule = rng.choice([*fresh, *(one for one in RULES if _moves(one, broken, mended))])
        if rule.name in broken:
            broken.remove(rule.name)
            mended.add(rule.name)
            yield partial(apply, plane, stage.mended(rule))
        else:
            broken.add(rule.name)
            yield partial(apply, plane, stage.broken(rule))


def _moves(rule: Rule, broken: set[str], mended: set[str]) -> bool:
    return rule.name in broken or (rule.name in mended and rule.name in AGAIN)


def _kill_during(steps: list[Callable[[], None]], operator: Operator, rng: random.Random) -> None:
    """All steps, spread over so many lives of the operator."""
    for life in range(KILLS):
        for step in steps[life * len(steps) // KILLS : (life + 1) * len(steps) // KILLS]:
            time.sleep(rng.uniform(0, LONGEST / 2))
            step()
        time.sleep(rng.uniform(0, LONGEST / 2))
        assert operator.process is not None
        operator.process.send_signal(signal.SIGKILL)
        operator.process.wait()
        operator.start()


def _summary(history: History) -> str:
    called = history.called_for()
    again = sum(number > 1 for number in called.values())
    return (
        f"{KILLS} kills: {len(history.told)} statuses, {sum(called.values())} transitions, "
        f"{len(called)} Events, {again} of them counted up\n"
    )
