"""A pod names volumes that no one place has.

## What it looks at
Pods without a node that use two bound volumes or more, and the zones and nodes to which each
volume is bound: each can be used somewhere, all of them nowhere.

## Why it matters
The pod never starts, and no node that is added changes that. It comes of claims that were bound
one by one, each in the zone that was best for itself.

## What to do
Choose a zone, and make the other volumes anew there: restore a snapshot under a new claim. A class
that binds with WaitForFirstConsumer puts them all where the pod is.

## When it stays silent
While a claim is not bound; and where the volumes have a place in common that the pod may not go to,
which is told as a volume out of reach.
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
from clusteraudit.simulate.fit import volumes_of
from clusteraudit.simulate.zones import disjoint, nodes_in_reach, reach_of


def _on(*claims: str) -> build.Spec:
    return {
        "volumes": [{"name": one, "persistentVolumeClaim": {"claimName": one}} for one in claims]
    }


def _db(logs: str, *more: build.Manifest) -> tuple[build.Manifest, ...]:
    both = _on("data", "logs")
    return (
        build.node("node-a", zone="zone-a"),
        build.node("node-b", zone="zone-b"),
        build.deployment("db", spec=both),
        *build.pods_of("db", unschedulable=600, spec=both),
        build.claim("data", "disk-1"),
        build.volume("disk-1", "zone-a", "data"),
        build.claim("logs", "disk-2"),
        build.volume("disk-2", logs, "logs"),
        *more,
    )


@rule(
    code="STO103",
    title="The volumes of a pod are in different zones",
    subject="Workload",
    layer=Layer.STORAGE,
    failure=Failure.STATE,
    severity=Severity.CRITICAL,
    reads=("Pod", "PersistentVolumeClaim", "PersistentVolume"),
    uses=("Node", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"),
    leads_to=("pod-pending",),
    message="{subject}: {who} can never start: {where}, and no node has all of them.",
    remedy="Choose a place, and make the other volumes anew there, under new claims.",
    since="0.1",
    examples=(
        broken(
            "the data is in zone-a, the log in zone-b",
            _db("zone-b"),
            mend=[
                build.claim("logs-2", "disk-3"),
                build.volume("disk-3", "zone-a", "logs-2"),
                build.deployment("db", spec=_on("data", "logs-2")),
                *build.pods_of("db", on="node-a", spec=_on("data", "logs-2")),
            ],
        ),
        sound("both are in zone-a", _db("zone-a")),
    ),
)
def volumes_in_disjoint_zones(workload: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    stuck = [
        (pod, volumes)
        for pod in cluster.workload_pods(workload).waiting
        if len(volumes := _rows(cluster, pod)) > 1 and disjoint(cluster, volumes)
    ]
    if not stuck:
        return
    names = tuple(pod.name for pod, _ in stuck)
    volumes = stuck[0][1]
    yield found(
        workload,
        refs=[*_classes(volumes), *(ref("PersistentVolume", "", one.name) for one in volumes)],
        pods=len(names),
        names=names[:5],
        volumes=tuple(one.name for one in volumes[:5]),
        words={
            "who": f"{count(len(names), 'pod')} ({some(names)})",
            "where": some([f"volume {one.name} is {_where(cluster, one)}" for one in volumes]),
        },
    )


def _rows(cluster: Cluster, pod: PodRow) -> list[VolumeRow]:
    names = volumes_of(cluster, pod)
    rows = (cluster.find(VolumeRow, "PersistentVolume", "", name) for name in names)
    return [one for one in rows if one]


def _classes(volumes: list[VolumeRow]) -> list[Ref]:
    names = sorted({one.storage_class for one in volumes if one.storage_class})
    return [ref("StorageClass", "", name) for name in names]


def _where(cluster: Cluster, volume: VolumeRow) -> str:
    reach = reach_of(volume)
    if reach.zones:
        return f"in {' and '.join(reach.zones)}"
    nodes = sorted(nodes_in_reach(cluster, reach))
    return f"on {some(nodes)}" if nodes else "anywhere"
