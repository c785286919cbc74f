"""The claims of a pod, their classes and volumes, as the volume filters look them up."""

from collections.abc import Mapping
from dataclasses import dataclass

from clusteraudit.model.rows import ClaimRow, PodRow, StorageClassRow, VolumeRow
from clusteraudit.simulate.filters.kit import Answer, Doubt, Refusal
from clusteraudit.simulate.snapshot import Snapshot

CLAIM, VOLUME, CLASS = "PersistentVolumeClaim", "PersistentVolume", "StorageClass"


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims that a pod names, those that its ephemeral volumes make, and which of them exist."""

    snapshot: Snapshot
    synthetic: bool
    """The pod is only promised by a template: its claims may be made with it."""
    named: tuple[str, ...]
    ephemeral: tuple[str, ...]
    found: Mapping[str, ClaimRow]

    @classmethod
    def of(cls, snapshot: Snapshot, pod: PodRow) -> "Claims":
        """The claims of a pod."""
        split = len(pod.claims) - pod.template.ephemeral
        rows = (snapshot.cluster.find(ClaimRow, CLAIM, pod.namespace, one) for one in pod.claims)
        found = {row.name: row for row in rows if row}
        return cls(snapshot, pod.synthetic, pod.claims[:split], pod.claims[split:], found)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all claims, each once."""
        return tuple(dict.fromkeys((*self.named, *self.ephemeral)))

    def absent(self, plugin: str, name: str) -> Answer:
        """What a filter says of a claim that is not there."""
        if self.snapshot.known(CLAIM) and not self.synthetic:
            return Refusal(plugin, "ClaimNotFound", f"claim {name} does not exist")
        return Doubt(plugin, CLAIM)

    def volume(self, claim: ClaimRow) -> VolumeRow | None:
        """The volume that a claim names."""
        return self.snapshot.cluster.find(VolumeRow, VOLUME, "", claim.volume)

    def storage_class(self, claim: ClaimRow) -> StorageClassRow | None:
        """The class of a claim."""
        return self.snapshot.cluster.find(StorageClassRow, CLASS, "", claim.storage_class)
