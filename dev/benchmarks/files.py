"""What `scan -f` costs on files of a large cluster, beside its budgets.

    PYTHONPATH=operator:dev python -m benchmarks.files --pods 150000 --json results.json

Each file is read by a process of its own, of which the kernel tells time and peak memory.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.objects import FULL, NOW, objects
from clusteraudit.model.kinds import KINDS
from scale.process import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS, MIB = 30, 700
"""Budgets at the full size; smaller ones have the same."""


class Cost(msgspec.Struct, frozen=True):
    """Of a command on a file."""

    file: str
    file_mib: float
    wall_seconds: float
    cpu_seconds: float
    peak_mib: int
    findings: int


def write(folder: Path, pods: int) -> Iterator[Path]:
    """The same cluster as a snapshot, plain and compressed, and as kubectl prints a list."""
    count = sum(1 for _ in objects(pods))
    head = {"snapshotVersion": 1, "takenAt": NOW, "listed": list(KINDS), "objects": count}
    plain, packed, printed = (folder / f"cluster{end}" for end in (".jsonl", ".jsonl.gz", ".json"))
    with plain.open("wb") as lines, gzip.open(packed, "wb", 6) as small, printed.open("wb") as one:
        for file in (lines, small):
            file.write(msgspec.json.encode(head) + b"\n")
        one.write(b'{\n    "apiVersion": "v1",\n    "items": [\n')
        for number, made in enumerate(objects(pods)):
            text = msgspec.json.encode(made)
            for file in (lines, small):
                file.write(text + b"\n")
            one.write((b",\n" if number else b"") + json.dumps(made, indent=4).encode())
        one.write(b'\n    ],\n    "kind": "List",\n    "metadata": {}\n}\n')
    yield from (plain, packed, printed)


def cost(file: Path, out: Path) -> Cost:
    """A scan of the file, as a user starts it."""
    ran = command_line(("scan", "-f", str(file), "-o", "json"), out)
    if ran.exit or ran.peak is None:
        raise SystemExit(f"scan -f {file} ended with {ran.exit}: {ran.errors}")
    return Cost(
        file=file.name,
        file_mib=round(file.stat().st_size / 2**20, 1),
        wall_seconds=round(ran.seconds, 1),
        cpu_seconds=round(ran.cpu_seconds, 1),
        peak_mib=ran.peak // 2**20,
        findings=len(json.loads(out.read_bytes())["findings"]),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.files", description=__doc__)
    parser.add_argument("--pods", type=int, default=FULL)
    parser.add_argument("--json", type=Path, help="Write the figures there, too.")
    asks = parser.parse_args()
    found = []
    print(f"{asks.pods} pods; budget of a snapshot: {SECONDS} s, {MIB} MiB")
    print(f"{'file':<18} {'MiB':>8} {'wall s':>8} {'CPU s':>8} {'peak MiB':>9} {'findings':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for file in write(Path(folder), asks.pods):
            one = cost(file, Path(folder) / "found")
            found.append(one)
            print(
                f"{one.file:<18} {one.file_mib:>8} {one.wall_seconds:>8} {one.cpu_seconds:>8} "
                f"{one.peak_mib:>9} {one.findings:>9}",
                flush=True,
            )
    if asks.json:
        asks.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


if __name__ == "__main__":
    main()
