"""Volumes are in a zone that has no node to use them.

## What it looks at
Bound volumes that can only be used in some zones, and whether any node there is ready and not
cordoned. Said once of a zone, however many volumes are in it: critical if a pod waits for one,
high if pods use one, medium if nobody does now.

## Why it matters
A zonal disk does not move. No pod with such a volume can start, or start again, until the zone has
a node.

## What to do
Scale up that zone's pool of nodes, or uncordon its nodes; or restore snapshots of the volumes in a
zone that has some. An autoscaler may do the first by itself, if it knows a pool of that zone.

## When it stays silent
For volumes that are on one node only or in no zone, for those that are bound to no claim, and as
long as one node there can take pods, however full.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.kinds import ref
from clusteraudit.model.places import zone_ref
from clusteraudit.model.rows import VolumeRow
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
from clusteraudit.simulate.claims import NOBODY, Users, claim_users
from clusteraudit.simulate.zones import Reach, nodes_in_reach, open_nodes, reach_of


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
    code="STO102",
    title="Volumes are in a zone without a node",
    subject="Cluster",
    layer=Layer.NODE_CAPACITY,
    failure=Failure.STATE,
    severity=Severity.CRITICAL,
    reads=("Node", "PersistentVolume"),
    complete=("Node",),
    uses=(
        "PersistentVolumeClaim",
        "Pod",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
    ),
    leads_to=("volume-out-of-reach", "pod-pending"),
    message="{subject}: {nodes}, and {volumes} can be used nowhere else: {whom}.",
    remedy="Add a node in {zone}{uncordon}, or restore snapshots where there are nodes.",
    since="0.1",
    examples=(
        broken(
            "the disk is in zone-b, the only node in zone-a",
            _pinned(build.node("node-a", zone="zone-a")),
            mend=build.node("node-b", zone="zone-b"),
        ),
        broken(
            "the zone's only node is cordoned",
            _pinned(
                build.node("node-a", zone="zone-a"),
                build.node("node-b", zone="zone-b", cordoned=3600),
            ),
            mend=build.node("node-b", zone="zone-b"),
        ),
        sound(
            "a node of the disk's zone is there",
            _pinned(build.node("node-a", zone="zone-a"), build.node("node-b", zone="zone-b")),
        ),
    ),
)
def zone_without_node(cluster: Cluster, _: Settings) -> Iterator[Answer]:
    open_ones = open_nodes(cluster)
    closed: dict[Reach, bool] = {}
    left: dict[tuple[str, ...], list[VolumeRow]] = {}
    for volume in cluster.all(VolumeRow, "PersistentVolume"):
        if volume.claim and volume.phase == "Bound":
            reach = reach_of(volume)
            if reach not in closed:
                closed[reach] = open_ones.isdisjoint(nodes_in_reach(cluster, reach))
            if closed[reach] and reach.zones:
                left.setdefault(reach.zones, []).append(volume)
    for zones, volumes in sorted(left.items()):
        yield _finding(cluster, zones, volumes)


def _finding(cluster: Cluster, zones: tuple[str, ...], volumes: list[VolumeRow]) -> Answer:
    users = [_users(cluster, one) for one in volumes]
    waiting = sorted({name for one in users for name in one.waiting})
    owners = sorted({owner for one in users for owner in one.owners})
    closed = sorted({n for one in volumes for n in nodes_in_reach(cluster, reach_of(one))})
    zone = " and ".join(zones)
    used = Severity.HIGH if owners else Severity.MEDIUM
    return found(
        zone_ref(zone),
        severity=Severity.CRITICAL if waiting else used,
        refs=[*(ref("Node", "", one) for one in closed[:3]), *owners[:3], *map(_ref, volumes)],
        volumes=len(volumes),
        names=tuple(one.name for one in volumes[:5]),
        closedNodes=tuple(closed[:5]),
        waitingPods=len(waiting),
        words={
            "nodes": f"{some(closed)} cannot take pods, and is all there is"
            if len(closed) == 1
            else f"none of its nodes can take pods ({some(closed)})"
            if closed
            else "there is no node in it",
            "volumes": count(len(volumes), "bound volume"),
            "whom": _whom(waiting, [str(one) for one in owners]),
            "zone": zone,
            "uncordon": f", or bring {some(closed)} back" if closed else "",
        },
    )


def _ref(volume: VolumeRow) -> Ref:
    return ref("PersistentVolume", "", volume.name)


def _users(cluster: Cluster, volume: VolumeRow) -> Users:
    namespace, name = volume.claim or ("", "")
    return claim_users(cluster, namespace).get(name, NOBODY)


def _whom(waiting: list[str], owners: list[str]) -> str:
    if waiting:
        return f"{count(len(waiting), 'pod waits', 'pods wait')} ({some(waiting)})"
    return f"{some(owners)} could not start again" if owners else "nobody uses them now"
