"""A class chooses a volume's zone before its pod has a node.

## What it looks at
StorageClasses with volumeBindingMode Immediate whose volumes are zonal, by their provisioner or by
the volumes that are there, on a cluster with nodes in two zones or more. Only of a class that is
the default, or that has volumes.

## Why it matters
The zone is drawn before anybody knows where the pod fits. The pod must follow: it waits though
there is room in another zone, and two volumes of one pod can end up in different zones.

## What to do
Make a class with volumeBindingMode WaitForFirstConsumer; the field of a class that is there cannot
be changed. Use it for new claims, as the default if this one is. Volumes stay where they are.

## When it stays silent
On a cluster of one zone; for classes that are confined to one zone (`allowedTopologies`); and where
nothing tells that the provisioner's volumes are zonal.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.rows import StorageClassRow, VolumeRow
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
    sound,
)
from clusteraudit.simulate.claims import NOBODY, claim_users
from clusteraudit.simulate.zones import is_zone, node_zones, reach_of

_ZONAL = frozenset(
    {
        "ebs.csi.aws.com",
        "ebs.csi.eks.amazonaws.com",
        "kubernetes.io/aws-ebs",
        "pd.csi.storage.gke.io",
        "kubernetes.io/gce-pd",
        "disk.csi.azure.com",
        "kubernetes.io/azure-disk",
        "cinder.csi.openstack.org",
        "kubernetes.io/cinder",
    }
)
"""Provisioners whose volumes are zonal, and say so by labels that end in `/zone`."""


def _two_zones(storage_class: build.Manifest) -> tuple[build.Manifest, ...]:
    owner = build.owned_by("StatefulSet", "db")
    return (
        build.node("node-a", zone="zone-a"),
        build.node("node-b", zone="zone-b"),
        storage_class,
        build.stateful_set("db", claim="data"),
        build.pod("db-0", app="db", owner=owner, on="node-a", claim="data"),
        build.claim("data", "disk-1", storage_class="fast"),
        build.volume("disk-1", "zone-a", "data", storage_class="fast"),
    )


@rule(
    code="STO104",
    title="A class chooses the zone before the scheduler",
    subject="StorageClass",
    layer=Layer.STORAGE,
    failure=Failure.STATE,
    severity=Severity.HIGH,
    reads=("StorageClass", "Node", "PersistentVolume"),
    uses=(
        "PersistentVolumeClaim",
        "Pod",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
    ),
    leads_to=("volumes-in-disjoint-zones", "volume-out-of-reach"),
    message="{subject}: it binds a claim before its pod has a node, so one of {zones} zones is "
    "drawn for a volume by chance{whose}.",
    remedy="Make a class with volumeBindingMode WaitForFirstConsumer{default}, and name it in new "
    "claims; the volumes that are there stay in their zones.",
    since="0.1",
    examples=(
        broken(
            "a StatefulSet's disk is made in either of two zones",
            _two_zones(build.storage_class("fast", "disk.example.com")),
            mend=build.storage_class("fast", "disk.example.com", waits=True),
        ),
        sound(
            "the class waits for the pod",
            _two_zones(build.storage_class("fast", "disk.example.com", waits=True)),
        ),
        sound(
            "nodes are in one zone only",
            build.node("node-a", zone="zone-a"),
            build.storage_class("fast", "ebs.csi.aws.com", default=True),
        ),
    ),
)
def immediate_binding(storage_class: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    row = cluster.get(StorageClassRow, storage_class)
    if row is None or row.binding_mode != "Immediate" or _confined(row):
        return
    zones = node_zones(cluster)
    volumes = cluster.bucket(VolumeRow, "volumes_of_class", row.name)
    zonal = [one for one in volumes if reach_of(one).zones]
    if len(zones) < len(("here", "there")) or not (zonal or (row.default and _draws(row))):
        return
    stateful = row.default or any(_stateful(cluster, one) for one in zonal)
    yield found(
        storage_class,
        severity=Severity.HIGH if stateful else Severity.MEDIUM,
        provisioner=row.provisioner,
        default=row.default,
        nodeZones=len(zones),
        volumes=len(zonal),
        words={
            "zones": str(len(zones)),
            "whose": f"; it has {count(len(zonal), 'volume')}" if zonal else "; it is the default",
            "default": " and make it the default" if row.default else "",
        },
    )


def _confined(row: StorageClassRow) -> bool:
    """Whether somebody has chosen the zone."""
    wanted = (one for term in row.topologies for one in term if is_zone(one.key))
    return len({zone for one in wanted for zone in one.values}) == 1


def _draws(row: StorageClassRow) -> bool:
    return row.provisioner in _ZONAL


def _stateful(cluster: Cluster, volume: VolumeRow) -> bool:
    namespace, name = volume.claim or ("", "")
    owners = claim_users(cluster, namespace).get(name, NOBODY).owners
    return any(one.kind == "StatefulSet" for one in owners)
