"""The table of `scan`: worst first, causes with their effects below, totals, what is not known."""

from collections.abc import Iterator, Mapping

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from clusteraudit.cli import output
from clusteraudit.report.shapes import FindingShape, RuleShape, ScanShape

_STYLES = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "info": "dim",
}
_INDENT = 4


def show(report: ScanShape, console: Console) -> None:
    """Print a scan as people read it."""
    output.show(console, _parts(report))


def _parts(report: ScanShape) -> Iterator[RenderableType]:
    for depth, finding in _tree(report):
        yield from _finding(finding, depth)
    yield Text(_totals(report), style="bold")
    yield from map(Text, (*_more(report), *_untold(report)))


def _tree(report: ScanShape) -> Iterator[tuple[int, FindingShape]]:
    """Findings in order, each once: effects under their cause."""
    by = {finding.fingerprint: finding for finding in report.findings}
    told: set[str] = set()
    for finding in report.findings:
        if not any(cause in by for cause in finding.caused_by):
            yield from _below(finding, 0, by, told)
    for finding in report.findings:  # circles have no root
        yield from _below(finding, 0, by, told)


def _below(
    finding: FindingShape, depth: int, by: Mapping[str, FindingShape], told: set[str]
) -> Iterator[tuple[int, FindingShape]]:
    if finding.fingerprint in told:
        return
    told.add(finding.fingerprint)
    yield depth, finding
    for effect in finding.effects:
        if effect in by:
            yield from _below(by[effect], depth + 1, by, told)


def _finding(finding: FindingShape, depth: int) -> Iterator[RenderableType]:
    head = Text()
    if depth:
        head.append("└ causes ", style="dim")
    head.append(f" {finding.severity.upper()} ", style=_STYLES[finding.severity])
    head.append(f" {finding.rule} {finding.name}", style="bold")
    yield Padding(head, (0, 0, 0, depth * _INDENT), expand=False)
    body = Text(f"{finding.message}\n").append(f"→ {finding.remedy}", style="green")
    yield Padding(body, (0, 0, 0, depth * _INDENT + 2), expand=False)
    yield ""


def _totals(report: ScanShape) -> str:
    numbers = (f"{number} {name}" for name, number in report.summary.by_severity.items() if number)
    cluster = report.cluster
    audited = f"{cluster.nodes} nodes, {cluster.pods} pods, at {cluster.taken_at}"
    return f"{', '.join(numbers) or 'nothing found'}; score {report.score} of 100 ({audited})"


def _more(report: ScanShape) -> Iterator[str]:
    """Where what was found is explained."""
    if report.findings:
        code = report.findings[0].rule
        yield f"`cluster-audit rules {code}` says why {code} matters and what to do; so for each."


def _untold(report: ScanShape) -> Iterator[str]:
    unsure = [rule for rule in report.rules if rule.unknown or rule.outcome == "unknown"]
    if unsure:
        yield "Could not tell:"
    for rule in unsure:
        yield f"  {rule.rule} {rule.name}: {_reasons(rule)}"
    for rule in report.rules:
        if rule.error:
            yield f"  {rule.rule} {rule.name} failed: {_reasons(rule)}"
    if report.inputs.skipped:
        yield f"Skipped {len(report.inputs.skipped)}:"
    for one in report.inputs.skipped:
        yield f"  {' '.join(part for part in (one.source, one.object) if part)}: {one.message}"
    if report.inputs.partial:
        yield "If the input holds every object that exists, --complete lets more be told."


def _reasons(rule: RuleShape) -> str:
    many = f" (for {rule.unknown} of {rule.subjects})" if rule.outcome == "found" else ""
    return f"{', '.join(rule.reasons)}{many}"
