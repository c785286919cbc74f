"""`scan`: the whole audit, once, of a live cluster or of files."""

from typing import Annotated

import typer

from clusteraudit.audit.audit import Audit
from clusteraudit.audit.system import SYSTEM_NAMESPACES
from clusteraudit.cli import select
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.reading import Reading, reads
from clusteraudit.cli.table import show
from clusteraudit.report.scan import scan as shaped
from clusteraudit.report.shapes import ScanShape
from clusteraudit.rules.kit import Severity


@reads
def scan(
    reading: Reading,
    rules: Annotated[
        list[str], typer.Option(help="Codes, names or loops to ask.", show_default=False)
    ] = [],
    skip: Annotated[
        list[str], typer.Option(help="Codes, names or loops not to ask.", show_default=False)
    ] = [],
    min_severity: Annotated[
        Severity, typer.Option(help="Findings below it are not shown.")
    ] = Severity.INFO,
    fail_on: Annotated[
        str,
        typer.Option(help="Exit with 1 if a finding is at or over this severity."),
    ] = "never",
    namespace: Annotated[
        list[str],
        typer.Option("-n", "--namespace", help="Show findings of these only.", show_default=False),
    ] = [],
    settings: Annotated[
        str | None, typer.Option(help="File with spec.rules of a report.", show_default=False)
    ] = None,
) -> Exit:
    """Audit a live cluster, or files, and say what is wrong and what the cause is."""
    limit = _limit(fail_on)
    tuned, spec = select.rules(rules, skip, settings)
    named = spec.system_namespaces
    system = SYSTEM_NAMESPACES if named is None else tuple(named)
    material = reading.material
    audit = Audit(tuned.catalogue, reading.at, settings=tuned.settings, system=system)
    result = audit.step(material.changes, evidence=material.evidence, now=reading.at)
    shown = select.shown(min_severity, select.words(namespace))
    report = shaped(result, tuned.catalogue, origin=material.origin, shown=shown)
    reading.show(report, show)
    return reading.code(report) or _over(report, limit)


def _limit(text: str) -> Severity | None:
    if text == "never":
        return None
    if text not in list(Severity):
        names = ", ".join(one.value for one in Severity)
        raise CommandError(Exit.USAGE, f"--fail-on {text!r} is none of never, {names}")
    return Severity(text)


def _over(report: ScanShape, limit: Severity | None) -> Exit:
    """Whether a finding is at or over the limit."""
    if limit is None:
        return Exit.DONE
    over = any(Severity(one.severity).rank <= limit.rank for one in report.findings)
    return Exit.FINDINGS if over else Exit.DONE
