"""`evictions`: who goes first when a node runs short of memory, disk, inodes or processes."""

from typing import Annotated

import typer

from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.eviction_table import show
from clusteraudit.cli.reading import Reading, reads
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import NodeRow, PodRow
from clusteraudit.report.evictions import evictions as shaped
from clusteraudit.simulate.evictions import Signal
from clusteraudit.simulate.pressure import pressure


@reads
def evictions(
    reading: Reading,
    node: Annotated[str, typer.Argument(help="Node to ask about.", show_default=False)] = "",
    everywhere: Annotated[bool, typer.Option("--all", help="Ask about every node.")] = False,
    signal: Annotated[Signal, typer.Option(help="What the node runs short of.")] = Signal.MEMORY,
) -> Exit:
    """Say whom the kubelet would evict first, and why."""
    if bool(node) == everywhere:
        raise CommandError(Exit.USAGE, "name a node, or ask about every one with --all")
    cluster = reading.cluster
    names = _all(cluster) if everywhere else [_known(cluster, node)]
    answer = shaped((pressure(cluster, name, signal) for name in names), reading.inputs())
    reading.show(answer, show)
    return reading.code(answer)


def _all(cluster: Cluster) -> list[str]:
    return [row.name for row in cluster.all(NodeRow, "Node")]


def _known(cluster: Cluster, node: str) -> str:
    """The node itself, if it is there or holds pods; raises CommandError."""
    held = cluster.bucket(PodRow, "pods_on", node)
    if cluster.find(NodeRow, "Node", "", node) is None and not held:
        others = ", ".join(_all(cluster)[:3])
        hint = f"there are {others}, ..." if others else "no node was read"
        raise CommandError(Exit.USAGE, f"there is no node {node!r}: {hint}")
    return node
