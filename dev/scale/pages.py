"""The figures and the picture of the documentation, made of the results that are kept."""

from __future__ import annotations

from typing import Any

from scale.budgets import figure, peak, table
from scale.kept import latest
from scale.plot import Line, Panel, svg

PAGE, PICTURE = "docs/scale-figures.md", "docs/scale.svg"
_HEAD = """# Figures at scale

Made of the newest run of each size in `benchmarks/results/` that left no step out which an older
one had; what they mean is in [Scale](scale.md). A figure over its budget has a `!`.

![Time and memory against the number of pods](scale.svg)
"""


def pages() -> dict[str, str]:
    """The page and its picture, by their paths."""
    runs = latest()
    tables = "\n".join([_HEAD, table(runs), *(_about(run) for run in runs), ""])
    return {PAGE: tables, PICTURE: svg(PANELS, runs)}


def _about(run: dict[str, Any]) -> str:
    made, on = run["cluster"], run["machine"]
    counts = ", ".join(
        f"{made[key]:,} {word}"
        for key, word in (
            ("nodes", "nodes"),
            ("workloads", "workloads"),
            ("claims", "claims"),
            ("policies", "policies"),
            ("oldReplicaSets", "old ReplicaSets"),
        )
    )
    return (
        f"- {made['pods']:,} pods: {counts}; {run['at'][:10]}, commit {run['commit']}, "
        f"{on['cores']} shared cores of {on['cpu']}, Python {on['python']}, load {on['load'][0]}."
        + _hour(run["hour"])
    )


def _hour(churn: dict[str, Any] | None) -> str:
    if churn is None:
        return ""
    return f" The slope is that of {churn['seconds'] / 60:.0f} minutes, commit {churn['commit']}."


PANELS = (
    Panel(
        "Seconds",
        (
            Line("start to first report", figure("start", "firstReportSeconds")),
            Line("scan, live", figure("scan", "live", "seconds")),
            Line("bare list", figure("bare_list", "seconds")),
        ),
    ),
    Panel(
        "Peak memory, MiB",
        (
            Line("operator", peak),
            Line("scan, live", figure("scan", "live", "peakMib")),
            Line("JSON of the objects", figure("bare_list", "mib")),
        ),
    ),
)
