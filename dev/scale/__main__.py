"""Measure the operator at one or more sizes, print a table beside the budgets, and keep it.

    PYTHONPATH=operator:dev python -m scale 1000 10000

Each size is a control plane of its own: 5,000 nodes per 150,000 pods and everything else in
proportion. Figures are written to `benchmarks/results/`, with the machine and the commit.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from scale.budgets import table
from scale.kept import Figures, keep
from scale.measure import Plan, measure

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Run it; what was measured is kept even if a later step fails."""
    parser = argparse.ArgumentParser(prog="scale", description=__doc__)
    parser.add_argument("pods", type=int, nargs="+")
    parser.add_argument("--without", nargs="*", default=(), help="steps to leave out")
    parser.add_argument("--no-usage", action="store_true", help="serve no metrics.k8s.io")
    parser.add_argument("--seconds", type=float, default=90, help="of churn")
    asked = parser.parse_args()
    runs: list[Figures] = []
    for pods in asked.pods:
        plan = Plan(
            pods, usage=not asked.no_usage, churn=asked.seconds, without=tuple(asked.without)
        )
        runs.append({})
        try:
            measure(plan, _say(time.monotonic()), runs[-1])
        finally:
            if "start" in runs[-1]:
                print(f"written: {keep(runs[-1:])}", file=sys.stderr)
    print(table(runs))


def _say(began: float) -> Callable[[str], None]:
    def say(what: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {what}", file=sys.stderr, flush=True)

    return say


if __name__ == "__main__":
    main()
