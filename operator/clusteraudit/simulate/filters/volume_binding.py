"""VolumeBinding: the pod's claims are bound, or can be once it has this node."""

from collections.abc import Iterator, Sequence

import numpy as np

from clusteraudit.model.rows import ClaimRow, NodeRow, PodRow, VolumeRow
from clusteraudit.simulate.columns import Amount, Columns, Levels, levels_of
from clusteraudit.simulate.filters.claims import CLASS, VOLUME, Claims
from clusteraudit.simulate.filters.kit import NOT_MODELLED, Answer, Check, Doubt, Refusal
from clusteraudit.simulate.filters.volume_matching import Waiting, placements
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NAME = "VolumeBinding"
_BITS = 60


def volume_binding(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """Bound claims by their volume's node affinity, others by what could be bound there.

    Source: `volumebinding/volume_binding.go`, `binder.go`.
    """
    claims = Claims.of(snapshot, pod)
    if not claims.names:
        return None
    answers = [answer for name in claims.names for answer in _unusable(claims, name, pod)]
    bound = [row for row in claims.found.values() if row.bound]
    volumes = [volume for claim in bound if (volume := claims.volume(claim))]
    answers += [_lost(claims, claim) for claim in bound if claims.volume(claim) is None]
    waiting = list(_waiting(claims))

    def each(info: NodeInfo) -> Iterator[Answer]:
        yield from answers
        for volume in volumes:
            yield from reaches(volume, info.node)
        if waiting:
            yield from placements(snapshot, waiting, info.node)

    plain = not (answers or waiting or any(volume.migratable for volume in volumes))
    if not plain:
        return Check(each)
    return Check(
        each,
        lambda columns: reach_levels(columns, volumes),
        lambda columns: _reach_sorts(columns, volumes),
    )


def reaches(volume: VolumeRow, node: NodeRow) -> Iterator[Answer]:
    """A volume's node affinity is asked by labels alone (`CheckNodeAffinity`).

    That of a kind that is translated for a CSI driver may be asked by that driver's own labels.
    """
    if volume.affinity is not None and not volume.affinity.matches_labels(node.labels):
        words = f"out of reach of volume {volume.name}"
        yield Refusal(NAME, "VolumeNodeAffinityConflict", words)
    elif volume.migratable and volume.affinity is not None:
        yield Doubt(NAME, NOT_MODELLED)


def reach_levels(columns: Columns, volumes: Sequence[VolumeRow]) -> Levels:
    """The same of all nodes."""
    mask = columns.alive
    for affinity in (volume.affinity for volume in volumes):
        if affinity is not None:
            mask = mask & columns.labelled(affinity)
    return levels_of(mask)


def _reach_sorts(columns: Columns, volumes: Sequence[VolumeRow]) -> Amount:
    """A bit per volume that a node is out of reach of; where there are too many, none are alike."""
    bound = [volume.affinity for volume in volumes if volume.affinity is not None]
    if len(bound) > _BITS:
        return np.arange(len(columns.names), dtype=np.int64)
    found = np.zeros(len(columns.names), dtype=np.int64)
    for affinity in bound:
        found = 2 * found + ~columns.labelled(affinity)
    return found


def _unusable(claims: Claims, name: str, pod: PodRow) -> Iterator[Answer]:
    """What keeps the pod from every node: the claim is absent, lost, going, or bound too late."""
    claim = claims.found.get(name)
    if claim is None:
        yield claims.absent(NAME, name)
        return
    if claim.phase == "Lost":
        yield Refusal(NAME, "ClaimLost", f"claim {name} has lost its volume")
    if claim.terminating:
        yield Refusal(NAME, "ClaimTerminating", f"claim {name} is being deleted")
    if name in claims.ephemeral and claim.pod != pod.name:
        yield Refusal(NAME, "ClaimNotOwned", f"claim {name} was not made for the pod")
    if not claim.bound:
        yield from _immediate(claims, claim)


def _immediate(claims: Claims, claim: ClaimRow) -> Iterator[Answer]:
    """A claim that the scheduler does not bind must be bound; one whose class is gone is such."""
    owner = claims.storage_class(claim) if claim.storage_class else None
    if owner is None and claim.storage_class and not claims.snapshot.known(CLASS):
        yield Doubt(NAME, CLASS)
    elif claim.volume or owner is None or not owner.waits:
        yield Refusal(NAME, "UnboundImmediateClaim", f"claim {claim.name} is not bound yet")


def _lost(claims: Claims, claim: ClaimRow) -> Answer:
    if claims.snapshot.known(VOLUME):
        return Refusal(NAME, "VolumeNotFound", f"volume {claim.volume} does not exist")
    return Doubt(NAME, VOLUME)


def _waiting(claims: Claims) -> Iterator[Waiting]:
    """Claims that are bound once the pod has a node."""
    for claim in claims.found.values():
        owner = None if claim.bound or claim.volume else claims.storage_class(claim)
        if owner and owner.waits:
            yield Waiting(claim, owner)
