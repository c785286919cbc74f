"""Room for volumes in columns: kept as it would be made anew, and never more than a node has."""

from collections.abc import Iterator
from random import Random

import pytest

from clusteraudit.model.build import NOW
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.provisioning import AttachmentRow, CSINodeRow
from clusteraudit.model.rows import ClaimRow, NodeRow, PodRow, PodTemplate, VolumeRow
from clusteraudit.model.store import COMPLETE, Change, Store
from clusteraudit.simulate.columns import FITS
from clusteraudit.simulate.filters.kit import level_of
from clusteraudit.simulate.filters.node_volume_limits import node_volume_limits
from clusteraudit.simulate.filters.volume_slots import NAME, roomy
from clusteraudit.simulate.snapshot import Fork, snapshot

NODES = tuple(f"n{number}" for number in range(6))
CLAIMS = tuple(f"c{number}" for number in range(12))
TEMPLATES = [PodTemplate(), PodTemplate(unmodelled=(NAME,))]
READER = "reader"


def a_pod(chance: Random) -> PodRow:
    assumed = chance.random() < 0.2
    return PodRow(
        "shop",
        f"p{chance.randrange(12)}",
        template=chance.choices(TEMPLATES, (20, 1))[0],
        phase=chance.choice(("Running", "Running", "Failed")),
        node="" if assumed else chance.choice(NODES),
        nominated=chance.choice(NODES) if assumed else "",
        claims=tuple(chance.sample(CLAIMS, chance.randrange(4))),
    )


def a_node(chance: Random) -> CSINodeRow:
    limit = chance.choice((None, 0, 2, 5, 9))
    drivers = chance.choice(((), (("disk", limit),), (("disk", limit), ("file", None))))
    return CSINodeRow("", chance.choice(NODES), drivers=drivers)


def an_attachment(chance: Random) -> AttachmentRow:
    name = chance.choice(CLAIMS)
    return AttachmentRow("", name, attacher="disk", node=chance.choice(NODES), volume=name)


def stays() -> Iterator[Change]:
    """Nodes, volumes and claims."""
    for name in NODES:
        yield Change("Node", ("", name), NodeRow("", name, allocatable=(("pods", 99),)))
    for name in CLAIMS:
        volume = VolumeRow("", name, driver="disk", handle=name)
        yield Change("PersistentVolume", volume.key, volume)
        claim = ClaimRow("shop", name, phase="Bound", volume=name, bound=True)
        yield Change("PersistentVolumeClaim", claim.key, claim)


def changes(chance: Random) -> Iterator[Change]:
    kinds = {"Pod": a_pod, "CSINode": a_node, "VolumeAttachment": an_attachment}
    for _ in range(60):
        kind = chance.choices(list(kinds), (2, 1, 1))[0]
        row = kinds[kind](chance)
        yield Change(kind, row.key, row if chance.random() < 0.8 else None)


def a_store() -> Store:
    store = Store()
    store.learn(dict.fromkeys(KINDS, COMPLETE))
    store.apply(stays())
    return store


def told(cluster: Cluster) -> list[list[bool]]:
    cluster.recorder.begin(READER)
    drivers: list[list[str]] = [[], ["disk"], ["disk", "file"]]
    found = [roomy(cluster, NODES, some, more).tolist() for some in drivers for more in (1, 3)]
    cluster.recorder.end()
    return found


def by_column_and_one_by_one(fork: Fork, pod: PodRow) -> list[tuple[bool, bool]]:
    """Of each node whether it takes the pod's volumes, told both ways."""
    check = node_volume_limits(fork, pod)
    if check is None or check.levels is None:
        return []
    columns = fork.columns
    levels = check.levels(columns).tolist()
    each = [level_of(check.each(fork.nodes[name])) for name in columns.names]
    return [(one == FITS, other == FITS) for one, other in zip(levels, each, strict=True)]


@pytest.mark.parametrize("seed", range(12))
def test_mended_equals_made_anew(seed: int) -> None:
    store = a_store()
    kept = Cluster(store, NOW)
    for change in changes(Random(seed)):
        kept.recorder.dirty(store.apply([change]).cells)
        assert told(kept) == told(Cluster(store, NOW))
        kept.recorder.sweep()


@pytest.mark.parametrize("seed", range(12))
def test_the_column_says_what_each_node_says(seed: int) -> None:
    """Of the cluster, and of a fork in which pods are where the cluster does not say."""
    chance, store, asked = Random(seed), a_store(), 0
    for change in changes(chance):
        store.apply([change])
        fork = snapshot(Cluster(store, NOW)).fork()
        for _ in range(3):
            pod = a_pod(chance)
            both = by_column_and_one_by_one(fork, pod)
            asked += len(both)
            assert all(one == other for one, other in both)
            fork.remove_pod(pod.key)
            fork.add_pod(pod, chance.choice(NODES))
    assert asked > 100
