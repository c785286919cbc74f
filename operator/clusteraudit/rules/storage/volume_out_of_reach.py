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
be: that is a question of room. Volumes without affinity and zone labels reach every node; volumes
that have no place in common are another fault.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.kinds import ref
from clusteraudit.model.places import zone_ref
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
from clusteraudit.simulate.fit import eligible, volumes_of
from clusteraudit.simulate.zones import disjoint, nodes_in_reach, reach_of


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
        (pod, stray)
        for pod in cluster.workload_pods(workload).waiting
        if (stray := _out_of_reach(cluster, pod))
    ]
    if not stuck:
        return
    first, volumes = stuck[0]
    names = tuple(pod.name for pod, _ in stuck)
    able = eligible(cluster, constraints_of(first.template))
    claims = [ref("PersistentVolumeClaim", first.namespace, name) for name in first.claims]
    spoken = f"volume {some([one.name for one in volumes])}"
    yield found(
        workload,
        refs=[*_causes(volumes), *(ref("PersistentVolume", "", o.name) for o in volumes), *claims],
        pods=len(names),
        names=names[:5],
        volumes=tuple(one.name for one in volumes),
        eligibleNodes=len(able),
        words={
            "who": f"{count(len(names), 'pod')} ({some(names)})",
            "volumes": spoken,
            "where": _where(volumes[0]),
            "able": _able(len(able)),
        },
    )


def _able(nodes: int) -> str:
    one = nodes == 1
    return "the only node that could run it is" if one else f"all {nodes} that could run it are"


def _out_of_reach(cluster: Cluster, pod: PodRow) -> list[VolumeRow]:
    """Volumes that no node reaches that may run the pod, or all, if none reaches all of them."""
    rows = (cluster.find(VolumeRow, "PersistentVolume", "", v) for v in volumes_of(cluster, pod))
    volumes = [one for one in rows if one]
    able = eligible(cluster, constraints_of(pod.template))
    reached = {one.name: able & nodes_in_reach(cluster, reach_of(one)) for one in volumes}
    if not able or able.intersection(*reached.values()) or disjoint(cluster, volumes):
        return []
    return [one for one in volumes if not reached[one.name]] or volumes


def _causes(volumes: list[VolumeRow]) -> Iterator[Ref]:
    """What may have put the volumes there: their zones and classes."""
    for one in volumes:
        zones = reach_of(one).zones
        if zones:
            yield zone_ref(" and ".join(zones))
        if one.storage_class:
            yield ref("StorageClass", "", one.storage_class)


def _where(volume: VolumeRow) -> str:
    """The place that a volume is bound to, as its affinity or its labels name it."""
    zones = reach_of(volume).zones
    if zones:
        return f"in {some(zones)}"
    terms = volume.affinity.terms if volume.affinity else ()
    wanted = [one for term in terms for one in term.expressions if one.operator == "In"]
    return "on nodes with " + (some([str(one) for one in wanted]) or "its affinity")
