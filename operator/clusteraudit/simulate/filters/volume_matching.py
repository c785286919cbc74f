"""Claims that wait for their first consumer: a volume that is there, or one that can be made.

Source: `volumebinding/binder.go`; component-helpers `storage/volume/pv_helpers.go`
(`FindMatchingVolume`).
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from clusteraudit.model.provisioning import CSIDriverRow, StorageCapacityRow
from clusteraudit.model.rows import ClaimRow, NodeRow, StorageClassRow, VolumeRow
from clusteraudit.model.selectors import Requirement
from clusteraudit.simulate.filters.claims import VOLUME
from clusteraudit.simulate.filters.kit import Answer, Doubt, Refusal
from clusteraudit.simulate.snapshot import Snapshot

NAME = "VolumeBinding"
NO_PROVISIONER = ("", "kubernetes.io/no-provisioner")


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A claim that is bound once its pod has a node, and its class."""

    claim: ClaimRow
    owner: StorageClassRow


@dataclass(frozen=True, slots=True)
class _Match:
    """The volume that a claim gets, None for none; `tied` if another is as good."""

    volume: VolumeRow | None
    tied: bool = False


def placements(snapshot: Snapshot, waiting: Sequence[Waiting], node: NodeRow) -> Iterator[Answer]:
    """Why the claims cannot all be bound on a node; the smallest claim chooses first.

    Which of two volumes of a size a claim gets is chance; then another claim of its class may be
    left without one, or not.
    """
    chosen: set[str] = set()
    tied: set[str] = set()
    for one in sorted(waiting, key=lambda one: one.claim.size or 0):
        selected = one.claim.selected_node
        if selected and selected != node.name:
            yield Refusal(NAME, "SelectedNodeMismatch", f"its volume is being made on {selected}")
            continue
        match = _Match(None) if selected else _matching(snapshot, one.claim, node, chosen)
        if match.volume is not None:
            chosen.add(match.volume.name)
            tied |= {one.owner.name} if match.tied else set()
        else:
            for answer in _made(snapshot, one, node):
                yield Doubt(NAME, "WhichVolume") if one.owner.name in tied else answer


def _matching(snapshot: Snapshot, claim: ClaimRow, node: NodeRow, chosen: Container[str]) -> _Match:
    """The volume that is meant for the claim, else the smallest that will do."""
    rows = snapshot.cluster.bucket(VolumeRow, "volumes_of_class", claim.storage_class)
    fitting = [row for row in rows if row.name not in chosen and _suits(row, claim)]
    meant = [row for row in fitting if row.claim == claim.key]
    if meant:
        return _Match(meant[0] if _reached(meant[0], node) else None)
    free = [row for row in fitting if _available(row, claim) and _reached(row, node)]
    if not free:
        return _Match(None)
    least = min(row.capacity for row in free)
    smallest = [row for row in free if row.capacity == least]
    return _Match(smallest[0], tied=len(smallest) > 1)


def _suits(volume: VolumeRow, claim: ClaimRow) -> bool:
    """What every volume must satisfy, meant for the claim or not."""
    return (
        volume.claim in {None, claim.key}
        and volume.capacity >= (claim.size or 0)
        and volume.mode == claim.mode
        and volume.attributes_class == claim.attributes_class
        and not volume.terminating
    )


def _available(volume: VolumeRow, claim: ClaimRow) -> bool:
    """What a volume must satisfy that is meant for nobody."""
    return (
        volume.phase == "Available"
        and (claim.selector is None or claim.selector.matches(volume.labels))
        and set(claim.access_modes) <= set(volume.access_modes)
    )


def _reached(volume: VolumeRow, node: NodeRow) -> bool:
    return volume.affinity is None or volume.affinity.matches_labels(node.labels)


def _made(snapshot: Snapshot, one: Waiting, node: NodeRow) -> Iterator[Answer]:
    """Why no volume can be made for a claim on a node."""
    name, owner = one.claim.name, one.owner
    if not one.claim.selected_node and not snapshot.known(VOLUME):
        yield Doubt(NAME, VOLUME)
    elif owner.provisioner in NO_PROVISIONER:
        yield Refusal(NAME, "NoMatchingVolume", f"no volume is there for claim {name}")
    elif not _allowed(owner.topologies, node):
        words = f"class {owner.name} makes no volumes there"
        yield Refusal(NAME, "TopologyNotAllowed", words)
    else:
        yield from _space(snapshot, one, node)


def _allowed(topologies: Iterable[tuple[Requirement, ...]], node: NodeRow) -> bool:
    terms = list(topologies)
    return not terms or any(
        term and all(one.matches(node.labels) for one in term) for term in terms
    )


def _space(snapshot: Snapshot, one: Waiting, node: NodeRow) -> Iterator[Answer]:
    """Whether the driver says that it has room, if it is one that says so."""
    driver = snapshot.cluster.find(CSIDriverRow, "CSIDriver", "", one.owner.provisioner)
    if one.claim.size is None or (driver and not driver.storage_capacity):
        return
    if driver is None:
        if not snapshot.known("CSIDriver"):
            yield Doubt(NAME, "CSIDriver")
        return
    rows = snapshot.cluster.bucket(StorageCapacityRow, "capacities_of_class", one.owner.name)
    size = one.claim.size
    if any(
        _holds(row, size) and row.topology and row.topology.matches(node.labels) for row in rows
    ):
        return
    if snapshot.known("CSIStorageCapacity"):
        words = f"too little storage for claim {one.claim.name}"
        yield Refusal(NAME, "InsufficientStorage", words)
    else:
        yield Doubt(NAME, "CSIStorageCapacity")


def _holds(capacity: StorageCapacityRow, size: int) -> bool:
    return capacity.limit is not None and capacity.limit >= size
