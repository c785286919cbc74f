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


def measure(kubeconfig: Path) -> tuple[dict[str, Any], Counter[str]]:
    """`scan` live, `snapshot`, and `scan -f` of both forms of it; and what the first found."""
    live = ("--kubeconfig", str(kubeconfig))
    with tempfile.TemporaryDirectory(prefix="cluster-audit-scale-") as name:
        folder = Path(name)
        out = folder / "live.json"
        figures = {"live": _run(("scan", "-o", "json", *live), out)}
        found = _found(out)
        for form in ("jsonl", "jsonl.gz"):
            file = folder / f"snapshot.{form}"
            figures[f"snapshot.{form}"] = _run(("snapshot", "-o", str(file), *live), folder / "out")
            figures[f"snapshot.{form}"]["fileMib"] = round(file.stat().st_size / MIB, 1)
            figures[f"file.{form}"] = _run(("scan", "-f", str(file), "-o", "json"), folder / "out")
            file.unlink()
    return figures, found


def told(samples: dict[str, float]) -> Counter[str]:
    """Findings by rule, as the operator's metrics tell them."""
    found: Counter[str] = Counter()
    for series, value in samples.items():
        if match := _FOUND.match(series):
            found[match[1]] += int(value)
    return +found


def differing(
    found: Counter[str], before: Counter[str], after: Counter[str]
) -> dict[str, list[int]]:
    """Rules of which the command found what the operator told neither before it nor after it.

    A rule that waits may come to its end in between.
    """
    rules = sorted(found.keys() | before.keys() | after.keys())
    tellings = {rule: [found[rule], before[rule], after[rule]] for rule in rules}
    return {rule: said for rule, said in tellings.items() if said[0] not in said[1:]}


def _found(scanned: Path) -> Counter[str]:
    """Findings by rule; none where there was no answer, which its exit code tells."""
    try:
        findings = json.loads(scanned.read_text())["findings"]
    except ValueError:
        return Counter()
    return Counter(one["rule"] for one in findings)


def _run(arguments: Iterable[str], out: Path) -> dict[str, Any]:
    ran = command_line(arguments, out)
    return {
        "seconds": round(ran.seconds, 2),
        "cpuSeconds": round(ran.cpu_seconds, 2),
        "peakMib": None if ran.peak is None else round(ran.peak / MIB, 1),
        "exit": ran.exit,
        **({"said": ran.errors[-300:]} if ran.exit else {}),
    }
