"""`capacity`: what is free, and how much of it is of use."""

from typing import Annotated

import typer

from clusteraudit.cli.capacity_table import show
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.progress import Progress
from clusteraudit.cli.reading import Reading, reads
from clusteraudit.model.cluster import Cluster
from clusteraudit.report.capacity import capacity as shaped
from clusteraudit.simulate.answer import Answer
from clusteraudit.simulate.pools import By
from clusteraudit.simulate.templates import Basis
from clusteraudit.simulate.workload import Workload, covering, of_changes, workload
from clusteraudit.sources.files import UnreadableError, gather

_OWN: dict[str, Basis] = {"owned": "owned", "all": "all"}


@reads
def capacity(
    reading: Reading,
    by: Annotated[By, typer.Option(help="Groups of nodes to tell apart.")] = "pool",
    of: Annotated[
        str,
        typer.Option(
            "--workload",
            help="What room is measured by: pods with a controller (owned), bare ones too (all), "
            "or those of a file or folder of manifests.",
        ),
    ] = "owned",
    coverage: Annotated[
        float,
        typer.Option(help="Measure by the most frequent shapes of this share of pods."),
    ] = 1.0,
) -> Exit:
    """Say what is free, and how much of it is of use."""
    if not 0 < coverage <= 1:
        raise CommandError(Exit.USAGE, f"--coverage {coverage:g} is not over 0 and up to 1")
    cluster = reading.cluster
    cluster.recorder.begin("capacity")  # from here on what is derived is made once
    whole = covering(_workload(cluster, of, quiet=reading.quiet), coverage)
    answer = Answer(cluster, whole, by)
    report = shaped(answer, reading.inputs(), given=of not in _OWN)
    reading.show(report, show)
    return reading.code(report)


def _workload(cluster: Cluster, of: str, *, quiet: bool) -> Workload:
    if of in _OWN:
        return workload(cluster, _OWN[of])
    progress = Progress(quiet=quiet)
    try:
        gathering = gather([of], progress)
    except UnreadableError as error:
        message = f"--workload is owned, all, or manifests to read: {error}"
        raise CommandError(Exit.USAGE, message) from None
    finally:
        progress.done()
    found = of_changes(gathering.rows())
    if not found:
        raise CommandError(Exit.USAGE, f"--workload {of}: no pods, nor workloads that make any")
    return found
