"""`rules` and `crd`: what the product says of itself."""

from typing import Annotated

import typer
import yaml

from clusteraudit.audit.system import SYSTEM_NAMESPACES
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.output import console
from clusteraudit.report.crd import crd as definition
from clusteraudit.report.pages import CONCEPTS, hygiene, page
from clusteraudit.rules.catalogue import catalogue


def rules(
    code: Annotated[str, typer.Argument(help="Code or name of a rule.", show_default=False)] = "",
) -> None:
    """List the rules, or print the page of one."""
    if not code:
        for rule in catalogue():
            typer.echo(
                f"{rule.code}  {rule.severity:<8}  {rule.loop:<12}  {rule.name:<24}  {rule.title}"
            )
        typer.echo(_hygiene(), err=True)
        typer.echo(
            f"`cluster-audit rules CODE` prints the page of one; {CONCEPTS} says what layers, "
            "loops, outcomes and chains are.",
            err=True,
        )
        return
    rule_found = catalogue().get(code)
    if rule_found is None:
        message = f"there is no rule {code!r}: `cluster-audit rules` lists them"
        raise CommandError(Exit.USAGE, message)
    _show(page(rule_found))


def _show(markdown: str) -> None:
    from rich.markdown import Markdown

    console().print(Markdown(markdown))


def _hygiene() -> str:
    return (
        f"Rules of hygiene ({hygiene(catalogue())}) are silent in system namespaces: "
        f"{', '.join(SYSTEM_NAMESPACES)}. `spec.systemNamespaces: []` asks them there, too."
    )


def crd() -> None:
    """Print the CustomResourceDefinition: `kubectl apply --server-side --force-conflicts -f -`."""
    typer.echo(
        yaml.dump(definition(), Dumper=yaml.CSafeDumper, sort_keys=False, width=100), nl=False
    )
