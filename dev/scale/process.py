"""A process seen from outside: memory and CPU, by the kernel's figures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from itertools import groupby
from math import sqrt
from pathlib import Path
from statistics import fmean, linear_regression
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

_TICKS = os.sysconf("SC_CLK_TCK")
_HOUR = 3600
_LINE = 2
"""What a line takes of the degrees of freedom: where it begins, and how it rises."""
_FIELD = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """In bytes; `peak` is the highest that the resident size ever was."""

    at: float
    resident: int
    shared_out: int
    """The proportional set size: pages that are shared count in part."""
    peak: int


def memory(pid: int) -> Memory:
    """What it holds now."""
    status = _fields(Path(f"/proc/{pid}/status"))
    rollup = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    return Memory(time.monotonic(), status["VmRSS"], rollup.get("Pss", 0), status["VmHWM"])


def _least_of_minutes(samples: Iterable[Memory]) -> list[Memory]:
    """Of each minute the sample with the least resident memory, in order."""
    minutes = groupby(samples, key=lambda one: one.at // 60)
    return [min(some, key=lambda one: one.resident) for _, some in minutes]


def _fields(path: Path) -> dict[str, int]:
    return {name: 1024 * int(number) for name, number in _FIELD.findall(path.read_text())}


def cpu_seconds(pid: int) -> float:
    """CPU time that it has used, of all its threads."""
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after[11]) + int(after[12])) / _TICKS


def cpu_of_threads(pid: int) -> dict[str, float]:
    """CPU time by the name of the thread."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        head, _, after = (task / "stat").read_text().rpartition(")")
        parts = after.split()
        name = head.partition("(")[2]
        found[name] = found.get(name, 0) + (int(parts[11]) + int(parts[12])) / _TICKS
    return found


# The `ru_maxrss` that a parent is told counts what the parent itself held before `exec`, too.
_MEASURED = """
import pathlib, runpy, sys
peak = pathlib.Path(sys.argv.pop(1))
try:
    runpy.run_module("clusteraudit", run_name="__main__", alter_sys=True)
finally:
    peak.write_bytes(pathlib.Path("/proc/self/status").read_bytes())
"""


@dataclass(frozen=True)
class Ran:
    """What one run of the command line cost; `errors` is what it wrote to standard error."""

    seconds: float
    cpu_seconds: float
    peak: int | None
    """In bytes; None where it was killed before it could tell."""
    exit: int
    errors: str


def command_line(
    arguments: Iterable[str], out: Path | None = None, stdin: IO[bytes] | None = None
) -> Ran:
    """Run `cluster-audit` to its end, with its output in a file or nowhere."""
    with tempfile.TemporaryDirectory(prefix="cluster-audit-ran-") as folder:
        status, errors = Path(folder) / "status", Path(folder) / "errors"
        began = time.monotonic()
        with (out or Path(os.devnull)).open("wb") as stdout, errors.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", _MEASURED, str(status), *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
            _, code, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        return Ran(
            seconds=time.monotonic() - began,
            cpu_seconds=used.ru_utime + used.ru_stime,
            peak=_fields(status)["VmHWM"] if status.exists() else None,
            exit=process.returncode,
            errors=errors.read_text(errors="replace"),
        )


@dataclass(frozen=True)
class Slope:
    """How memory grows, in bytes per hour, and the standard error of that."""

    hourly: float = 0.0
    error: float = 0.0


@dataclass
class Sampler:
    """Memory over time, in a thread; a context manager."""

    pid: int
    every: float = 1.0
    samples: list[Memory] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self.every):
            try:
                self.samples.append(memory(self.pid))
            except OSError:  # it has ended
                return

    def slope(self) -> Slope:
        """By least squares over the second half: in the first one caches fill.

        Of each minute the least counts: what audits and drills take for seconds is not held.
        """
        counted = _least_of_minutes(self.samples[len(self.samples) // 2 :])
        if len(counted) <= _LINE:
            return Slope()
        times, sizes = [one.at for one in counted], [one.resident for one in counted]
        line, middle = linear_regression(times, sizes), fmean(times)
        spread = sum((at - middle) ** 2 for at in times)
        off = (
            size - line.intercept - line.slope * at for at, size in zip(times, sizes, strict=True)
        )
        variance = sum(one**2 for one in off) / (len(times) - _LINE)
        return Slope(_HOUR * line.slope, _HOUR * sqrt(variance / spread))
