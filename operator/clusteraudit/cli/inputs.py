"""Where the material of an audit comes from: files, or the live cluster."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.progress import Progress
from clusteraudit.model.moments import epoch
from clusteraudit.model.printable import printable, sentence
from clusteraudit.model.store import Change, Evidence
from clusteraudit.report.inputs import Origin
from clusteraudit.report.shapes import SkippedObject
from clusteraudit.sources.files import UnreadableError, gather
from clusteraudit.sources.gather import Gathering


@dataclass(frozen=True)
class Material:
    """Rows, what is known of them, and when it was so."""

    changes: Iterator[Change]
    """Every object; they can be taken once, and are not held besides."""
    counts: Counter[str]
    """How many there are, by kind."""
    evidence: Mapping[str, Evidence]
    now: int
    origin: Origin


def moment(text: str | None) -> int | None:
    """The moment of --now; raises CommandError."""
    if text is None:
        return None
    try:
        return epoch(text)
    except (ValueError, OverflowError):
        message = f"--now {text!r} is not a time such as 2026-01-31T12:00:00Z"
        raise CommandError(Exit.USAGE, message) from None


def from_files(paths: list[str], complete: Iterable[str], *, quiet: bool) -> Material:
    """Material of files; raises CommandError if nothing can be read."""
    progress = Progress(quiet=quiet)
    try:
        gathering = gather(paths, progress)
    except UnreadableError as error:
        raise CommandError(Exit.USAGE, str(error)) from None
    finally:
        progress.done()
    return material(gathering, complete, printable(", ".join(paths)))


def material(gathering: Gathering, complete: Iterable[str], name: str) -> Material:
    """Material of what was gathered, from wherever."""
    header = gathering.header
    now = gathering.now()
    return Material(
        gathering.rows(),
        gathering.counts,
        gathering.evidence(complete),
        int(time.time()) if now is None else now,
        Origin(
            name=header.cluster if header else name,
            version=header.version if header else "",
            ignored=gathering.ignored,
            skipped=[
                SkippedObject(
                    source=printable(one.source),
                    object=sentence(one.object),
                    reason=one.reason,
                    message=sentence(one.message),
                )
                for one in gathering.skipped
            ],
            duplicates=gathering.duplicates,
        ),
    )


def from_cluster(
    kubeconfig: str | None, context: str | None, as_user: str | None, timeout: int, *, quiet: bool
) -> Material:
    """Material of the live cluster."""
    from clusteraudit.cli.live import gathered

    progress = Progress(quiet=quiet)
    try:
        gathering = gathered(kubeconfig, context, as_user, timeout, progress)
    finally:
        progress.done()
    return material(gathering, (), "")
