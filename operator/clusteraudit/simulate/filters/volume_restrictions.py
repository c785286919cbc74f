"""VolumeRestrictions: a ReadWriteOncePod claim has one pod, and some disks are not shared."""

from collections.abc import Iterator

from clusteraudit.model.rows import PodRow
from clusteraudit.simulate.filters.claims import Claims
from clusteraudit.simulate.filters.kit import Answer, Check, Doubt, Refusal
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NAME = "VolumeRestrictions"
_ONE_POD = "ReadWriteOncePod"


def volume_restrictions(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """Named claims that exist and are free, disks of no other pod (`volume_restrictions.go`)."""
    answers = list(_claims(snapshot, pod))
    disks = pod.template.disks

    def each(info: NodeInfo) -> Iterator[Answer]:
        yield from answers
        others = (other for held in info.pods for other in held.template.disks)
        if disks and any(disk.conflicts(other) for other in others for disk in disks):
            yield Refusal(NAME, "DiskConflict", "a pod there has the same disk")

    return Check(each) if answers or disks else None


def _claims(snapshot: Snapshot, pod: PodRow) -> Iterator[Answer]:
    claims = Claims.of(snapshot, pod)
    for name in claims.named:
        claim = claims.found.get(name)
        if claim is None:
            yield claims.absent(NAME, name)
        elif _ONE_POD in claim.access_modes:
            yield from _taken(snapshot, pod, name)


def _taken(snapshot: Snapshot, pod: PodRow, name: str) -> Iterator[Answer]:
    """A pod that has a node and the claim, on whichever node it is."""
    for info in snapshot.infos():
        for other in info.pods:
            if other.namespace == pod.namespace and name in other.claims:
                words = f"claim {name} is in use by pod {other.name}"
                yield Refusal(NAME, "ReadWriteOncePodConflict", words)
                return
    if not snapshot.known("Pod"):
        yield Doubt(NAME, "Pod")
