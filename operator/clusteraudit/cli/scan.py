"""`scan`: the whole audit, once, of a live cluster or of files."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import typer

from clusteraudit.audit.audit import Audit
from clusteraudit.audit.system import SYSTEM_NAMESPACES
from clusteraudit.cli import options, select
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.inputs import Material, from_cluster, from_files, moment
from clusteraudit.cli.output import Format, console, machine
from clusteraudit.cli.table import show
from clusteraudit.model.kinds import KINDS
from clusteraudit.report.scan import scan as shaped
from clusteraudit.report.shapes import ScanShape
from clusteraudit.rules.kit import Severity

FailOn = Annotated[
    str,
    typer.Option("--fail-on", help="Exit with 1 if a finding is at or over this severity."),
]


@dataclass(frozen=True)
class Wanted:
    """What of the answer is wanted, and when the command fails."""

    complete: tuple[str, ...]
    fail_on: str
    require_complete: bool


def scan(
    filename: options.Files = [],
    complete: Annotated[
        bool, typer.Option("--complete", help="The input holds every object that exists.")
    ] = False,
    complete_kinds: Annotated[
        list[str],
        typer.Option(help="Kinds of which the input holds every object.", show_default=False),
    ] = [],
    output: Annotated[Format, typer.Option("-o", "--output", help="Format.")] = Format.TABLE,
    now: options.Now = None,
    rules: Annotated[
        list[str], typer.Option(help="Codes, names or loops to ask.", show_default=False)
    ] = [],
    skip: Annotated[
        list[str], typer.Option(help="Codes, names or loops not to ask.", show_default=False)
    ] = [],
    min_severity: Annotated[
        Severity, typer.Option(help="Findings below it are not shown.")
    ] = Severity.INFO,
    fail_on: FailOn = "never",
    namespace: Annotated[
        list[str],
        typer.Option("-n", "--namespace", help="Show findings of these only.", show_default=False),
    ] = [],
    settings: Annotated[
        str | None, typer.Option(help="File with spec.rules of a report.", show_default=False)
    ] = None,
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Exit with 4 if evidence is partial.")
    ] = False,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    as_user: options.As = None,
    timeout: options.Timeout = 30,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Audit a live cluster, or files, and say what is wrong and what the cause is."""
    wanted = Wanted(_complete(complete, complete_kinds), _severity(fail_on), require_complete)
    tuned, spec = select.rules(rules, skip, settings)
    at = moment(now)
    if filename:
        material = from_files(filename, wanted.complete, quiet=quiet)
    else:
        material = from_cluster(kubeconfig, context, as_user, timeout, quiet=quiet)
    named = spec.system_namespaces
    system = SYSTEM_NAMESPACES if named is None else tuple(named)
    if verbose:
        _tell(material)
    start = at if at is not None else material.now
    audit = Audit(tuned.catalogue, start, settings=tuned.settings, system=system)
    result = audit.step(material.changes, evidence=material.evidence, now=start)
    shown = select.shown(min_severity, select.words(namespace))
    report = shaped(result, tuned.catalogue, origin=material.origin, shown=shown)
    _print(report, output)
    return _code(report, wanted)


def _tell(material: Material) -> None:
    """What was read, on stderr: a line per kind."""
    counts = Counter(change.kind for change in material.changes)
    for kind, evidence in sorted(material.evidence.items()):
        reason = f", {evidence.reason}" if evidence.reason else ""
        typer.echo(f"{kind}: {counts[kind]} ({evidence.state}{reason})", err=True)


def _complete(everything: bool, kinds: list[str]) -> tuple[str, ...]:
    named = select.words(kinds)
    strange = [kind for kind in named if kind not in KINDS]
    if strange:
        message = f"{strange[0]!r} is not an audited kind: they are {', '.join(sorted(KINDS))}"
        raise CommandError(Exit.USAGE, message)
    return tuple(KINDS) if everything else tuple(named)


def _severity(text: str) -> str:
    if text != "never" and text not in list(Severity):
        names = ", ".join(one.value for one in Severity)
        raise CommandError(Exit.USAGE, f"--fail-on {text!r} is none of never, {names}")
    return text


def _print(report: ScanShape, output: Format) -> None:
    if output is Format.TABLE:
        show(report, console())
    else:
        typer.echo(machine(report, output))


def _code(report: ScanShape, wanted: Wanted) -> Exit:
    if wanted.require_complete and (report.inputs.partial or report.inputs.unread):
        return Exit.PARTIAL
    if wanted.fail_on == "never":
        return Exit.DONE
    limit = Severity(wanted.fail_on).rank
    over = any(Severity(one.severity).rank <= limit for one in report.findings)
    return Exit.FINDINGS if over else Exit.DONE
