"""`explain`: why a pod is where it is, or nowhere."""

from typing import Annotated

import typer

from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.explained import show
from clusteraudit.cli.reading import Reading, reads
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import PodRow
from clusteraudit.report.explain import explain as explained


@reads
def explain(
    reading: Reading,
    pods: Annotated[
        list[str],
        typer.Argument(help="Pods, as NAMESPACE/NAME.", metavar="[NS/POD]...", show_default=False),
    ] = [],
    pending: Annotated[
        bool, typer.Option("--pending", help="Every pod that waits for a node.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Every pod that has not ended.")
    ] = False,
) -> Exit:
    """Explain why a pod is where it is, or nowhere, and what would change that."""
    if [bool(pods), pending, everything].count(True) != 1:
        message = "name pods as NAMESPACE/NAME, or use one of --pending and --all"
        raise CommandError(Exit.USAGE, message)
    cluster = reading.cluster
    chosen = _named(cluster, pods) if pods else _every(cluster, pending=pending)
    shape = explained(cluster, chosen, reading.inputs())
    reading.show(shape, show)
    return reading.code(shape)


def _named(cluster: Cluster, names: list[str]) -> list[PodRow]:
    return [_pod(cluster, *_key(name)) for name in dict.fromkeys(names)]


def _key(name: str) -> tuple[str, str]:
    namespace, slash, pod = name.partition("/")
    if not slash or not namespace or not pod or "/" in pod:
        raise CommandError(Exit.USAGE, f"{name!r} is not a pod as NAMESPACE/NAME")
    return namespace, pod


def _pod(cluster: Cluster, namespace: str, name: str) -> PodRow:
    row = cluster.find(PodRow, "Pod", namespace, name)
    if row is None:
        message = f"there is no pod {namespace}/{name} in the input: --all lists those that are"
        raise CommandError(Exit.USAGE, message)
    return row


def _every(cluster: Cluster, *, pending: bool) -> list[PodRow]:
    rows = cluster.all(PodRow, "Pod")
    return [row for row in rows if row.active and not (pending and (row.node or row.terminating))]
