"""What the model of a large cluster holds, step by step: the kernel's figures of this process.

    PYTHONPATH=operator:dev python -m benchmarks.memory cluster.jsonl.gz

Any file that `scan` reads will do; nothing else is made in the process, so that its peak is that of
reading and of a full audit. With `--parts` the lines that hold most are named, which takes longer.
"""

from __future__ import annotations

import argparse
import tracemalloc
from pathlib import Path

from clusteraudit.audit.audit import Audit
from clusteraudit.cli.inputs import from_files
from clusteraudit.cli.main import collect_rarely
from clusteraudit.rules.catalogue import catalogue

_LINES = 30


def tell(what: str) -> None:
    """Memory now and at its peak, and by whom it is held if that is traced."""
    said = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    now, peak = (int(said[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))
    print(f"{what:<10} {now:>6} MiB, at most {peak:>6} MiB", flush=True)
    if not tracemalloc.is_tracing():
        return
    for one in tracemalloc.take_snapshot().statistics("lineno")[:_LINES]:
        where = one.traceback[0]
        name = where.filename.rpartition("clusteraudit/")[2]
        print(f"  {one.size / 2**20:>7.1f} MiB {one.count:>9} {name}:{where.lineno}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory", description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--parts", action="store_true", help="Say which lines hold the most.")
    asks = parser.parse_args()
    collect_rarely()
    rules = catalogue()
    if asks.parts:
        tracemalloc.start()
    tell("imported")
    material = from_files([asks.file], (), quiet=True)
    tell("read")
    audit = Audit(rules, material.now)
    result = audit.step(material.changes, evidence=material.evidence, now=material.now)
    tell("audited")
    recorder = audit.cluster.recorder
    edges = sum(len(cells) for cells in recorder.opened.values())
    print(f"{sum(number for _, number in result.counts)} objects, {len(result.entries)} findings")
    print(f"{len(recorder.opened)} openers, {edges} edges, {len(recorder.openers)} cells opened")


if __name__ == "__main__":
    main()
