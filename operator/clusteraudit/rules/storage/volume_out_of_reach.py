"""A pod waits because no node that may run it can reach its volume.

## What it looks at
Pods without a node, their bound claims, and the node affinity and zone labels of the volumes. The
nodes that pass the pod's selectors, affinity and tolerations, and those that reach all of its
volumes, have none in common; without the volume there would be some.

## Why it matters
A zonal disk does not move. The pod stays Pending, however much room there is in other zones, and a
StatefulSet waits behind it.

## What to do
Bring a schedulable node into the volume's zone (uncordon one, or scale that zone's pool up), or
restore a snapshot of the volume in a zone that has nodes. A StorageClass that binds with
WaitForFirstConsumer would have chosen the zone after the node.

## When it stays silent
While the claim is not bound, and while any node could run the pod with its volume, full as it may
be: that is a question of room. Volumes without affinity and zone labels reach every node.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.kinds import ref
from clusteraudit.model.rows import PodRow, VolumeRow
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    broken,
    count,
    found,
    rule,
    some,
    sound,
)
from clusteraudit.simulate.filters.kit import constraints_of
from clusteraudit.simulate.fit import eligible, volume_nodes, volumes_of


def _pinned(*nodes: build.Manifest) -> tuple[build.Manifest, ...]:
    owner = build.owned_by("StatefulSet", "db")
    return (
        *nodes,
        build.stateful_set("db", claim="data"),
        build.pod("db-0", app="db", owner=owner, unschedulable=600, claim="data"),
        build.claim("data", "disk-1"),
        build.volume("disk-1", "zone-b", "data"),
    )


@rule(
    code="STO101",
    title="No node that may run the pod reaches its volume",
    subject="Workload",
    layer=Layer.STORAGE,
    failure=Failure.STATE,
    severity=Severity.CRITICAL,
    reads=("Pod", "PersistentVolumeClaim", "PersistentVolume", "Node"),
    complete=("Node",),
    uses=("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    leads_to=("pod-pending",),
    message="{subject}: {who} cannot start: {volumes} can only be used {where}, "
    "and {able} elsewhere.",
    remedy="Have a schedulable node {where}, or restore a snapshot of {volumes} "
    "where there are nodes.",
    since="0.1",
    examples=(
        broken(
            "the disk is in zone-b, the only node in zone-a",
            _pinned(build.node("node-a", zone="zone-a")),
            mend=build.node("node-b", zone="zone-b"),
        ),
        sound(
            "a node of the disk's zone is there",
            _pinned(build.node("node-a", zone="zone-a"), build.node("node-b", zone="zone-b")),
        ),
    ),
)
def volume_out_of_reach(workload: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    stuck = [
        (pod, volumes)
        for pod in cluster.pods_of(workload)
        if pod.unplaced
        and (volumes := volumes_of(cluster, pod))
        and _unreached(cluster, pod, volumes)
    ]
    if not stuck:
        return
    first, volumes = stuck[0]
    names = tuple(pod.name for pod, _ in stuck)
    able = eligible(cluster, constraints_of(first.template))
    claims = [ref("PersistentVolumeClaim", first.namespace, name) for name in first.claims]
    yield found(
        workload,
        refs=[*(ref("PersistentVolume", "", name) for name in volumes), *claims],
        pods=len(names),
        names=names[:5],
        volumes=volumes,
        eligibleNodes=len(able),
        words={
            "who": f"{count(len(names), 'pod')} ({some(names)})",
            "volumes": f"volume {some(volumes)}",
            "where": _where(cluster, volumes[0]),
            "able": _able(len(able)),
        },
    )


def _able(nodes: int) -> str:
    one = nodes == 1
    return "the only node that could run it is" if one else f"all {nodes} that could run it are"


def _unreached(cluster: Cluster, pod: PodRow, volumes: tuple[str, ...]) -> bool:
    able = eligible(cluster, constraints_of(pod.template))
    reached = able
    for volume in volumes:
        nodes = volume_nodes(cluster, volume)
        reached = reached if nodes is None else reached & nodes
    return bool(able) and not reached


def _where(cluster: Cluster, volume: str) -> str:
    """The place that a volume is bound to, as its affinity or its labels name it."""
    row = cluster.find(VolumeRow, "PersistentVolume", "", volume)
    if row is None:
        return "elsewhere"
    labelled = [value for key, values in row.zones if key.endswith("/zone") for value in values]
    terms = row.affinity.terms if row.affinity else ()
    wanted = [one for term in terms for one in term.expressions if one.operator == "In"]
    zones = labelled or [v for one in wanted if one.key.endswith("/zone") for v in one.values]
    if zones:
        return f"in {some(sorted(set(zones)))}"
    return "on nodes with " + (some([str(one) for one in wanted]) or "its affinity")
