"""The command line as a process: how long it takes, and the most that it ever held."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scale.process import command_line

if TYPE_CHECKING:
    from collections.abc import Iterable

MIB = 2**20
_FOUND = re.compile(r'^cluster_audit_findings\{.*rule="(\w+)"')


def measure(kubeconfig: Path, told: Counter[str]) -> dict[str, Any]:
    """`scan` live, `snapshot`, and `scan -f` of both forms of it."""
    live = ("--kubeconfig", str(kubeconfig))
    with tempfile.TemporaryDirectory(prefix="cluster-audit-scale-") as name:
        folder = Path(name)
        found, figures = folder / "live.json", {}
        figures["live"] = _run(("scan", "-o", "json", *live), found)
        figures["differs"] = dict(_differs(found, told))
        for form in ("jsonl", "jsonl.gz"):
            file = folder / f"snapshot.{form}"
            figures[f"snapshot.{form}"] = _run(("snapshot", "-o", str(file), *live), folder / "out")
            figures[f"snapshot.{form}"]["fileMib"] = round(file.stat().st_size / MIB, 1)
            figures[f"file.{form}"] = _run(("scan", "-f", str(file), "-o", "json"), folder / "out")
            file.unlink()
    return figures


def told(samples: dict[str, float]) -> Counter[str]:
    """Findings by rule, as the operator's metrics tell them."""
    found: Counter[str] = Counter()
    for series, value in samples.items():
        if match := _FOUND.match(series):
            found[match[1]] += int(value)
    return +found


def _differs(scanned: Path, told: Counter[str]) -> Iterable[tuple[str, list[int]]]:
    """Rules of which the command finds more or less than the operator tells: both numbers."""
    try:
        findings = json.loads(scanned.read_text())["findings"]
    except ValueError:
        return [("everything", [0, told.total()])]
    found = Counter(one["rule"] for one in findings)
    rules = sorted(found.keys() | told.keys())
    return [(rule, [found[rule], told[rule]]) for rule in rules if found[rule] != told[rule]]


def _run(arguments: Iterable[str], out: Path) -> dict[str, Any]:
    ran = command_line(arguments, out)
    return {
        "seconds": round(ran.seconds, 2),
        "cpuSeconds": round(ran.cpu_seconds, 2),
        "peakMib": None if ran.peak is None else round(ran.peak / MIB, 1),
        "exit": ran.exit,
        **({"said": ran.errors[-300:]} if ran.exit else {}),
    }
