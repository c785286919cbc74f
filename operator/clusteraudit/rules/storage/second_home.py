"""If a node goes, a pod cannot start again, for its volume can be used nowhere else.

## What it looks at
Pods that run with zonal volumes. Their second homes are the other nodes that reach these volumes
and that selectors, affinity and taints leave: there is none, or none that has room for what the pod
requests. High; medium where the provider may run an autoscaler that cannot be seen; low where one
is at work, and the zone has no other node all the same.

## Why it matters
A zonal disk does not move. The loss or the drain of one node stops the workload until that zone has
another: nothing else in the cluster shows it before.

## What to do
Have one node more in each zone that holds volumes, or room on those that are there; or lower the
request. Disks that are kept in two zones (regional) have second homes in both.

## When it stays silent
For volumes of one node by design: their affinity names the node, or anything smaller than a zone;
and for pods of DaemonSets. Where Karpenter or cluster-autoscaler would make a node like one that is
here, room is no question. Nodes count without their cordons and passing taints. What looks at other
pods (affinity between pods, spread, ports) may refuse a second home, and is not judged here. Once
the node is gone, the pod waits, and what is said of pods that wait takes its place.
"""

from collections.abc import Iterator

import msgspec

from clusteraudit.model import build
from clusteraudit.model.cluster import derived
from clusteraudit.model.kinds import ref
from clusteraudit.model.places import zone_ref
from clusteraudit.model.rows import Key, PodRow, VolumeRow
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
from clusteraudit.simulate.autoscaling import prospect
from clusteraudit.simulate.filters.kit import Shape, shape_of
from clusteraudit.simulate.fit import volumes_of
from clusteraudit.simulate.homes import in_reach, scarce, turned_away, with_room
from clusteraudit.simulate.loads import stays
from clusteraudit.simulate.workload import label_of
from clusteraudit.simulate.zones import Reach, nodes_in_reach, reach_of, zonal


class _Lone(msgspec.Struct, frozen=True):
    """A pod that has no second home, and the nodes that would be one but for their room."""

    pod: PodRow
    reaches: tuple[Reach, ...]
    full: tuple[str, ...]
    severity: Severity


def _pinned(*nodes: build.Manifest, cpu: str = "") -> tuple[build.Manifest, ...]:
    owner = build.owned_by("StatefulSet", "db")
    return (
        *nodes,
        build.stateful_set("db", claim="data", cpu=cpu),
        build.pod("db-0", app="db", owner=owner, on="node-a", claim="data", cpu=cpu),
        build.claim("data", "disk-1"),
        build.volume("disk-1", "zone-a", "data"),
    )


_HERE, _ELSEWHERE = build.node("node-a", zone="zone-a"), build.node("node-b", zone="zone-b")


