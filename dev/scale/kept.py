"""Results that are kept: one file per run of the benchmark, with the machine and the commit."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
Figures = dict[str, Any]
_STEPS = {"start", "churn", "latency", "scan", "restart"}
LONG = 1800
"""Seconds of churn that tell a slope: caches are still filling at first."""


def keep(runs: list[Figures], folder: Path = RESULTS) -> Path:
    """Write the runs; the file's name is when and of which commit."""
    now, commit = datetime.now(tz=UTC), _git("rev-parse", "--short=10", "HEAD")
    changed = bool(_git("status", "--porcelain", "--", "operator"))
    content = {
        "at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": commit + ("+changes" if changed else ""),
        "machine": machine(),
        "runs": runs,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y%m%dT%H%M%S}-{commit}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def latest(folder: Path = RESULTS) -> list[Figures]:
    """The newest run of each size, by size, that has no step less than one before.

    `hour` is the newest long churn of the size, if there is one: it takes a run of its own.
    """
    found: dict[int, Figures] = {}
    hours: dict[int, Figures] = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        about = {key: content[key] for key in ("at", "commit", "machine")}
        for run in content["runs"]:
            size, hour = run["asked"], hour_of(run)
            if hour:
                hours[size] = {**hour, "commit": content["commit"]}
            if size not in found or _STEPS & found[size].keys() <= run.keys():
                found[size] = {**run, **about}
    return [{**found[size], "hour": hours.get(size)} for size in sorted(found)]


def hour_of(run: Figures) -> Figures | None:
    """The churn of a run, if it is long enough to tell a slope."""
    churn: Figures | None = run.get("hour") or run.get("churn")
    return churn if churn and churn["seconds"] >= LONG else None


def machine() -> dict[str, Any]:
    """What it ran on; load says whether others did, too."""
    cpu = re.search(r"model name\s*: (.*)", _text("/proc/cpuinfo"))
    total = re.search(r"MemTotal:\s*(\d+) kB", _text("/proc/meminfo"))
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memoryGib": round(int(total[1]) / 2**20, 1) if total else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load": [round(one, 1) for one in os.getloadavg()],
    }


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    return done.stdout.strip()
