"""The command `cluster-audit`: its commands, and how each of them may end."""

import gc
import os
import sys
import traceback
from importlib import metadata
from typing import Annotated

import typer

from clusteraudit.cli.capacity import capacity
from clusteraudit.cli.drill import drill
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.evictions import evictions
from clusteraudit.cli.explain import explain
from clusteraudit.cli.run import run
from clusteraudit.cli.scan import scan
from clusteraudit.cli.show import crd, rules
from clusteraudit.cli.snapshot import snapshot
from clusteraudit.model.printable import sentence

_INTERRUPTED = 130  # as shells count it: 128 and the number of SIGINT

app = typer.Typer(
    name="cluster-audit",
    help="Asks of a Kubernetes cluster what its next incident is, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(scan)
app.command()(evictions)
app.command()(capacity)
app.command()(drill)
app.command()(explain)
app.command()(snapshot)
app.command()(rules)
app.command()(crd)
app.command()(run)


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the trace of what goes wrong.")
    ] = False,
) -> None:
    """Asks of a Kubernetes cluster what its next incident is, and why."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(metadata.version("cluster-audit"))


def collect_rarely() -> None:
    """Look for cycles less often: the model and what is noted of its readers hold none.

    With the interpreter's defaults a quarter of a full audit's time goes by looking through them. A
    look at 5,000 new objects takes 5 to 15 ms, for which all threads wait; at what was kept of a
    whole cluster since, a tenth of a second and more.
    """
    gc.set_threshold(5_000, 100_000, 100)


def main() -> None:
    """Run a command; whatever goes wrong is told in a line or two, with a documented code."""
    collect_rarely()
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has left; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.DONE
    except CommandError as error:
        code = _fail(str(error), error.code)
    except typer.TyperException as error:  # an option or a command that there is not
        code = _fail(
            f"{error.format_message().rstrip('.')}; `--help` lists what there is", Exit.USAGE
        )
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted", Exit.USAGE)
        sys.exit(_INTERRUPTED)
    except Exception as error:  # a fault of ours, told without a trace
        code = _fail(_unexpected(error), Exit.USAGE)
    sys.exit(int(code or 0))


def _fail(message: str, code: Exit) -> Exit:
    if "--debug" in sys.argv:
        traceback.print_exc()
    typer.echo("\n".join(map(sentence, f"Error: {message}".split("\n"))), err=True)
    return code


def _unexpected(error: Exception) -> str:
    return (
        f"{type(error).__name__}: {error}\nThis is a fault of cluster-audit: "
        "`cluster-audit --debug ...` shows where; please report it."
    )
