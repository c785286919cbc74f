"""NodeVolumeLimits: a node takes so many volumes of a CSI driver, and must have the driver."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clusteraudit.model.provisioning import AttachmentRow, CSIDriverRow, CSINodeRow
from clusteraudit.model.rows import ClaimRow, PodRow, StorageClassRow, VolumeRow
from clusteraudit.simulate.columns import Columns, Levels, levels_of
from clusteraudit.simulate.filters.claims import CLAIM, CLASS, VOLUME, Claims
from clusteraudit.simulate.filters.kit import (
    NOT_MODELLED,
    Answer,
    Check,
    Doubt,
    Each,
    Refusal,
    level_of,
)
from clusteraudit.simulate.filters.volume_slots import NAME, roomy
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

_MIGRATED = frozenset(
    f"kubernetes.io/{name}"
    for name in (
        "aws-ebs",
        "azure-disk",
        "azure-file",
        "cinder",
        "gce-pd",
        "portworx-volume",
        "vsphere-volume",
    )
)
"""Provisioners that stand for a CSI driver, on nodes that say so."""
_HOW = ("CSINode", "VolumeAttachment", "Pod", CLAIM, VOLUME, CLASS)
"""What must be known in full, so that volumes on a node are counted in full."""

Volumes = dict[str, str]
"""Drivers by volume: a volume that several pods share is one."""


def node_volume_limits(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """Volumes of the pod's claims, beside those that the node has (`nodevolumelimits/csi.go`)."""
    claims = Claims.of(snapshot, pod)
    if not claims.names:
        return None
    absent = [claims.absent(NAME, name) for name in claims.names if name not in claims.found]
    new = _Reader(snapshot).volumes(claims.found.values())
    migrated = any(map(_Reader(snapshot).migrated, claims.found.values()))
    required = _required(snapshot, new)
    missing = next((kind for kind in _HOW if not snapshot.known(kind)), "")

    def each(info: NodeInfo) -> Iterator[Answer]:
        yield from absent
        if migrated:
            yield Doubt(NAME, NOT_MODELLED)
        if not new:
            return
        found = snapshot.cluster.find(CSINodeRow, "CSINode", "", info.name)
        drivers = dict(found.drivers) if found else {}
        without = [one for one in required if one not in drivers]
        if without and (found or snapshot.known("CSINode")):
            yield Refusal(NAME, "DriverNotInstalled", f"driver {without[0]} is not on the node")
        limits = {name: limit for name, limit in drivers.items() if limit is not None}
        full = _full(snapshot, info, new, limits) if limits else None
        if full:
            yield full
        elif missing and (limits or found is None):
            yield Doubt(NAME, missing)

    if not (absent or new or migrated):
        return None
    if absent or migrated or missing:
        return Check(each)
    return Check(each, lambda columns: _levels(snapshot, columns, each, (required, len(new))))


def _levels(
    snapshot: Snapshot, columns: Columns, each: Each, wanted: tuple[Sequence[str], int]
) -> Levels:
    """Nodes that have the drivers, and room whosever volumes they are, need not be asked."""
    clear = roomy(snapshot.cluster, columns.names, *wanted)
    clear[[columns.index[name] for name in snapshot.onto() if name in columns.index]] = False
    found = levels_of(clear)
    for at in np.flatnonzero(~clear & columns.alive):
        found[at] = level_of(each(snapshot.nodes[columns.names[at]]))
    return found


def _required(snapshot: Snapshot, new: Volumes) -> list[str]:
    """Drivers that nodes must have (`preventPodSchedulingIfMissing`)."""
    rows = (snapshot.cluster.find(CSIDriverRow, "CSIDriver", "", one) for one in new.values())
    return sorted({row.name for row in rows if row and row.required})


def _full(
    snapshot: Snapshot, info: NodeInfo, new: Volumes, limits: Mapping[str, int]
) -> Answer | None:
    """A driver of which the node would have too many volumes.

    A volume that is attached, but of no pod there, counts beside the pod's own of the same name.
    """
    reader = _Reader(snapshot)
    attached = reader.attached(info.name)
    claims = sum(len(other.claims) for other in info.pods)
    if claims + len(attached) + len(new) > min(limits.values()):  # else there is room, whosever
        held = dict(
            volume for other in info.pods for volume in reader.volumes(reader.claims(other)).items()
        )
        full = _over(held, held | attached, new, limits)
        if full:
            return full
    if any(NAME in other.template.unmodelled for other in info.pods):
        return Doubt(NAME, NOT_MODELLED)
    return None


def _over(
    held: Volumes, attached: Volumes, new: Volumes, limits: Mapping[str, int]
) -> Refusal | None:
    there = Counter(attached.values())
    wanted = Counter(driver for name, driver in new.items() if name not in held)
    for driver, number in sorted(wanted.items()):
        limit = limits.get(driver)
        if limit is not None and there[driver] + number > limit:
            resource, left = f"attachable-volumes-{driver}", limit - there[driver]
            words = f"too many volumes of {driver}"
            return Refusal(NAME, "TooManyVolumes", words, resource, number, left)
    return None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Looks up what claims and attachments stand for."""

    snapshot: Snapshot

    def claims(self, pod: PodRow) -> Iterator[ClaimRow]:
        """Claims of a pod that exist."""
        cluster = self.snapshot.cluster
        rows = (cluster.find(ClaimRow, CLAIM, pod.namespace, name) for name in pod.claims)
        return (row for row in rows if row)

    def volumes(self, claims: Iterable[ClaimRow]) -> Volumes:
        """Volumes of claims; one that is not bound yet counts as its class will make it."""
        return dict(volume for claim in claims if (volume := self._volume(claim)))

    def migrated(self, claim: ClaimRow) -> bool:
        """Whether its driver depends on how far a node is migrated."""
        cluster = self.snapshot.cluster
        row = cluster.find(VolumeRow, VOLUME, "", claim.volume) if claim.volume else None
        owner = cluster.find(StorageClassRow, CLASS, "", claim.storage_class)
        return row.migratable if row else owner is not None and owner.provisioner in _MIGRATED

    def _volume(self, claim: ClaimRow) -> tuple[str, str] | None:
        cluster = self.snapshot.cluster
        row = cluster.find(VolumeRow, VOLUME, "", claim.volume) if claim.volume else None
        if row is not None:
            return (f"{row.driver}/{row.handle}", row.driver) if row.driver else None
        owner = cluster.find(StorageClassRow, CLASS, "", claim.storage_class)
        if owner is None or not owner.provisioner or owner.provisioner in _MIGRATED:
            return None
        return (f"{owner.provisioner} {claim.namespace}/{claim.name}", owner.provisioner)

    def attached(self, node: str) -> Volumes:
        """Volumes that are attached to a node."""
        cluster = self.snapshot.cluster
        found = {}
        for one in cluster.bucket(AttachmentRow, "attachments_on", node):
            row = cluster.find(VolumeRow, VOLUME, "", one.volume)
            if row is not None and row.driver and one.attacher:
                found[f"{one.attacher}/{row.handle}"] = one.attacher
        return found
