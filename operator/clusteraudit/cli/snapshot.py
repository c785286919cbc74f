"""`snapshot`: what `scan` would read from the live cluster, as a file that can be passed on."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from clusteraudit.cli import options
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.progress import Progress
from clusteraudit.sources.snapshot import Snapshot


def snapshot(
    output: Annotated[
        str, typer.Option("-o", "--output", help="File (.jsonl, .jsonl.gz), or - for stdout.")
    ] = "-",
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    as_user: options.As = None,
    timeout: options.Timeout = 30,
    quiet: options.Quiet = False,
) -> None:
    """Write what scan would read: no env values, arguments, Secrets, ConfigMaps or annotations."""
    from clusteraudit.cli.live import credentials, read

    if output != "-" and not output.endswith((".jsonl", ".jsonl.gz")):
        raise CommandError(Exit.USAGE, f"{output}: the name must end in .jsonl or .jsonl.gz")
    with Snapshot(compressed=output.endswith(".gz")) as taken:
        progress = Progress(quiet=quiet)
        try:
            read(credentials(kubeconfig, context, as_user), timeout, taken, progress)
        finally:
            progress.done()
        if output == "-":
            taken.write(sys.stdout.buffer)
        else:
            _write(Path(output), taken)


def _write(path: Path, taken: Snapshot) -> None:
    """Whole or not at all: a snapshot cut short would hide objects."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            taken.write(file)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CommandError(Exit.USAGE, f"{path} cannot be written: {error.strerror}") from None
