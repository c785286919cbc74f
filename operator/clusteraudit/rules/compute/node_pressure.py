"""A node is short of memory, disk or processes.

## What it looks at
The conditions MemoryPressure, DiskPressure and PIDPressure, as the kubelet reports them.

## Why it matters
The kubelet evicts pods until it has enough again, without asking a budget. No new pod is placed
there meanwhile; those that come in their place can drive the next node into the same.

## What to do
Memory: move load off, and give pods requests of what they use. Disk: see what fills it, images,
logs or emptyDir. Processes: find who starts them.

## When it stays silent
Where the conditions are False. A shortage between two of the kubelet's looks, ten seconds apart,
can pass unseen; and the condition stays for five minutes after the last one
(`evictionPressureTransitionPeriod`), so that it may be over already.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.rows import NodeRow
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    broken,
    found,
    rule,
    sound,
)

_MEND = {
    "MemoryPressure": "move load off it, and give its pods requests of what they use",
    "DiskPressure": "see what fills its disk: images, logs, or emptyDir volumes without sizeLimit",
    "PIDPressure": "find the pods that start so many processes",
}


@rule(
    code="CMP205",
    title="A node is under pressure",
    subject="Node",
    layer=Layer.NODE_CAPACITY,
    failure=Failure.SCHEDULING,
    severity=Severity.CRITICAL,
    reads=("Node",),
    message="{subject}: the kubelet reports {pressures}{since}: it evicts pods, and none is placed "
    "there, until five minutes after the shortage ends.",
    remedy="On {node} {mend}.",
    since="0.1",
    examples=(
        broken(
            "memory has been short for ten minutes",
            build.node("node-a", pressure=("MemoryPressure",)),
            mend=build.node("node-a"),
        ),
        sound("no pressure", build.node("node-a")),
    ),
)
def node_pressure(node: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    row = cluster.get(NodeRow, node)
    if row is None or not row.pressure:
        return
    names = tuple(name for name, _ in row.pressure)
    known = [since for _, since in row.pressure if since is not None]
    since = rfc3339(min(known)) if known else ""
    yield found(
        node,
        pressures=names,
        since=since,
        words={
            "pressures": " and ".join(names),
            "since": f" since {since}" if since else "",
            "node": node.name,
            "mend": "; ".join(_MEND[name] for name in names),
        },
    )
