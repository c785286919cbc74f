"""VolumeZone: a volume with zone labels is used on nodes of those zones."""

from collections.abc import Iterator

from clusteraudit.model.rows import ClaimRow, NodeRow, PodRow, VolumeRow
from clusteraudit.simulate.filters.claims import CLASS, VOLUME, Claims
from clusteraudit.simulate.filters.kit import Answer, Check, Doubt, Refusal
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NAME = "VolumeZone"
_BETA = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}


def volume_zone(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """Claims that the pod names; those of ephemeral volumes are not asked (`volume_zone.go`)."""
    claims = Claims.of(snapshot, pod)
    answers, volumes = list[Answer](), list[VolumeRow]()
    for name in claims.named:
        found = _volume(claims, name)
        if isinstance(found, VolumeRow):
            volumes.append(found)
        elif found:
            answers.append(found)
    zoned = [volume for volume in volumes if volume.zones]

    def each(info: NodeInfo) -> Iterator[Answer]:
        yield from answers
        for volume in zoned:
            yield from in_zone(volume, info.node)

    return Check(each) if answers or zoned else None


def in_zone(volume: VolumeRow, node: NodeRow) -> Iterator[Answer]:
    """Whether the node lies in the zones of a volume's labels; a node without any does."""
    if not any(node.labels.get(key) is not None for key in (*_BETA, *_BETA.values())):
        return
    if not all(_zone(node, key) in values for key, values in volume.zones):
        yield Refusal(NAME, "VolumeZoneConflict", f"in another zone than volume {volume.name}")


def _zone(node: NodeRow, key: str) -> str | None:
    own = node.labels.get(key)
    return node.labels.get(_BETA.get(key, key)) if own is None else own


def _volume(claims: Claims, name: str) -> VolumeRow | Answer | None:
    """The volume of a claim, or what is wrong; None where it is bound when the pod has a node."""
    claim = claims.found.get(name)
    if claim is None:
        return claims.absent(NAME, name)
    if not claim.volume:
        return _unbound(claims, claim)
    volume = claims.volume(claim)
    if volume is not None:
        return volume
    if not claims.snapshot.known(VOLUME):
        return Doubt(NAME, VOLUME)
    return Refusal(NAME, "VolumeNotFound", f"volume {claim.volume} does not exist")


def _unbound(claims: Claims, claim: ClaimRow) -> Answer | None:
    if not claim.storage_class:
        return Refusal(NAME, "UnboundClaim", f"claim {claim.name} has no volume and no class")
    owner = claims.storage_class(claim)
    if owner is None and not claims.snapshot.known(CLASS):
        return Doubt(NAME, CLASS)
    if owner is None:
        return Refusal(NAME, "ClassNotFound", f"class {claim.storage_class} does not exist")
    if owner.waits:
        return None
    return Refusal(NAME, "UnboundClaim", f"claim {claim.name} has no volume yet")