@rule(
    code="STO105",
    title="A pod with volumes has no second node to run on",
    subject="Workload",
    layer=Layer.NODE_CAPACITY,
    failure=Failure.STATE,
    severity=Severity.HIGH,
    reads=("Pod", "PersistentVolumeClaim", "PersistentVolume", "Node"),
    complete=("Node", "Pod"),
    uses=("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "DeviceClass"),
    message="{subject}: if {node} goes, {who} cannot start again: {volumes} can only be used in "
    "{zones}, where {why}.",
    remedy="Have another node in {zones} that takes it, with {request} free.",
    since="0.1",
    examples=(
        broken(
            "the disk's zone has one node",
            _pinned(_HERE, _ELSEWHERE),
            mend=build.node("node-c", zone="zone-a"),
        ),
        broken(
            "the zone's other node has no room",
            _pinned(_HERE, build.node("node-b", "1", zone="zone-a"), cpu="2"),
            mend=build.node("node-b", "4", zone="zone-a"),
        ),
        sound(
            "the zone has two nodes, and the other has room",
            _pinned(_HERE, build.node("node-b", zone="zone-a"), cpu="2"),
        ),
    ),
)
def second_home(workload: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    if not cluster.workload_pods(workload).with_claims:
        return
    lone = list(_without_home(cluster, workload))
    if not lone:
        return
    worst = min(lone, key=lambda one: (one.severity.rank, one.pod.key))
    names = tuple(one.pod.name for one in lone)
    zones = tuple(sorted({zone for reach in worst.reaches for zone in reach.zones}))
    volumes = volumes_of(cluster, worst.pod)
    yield found(
        workload,
        severity=worst.severity,
        refs=[
            ref("Node", "", worst.pod.node),
            *map(zone_ref, zones),
            *(ref("PersistentVolume", "", name) for name in volumes),
        ],
        pods=len(names),
        names=names[:5],
        node=worst.pod.node,
        zones=zones,
        fullNodes=len(worst.full),
        words={
            "who": f"{worst.pod.name}{_more(len(names) - 1)}",
            "volumes": f"volume {some(volumes)}",
            "zones": some(zones),
            "why": _why(cluster, worst),
            "request": label_of(shape_of(worst.pod.template).requests),
        },
    )


def _more(pods: int) -> str:
    return f" (and so with {count(pods, 'more pod')})" if pods else ""


def _without_home(cluster: Cluster, workload: Ref) -> Iterator[_Lone]:
    for key, reaches in _doubtful(cluster, workload):
        pod = cluster.find(PodRow, "Pod", *key)
        if pod and (lone := _lone(cluster, pod, reaches)):
            yield lone


@derived
def _doubtful(cluster: Cluster, workload: Ref) -> tuple[tuple[Key, tuple[Reach, ...]], ...]:
    """Pods for which no other node has room, and how far their volumes reach."""
    rooms: dict[tuple[Shape, tuple[Reach, ...]], tuple[str, ...]] = {}
    found = []
    for pod in filter(_would_move, cluster.workload_pods(workload).with_claims):
        reaches = _reaches(cluster, pod)
        if not reaches:
            continue
        kind = (shape_of(pod.template), reaches)
        if kind not in rooms:
            rooms[kind] = with_room(cluster, *kind)
        if not any(name != pod.node for name in rooms[kind]):
            found.append((pod.key, reaches))
    return tuple(found)


def _would_move(pod: PodRow) -> bool:
    """Whether it runs, and would be made anew elsewhere."""
    return bool(pod.node) and pod.living and not stays(pod.template)


def _lone(cluster: Cluster, pod: PodRow, reaches: tuple[Reach, ...]) -> _Lone | None:
    shape = shape_of(pod.template)
    places = in_reach(cluster, shape.constraints, reaches)
    others = tuple(name for name in places if name != pod.node)
    if len(others) == len(places):
        return None
    coming = prospect(cluster, pod)
    if coming is None or not coming.known_size:
        return _Lone(pod, reaches, others, Severity.HIGH)
    if coming.certain:
        return None if others else _Lone(pod, reaches, others, Severity.LOW)
    return _Lone(pod, reaches, others, Severity.MEDIUM)


def _reaches(cluster: Cluster, pod: PodRow) -> tuple[Reach, ...]:
    """Where its volumes reach, if all are zonal that are bound to a place at all."""
    reaches: dict[Reach, None] = {}
    for name in volumes_of(cluster, pod):
        row = cluster.find(VolumeRow, "PersistentVolume", "", name)
        if row and (row.affinity or row.zones):
            reaches[reach_of(row)] = None
    return tuple(reaches) if all(map(zonal, reaches)) else ()


def _why(cluster: Cluster, one: _Lone) -> str:
    if one.full:
        short = scarce(cluster, shape_of(one.pod.template), one.reaches, one.pod.node)
        few = len(one.full) == 1
        those = "the other node" if few else f"the other {len(one.full)} nodes"
        return f"{those} that could take it {'has' if few else 'have'} too little {some(short)}"
    reach = [nodes_in_reach(cluster, each) for each in one.reaches]
    there = reach[0].intersection(*reach[1:]) - {one.pod.node}
    refused = turned_away(cluster, shape_of(one.pod.template).constraints, there)
    told = some([f"{reason} on {count(number, 'node')}" for reason, number in refused])
    return f"no other would take it: {told}" if told else "there is no other node"
