"""Budgets, and figures of a run beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scale.kept import hour_of
from scale.sizes import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Figures = dict[str, Any]
_LONG = 600
Value = float | None


@dataclass(frozen=True)
class Budget:
    """What must not be exceeded; `most` follows the run."""

    what: str
    unit: str
    value: Callable[[Figures], Value]
    most: Callable[[Figures], Value] = lambda _: None


def figure(*path: str) -> Callable[[Figures], Value]:
    """A number of a run, by its path."""

    def find(figures: Figures) -> Value:
        found: Any = figures
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, int | float) else None

    return find


def _fixed(most: float) -> Callable[[Figures], Value]:
    return lambda _: most


def _memory(figures: Figures) -> Value:
    """512 MiB at full size, 160 MiB up to 10,000 pods; between them along the line."""
    pods = figures["cluster"]["pods"]
    share = max(0.0, (pods - 10_000) / (FULL - 10_000))
    return float(round(160 + (512 - 160) * share))


def _of_commands(most: float, small: float) -> Callable[[Figures], Value]:
    def find(figures: Figures) -> Value:
        share = max(0.0, (figures["cluster"]["pods"] - 10_000) / (FULL - 10_000))
        return float(round(small + (most - small) * share))

    return find


def peak(figures: Figures) -> Value:
    """The most that the operator held from its start to the end of the run."""
    parts = (figures.get(name, {}).get("peakMib") for name in ("start", "churn", "restart"))
    return max((one for one in parts if one is not None), default=None)


def _stalled(by: str) -> Callable[[Figures], Value]:
    """The longest in milliseconds, by the clock or by what was spent in it."""

    def find(figures: Figures) -> Value:
        steps = (figures.get(name, {}).get("stall") for name in ("start", "churn", "restart"))
        spent: list[float] = [1000 * one[by] for one in steps if one and by in one]
        return max(spent, default=None)

    return find


def _percent(*path: str) -> Callable[[Figures], Value]:
    def find(figures: Figures) -> Value:
        share = figure(*path)(figures)
        return None if share is None else 100 * share

    return find


def _beside_list(*path: str) -> Callable[[Figures], Value]:
    """Seconds, as a multiple of the bare list."""

    def find(figures: Figures) -> Value:
        took, bare = figure(*path)(figures), figure("bare_list", "seconds")(figures)
        return took / bare if took is not None and bare else None

    return find


def _requests_per_minute(figures: Figures) -> Value:
    idle = figures.get("idle")
    return 60 * sum(idle["requests"].values()) / idle["seconds"] if idle else None


def _per_hour(figures: Figures) -> Value:
    """Of a long window alone: ten minutes may have one write, a minute none."""
    idle = figures.get("idle")
    if not idle or (idle["seconds"] < _LONG and idle["statusWrites"]):
        return None
    return float(3600 * idle["statusWrites"] / idle["seconds"])


def _slope(figures: Figures) -> Value:
    hour = hour_of(figures)
    return hour["slopeMibPerHour"] if hour else None


def _slope_error(figures: Figures) -> Value:
    hour = hour_of(figures)
    return hour.get("slopeErrorMibPerHour") if hour else None


def _missing(figures: Figures) -> Value:
    restart = figures.get("restart")
    return abs(restart["podsThere"] - restart["podsKnown"]) if restart else None


def _growth(figures: Figures) -> Value:
    restart = figures.get("restart")
    return restart["rssMibAfter"] - restart["rssMibBefore"] if restart else None


def _differs(figures: Figures) -> Value:
    differs = figures.get("scan", {}).get("differs")
    return None if differs is None else len(differs)


BUDGETS: tuple[Budget, ...] = (
    Budget("bare list of the same objects", "s", figure("bare_list", "seconds")),
    Budget(
        "start to first report, beyond that", "s", figure("start", "beyondBareList"), _fixed(30)
    ),
    Budget("peak memory of the operator", "MiB", peak, _memory),
    Budget("stall of the event loop, by the clock", "ms", _stalled("wall"), _fixed(100)),
    Budget(
        "stall of the event loop, without waiting for a core",
        "ms",
        _stalled("process"),
        _fixed(100),
    ),
    Budget("stall of the event loop, its own CPU", "ms", _stalled("cpu"), _fixed(100)),
    Budget("CPU when nothing changes", "% of a core", _percent("idle", "cpuShare")),
    Budget("requests when nothing changes", "a minute", _requests_per_minute),
    Budget("status writes when nothing changes", "an hour", _per_hour, _fixed(6)),
    Budget("changes", "a second", figure("churn", "changesPerSecond")),
    Budget("CPU at that", "% of a core", _percent("churn", "cpuShare"), _fixed(10)),
    Budget("change to metric, median", "s", figure("latency", "p50")),
    Budget("change to metric, p99", "s", figure("latency", "p99"), _fixed(3)),
    Budget(
        "status writes at that", "a minute", figure("churn", "statusWritesPerMinute"), _fixed(2)
    ),
    Budget("status", "KiB", figure("churn", "statusKib"), _fixed(200)),
    Budget("series in /metrics", "", figure("start", "series"), _fixed(1000)),
    Budget("slope of memory over an hour of churn", "MiB an hour", _slope, _fixed(0)),
    Budget("its standard error", "MiB an hour", _slope_error),
    Budget("pods replaced", "a second", figure("restart", "podsPerSecond")),
    Budget("CPU at that", "% of a core", _percent("restart", "cpuShare")),
    Budget("memory after a restart of all pods, more than before", "MiB", _growth, _fixed(0)),
    Budget("pods known wrongly after it", "", _missing, _fixed(0)),
    Budget(
        "scan, live, times the bare list", "", _beside_list("scan", "live", "seconds"), _fixed(2)
    ),
    Budget("scan, live, peak", "MiB", figure("scan", "live", "peakMib"), _of_commands(512, 160)),
    Budget("scan -f of a snapshot", "s", figure("scan", "file.jsonl", "seconds"), _fixed(30)),
    Budget(
        "scan -f of a snapshot, peak",
        "MiB",
        figure("scan", "file.jsonl", "peakMib"),
        _of_commands(700, 240),
    ),
    Budget("scan -f of a .gz", "s", figure("scan", "file.jsonl.gz", "seconds"), _fixed(30)),
    Budget(
        "scan -f of a .gz, peak",
        "MiB",
        figure("scan", "file.jsonl.gz", "peakMib"),
        _of_commands(700, 240),
    ),
    Budget("rules that scan and operator tell differently", "", _differs, _fixed(0)),
)


def table(runs: list[Figures]) -> str:
    """Runs side by side, each figure with its budget where it has one; `!` where it is over."""
    head = ["", *(f"{run['cluster']['pods']:,} pods" for run in runs), "unit"]
    rows = [[one.what, *_cells(one, runs), one.unit] for one in BUDGETS]
    lines = [head, ["---", *["---:"] * len(runs), "---"], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cells(budget: Budget, runs: list[Figures]) -> Iterator[str]:
    for run in runs:
        value, most = budget.value(run), budget.most(run)
        if value is None:
            yield "-"
        elif most is None:
            yield _short(value)
        else:
            yield f"{_short(value)} of {_short(most)}" + (" !" if value > most else "")


def over(run: Figures) -> list[str]:
    """What exceeds its budget."""
    found = ((one, one.value(run), one.most(run)) for one in BUDGETS)
    return [
        one.what
        for one, value, most in found
        if value is not None and most is not None and value > most
    ]


def _short(value: float) -> str:
    return (
        f"{value:,.0f}"
        if abs(value) >= 100 or value == int(value)
        else f"{value:.2g}"
        if abs(value) < 1
        else f"{value:.1f}"
    )
