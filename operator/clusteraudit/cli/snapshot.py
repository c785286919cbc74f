"""`snapshot`: what `scan` would read from the live cluster, as a file that can be passed on."""

import gzip
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from clusteraudit.cli import options
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.progress import Progress
from clusteraudit.sources.snapshot import lines


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
    from clusteraudit.cli.live import gathered

    if output != "-" and not output.endswith((".jsonl", ".jsonl.gz")):
        raise CommandError(Exit.USAGE, f"{output}: the name must end in .jsonl or .jsonl.gz")
    progress = Progress(quiet=quiet)
    try:
        gathering = gathered(kubeconfig, context, as_user, timeout, progress)
    finally:
        progress.done()
    text = b"".join(line + b"\n" for line in lines(gathering))
    if output == "-":
        sys.stdout.buffer.write(text)
    else:
        _write(Path(output), gzip.compress(text, mtime=0) if output.endswith(".gz") else text)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a snapshot cut short would hide objects."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CommandError(Exit.USAGE, f"{path} cannot be written: {error.strerror}") from None
