"""VolumeBinding: the pod's claims must be usable on the node."""

from collections.abc import Iterator

from clusteraudit.model.rows import ClaimRow, NodeRow, PodRow, VolumeRow
from clusteraudit.simulate.filters.kit import Answer, Check, Refusal
from clusteraudit.simulate.filters.volume_zone import in_zone
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NAME = "VolumeBinding"


def reaches(volume: VolumeRow, node: NodeRow) -> Iterator[Answer]:
    """A volume's node affinity is asked by labels alone (`CheckNodeAffinity`)."""
    if volume.affinity is not None and not volume.affinity.matches_labels(node.labels):
        yield Refusal(NAME, "VolumeNodeAffinityConflict", "out of reach of its volume")


def volume_binding(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """The volumes that the pod's claims are bound to (`binder.go`)."""
    volumes = bound(snapshot, pod)

    def check(info: NodeInfo) -> Iterator[Answer]:
        for volume in volumes:
            yield from reaches(volume, info.node)

    return check if volumes else None


def volume_zone(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """The zones and regions of the volumes that the pod's claims are bound to."""
    volumes = bound(snapshot, pod)

    def check(info: NodeInfo) -> Iterator[Answer]:
        for volume in volumes:
            yield from in_zone(volume, info.node)

    return check if volumes else None


def bound(snapshot: Snapshot, pod: PodRow) -> list[VolumeRow]:
    """The volumes that the pod's claims are bound to, of those that the model holds."""
    cluster = snapshot.cluster
    claims = (
        cluster.find(ClaimRow, "PersistentVolumeClaim", pod.namespace, name) for name in pod.claims
    )
    names = sorted({claim.volume for claim in claims if claim and claim.volume})
    volumes = (cluster.find(VolumeRow, "PersistentVolume", "", name) for name in names)
    return [volume for volume in volumes if volume]
