"""What every command that reads a cluster has in common: its options, its input, its answer."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Annotated, Concatenate, ParamSpec, Protocol, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console

from clusteraudit.cli import options, select
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.inputs import Material, from_cluster, from_files, moment
from clusteraudit.cli.output import Format, console, machine, plain
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import Store
from clusteraudit.report.inputs import inputs
from clusteraudit.report.shapes import Inputs

A = TypeVar("A", bound=BaseModel)
P = ParamSpec("P")


class Answer(Protocol):
    """A shape that says what it rests on, as every command's does."""

    @property
    def inputs(self) -> Inputs:
        """What the answer rests on."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The options that say what is read and how the answer is shown, and what they lead to."""

    filename: options.Files
    complete: Annotated[
        bool, typer.Option("--complete", help="The input holds every object that exists.")
    ]
    complete_kinds: Annotated[
        list[str],
        typer.Option(help="Kinds of which the input holds every object.", show_default=False),
    ]
    output: Annotated[Format, typer.Option("-o", "--output", help="Format.")]
    now: options.Now
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Exit with 4 if evidence is partial.")
    ]
    kubeconfig: options.Kubeconfig
    context: options.Context
    as_user: options.As
    timeout: options.Timeout
    quiet: options.Quiet
    verbose: options.Verbose

    @cached_property
    def material(self) -> Material:
        """Rows and evidence, of the files or of the live cluster; raises CommandError."""
        complete = _complete(self.complete, self.complete_kinds)
        moment(self.now)  # what is wrong with the options is said before anything is read
        if self.filename:
            found = from_files(self.filename, complete, quiet=self.quiet)
        else:
            found = from_cluster(
                self.kubeconfig, self.context, self.as_user, self.timeout, quiet=self.quiet
            )
        if self.verbose:
            _tell(found)
        return found

    @cached_property
    def at(self) -> int:
        """The moment at which is asked."""
        named = moment(self.now)
        return self.material.now if named is None else named

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster that was read."""
        store = Store()
        store.apply(self.material.changes)
        store.learn(self.material.evidence)
        return Cluster(store, self.at)

    def inputs(self) -> Inputs:
        """What an answer about the cluster rests on."""
        counts = self.material.counts
        return inputs(
            ((kind, counts[kind]) for kind in KINDS if counts[kind]),
            sorted(self.material.evidence.items()),
            self.material.origin,
        )

    def show(self, answer: A, table: Callable[[A, Console], None]) -> None:
        """The answer on stdout, in the format that is asked for."""
        if self.output is Format.TABLE:
            table(plain(answer), console())
        else:
            typer.echo(machine(answer, self.output))

    def code(self, answer: Answer) -> Exit:
        """How the command ends, as far as its evidence decides."""
        partial = answer.inputs.partial or answer.inputs.unread
        return Exit.PARTIAL if self.require_complete and partial else Exit.DONE


_DEFAULTS: dict[str, object] = {
    "filename": [],
    "complete": False,
    "complete_kinds": [],
    "output": Format.TABLE,
    "now": None,
    "require_complete": False,
    "kubeconfig": None,
    "context": None,
    "as_user": None,
    "timeout": 30,
    "quiet": False,
    "verbose": False,
}


def reads(command: Callable[Concatenate[Reading, P], Exit]) -> Callable[..., Exit]:
    """Give a command the options of `Reading`, after its own; it takes the reading first."""
    signature = inspect.signature(command)
    _, *own = signature.parameters.values()
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_DEFAULTS[name],
            annotation=annotation,
        )
        for name, annotation in Reading.__annotations__.items()
    ]

    @wraps(command)
    def asked(*args: P.args, **kwargs: P.kwargs) -> Exit:
        given = {name: kwargs.pop(name, default) for name, default in _DEFAULTS.items()}
        return command(Reading(**given), *args, **kwargs)  # type: ignore[arg-type]  # typer checks

    everything = [*own, *shared]
    asked.__dict__["__signature__"] = signature.replace(parameters=everything)
    asked.__annotations__ = {one.name: one.annotation for one in everything}
    return asked


def _tell(material: Material) -> None:
    """What was read, on stderr: a line per kind."""
    for kind, evidence in sorted(material.evidence.items()):
        reason = f", {evidence.reason}" if evidence.reason else ""
        typer.echo(f"{kind}: {material.counts[kind]} ({evidence.state}{reason})", err=True)


def _complete(everything: bool, kinds: list[str]) -> tuple[str, ...]:
    named = select.words(kinds)
    strange = [kind for kind in named if kind not in KINDS]
    if strange:
        message = f"{strange[0]!r} is not an audited kind: they are {', '.join(sorted(KINDS))}"
        raise CommandError(Exit.USAGE, message)
    return tuple(KINDS) if everything else tuple(named)
