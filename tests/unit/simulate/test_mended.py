"""What is kept by deltas is what would be made anew: sums of nodes, waste, copies, free room."""

import random
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest

from clusteraudit.model.build import NOW
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS, ref
from clusteraudit.model.rows import SLOTS, NodeRow, PodRow, PodTemplate
from clusteraudit.model.selectors import Labels, Requirement
from clusteraudit.model.store import COMPLETE, Change, Store
from clusteraudit.simulate.capacity import everything, groups, question, survey, whole
from clusteraudit.simulate.filters.kit import Shape
from clusteraudit.simulate.homes import in_reach, rooms, with_room
from clusteraudit.simulate.loads import Column, Part, loads
from clusteraudit.simulate.overcommit import promised, unsaid
from clusteraudit.simulate.room import CLIP, Room
from clusteraudit.simulate.snapshot import snapshot
from clusteraudit.simulate.workload import owners, workload

NODES, PODS, STEPS = 24, 200, 25
BOUNDS = (0, 999, 1000, 2500)
OPENER = "test"


def a_node(number: int, dice: random.Random) -> NodeRow:
    cpu, memory = dice.choice(((2000, 2**32), (4000, 2**34), (10**15, 2**60)))
    more = (("example.com/gpu", 4),) if dice.random() < 0.2 else ()
    return NodeRow(
        "",
        f"n{number:02}",
        labels=Labels((("disk", dice.choice(("ssd", "hdd"))),)),
        unschedulable=dice.random() < 0.1,
        ready=True,
        allocatable=(("cpu", cpu), *more, ("memory", memory), (SLOTS, dice.choice((3, 110)))),
    )


def a_template(dice: random.Random) -> PodTemplate:
    asks = {"cpu": dice.choice((0, 100, 700, 2500)), "memory": dice.choice((2**20, 2**31, 2**55))}
    asks |= {"example.com/gpu": 1} if dice.random() < 0.1 else {}
    wants = (Requirement("disk", "In", ("ssd",)),) if dice.random() < 0.3 else ()
    kind = dice.choice(("ReplicaSet", "DaemonSet", "StatefulSet", ""))
    return PodTemplate(
        owner=ref(kind, "shop", f"w{dice.randrange(9)}") if kind else None,
        requests=tuple(sorted(asks.items())),
        limits=(("memory", 2 ** dice.randrange(20, 40)),) if dice.random() < 0.5 else (),
        unlimited=dice.randrange(2),
        node_selector=wants,
        priority=dice.choice((-1, 0, 0, 2 * 10**9)),
        static=dice.random() < 0.05,
        unmodelled=("DynamicResources",) if dice.random() < 0.1 else (),
    )


def a_pod(number: int, templates: list[PodTemplate], dice: random.Random) -> PodRow:
    sort = dice.random()
    return PodRow(
        "shop",
        f"p{number:03}",
        template=dice.choice(templates),
        phase="Running" if sort < 0.8 else "Pending",
        node=f"n{dice.randrange(NODES + 2):02}" if sort < 0.8 else "",
        nominated=f"n{dice.randrange(NODES):02}" if sort > 0.95 else "",
        unschedulable_since=NOW if 0.8 <= sort <= 0.9 else None,
    )


def steps(dice: random.Random) -> Iterator[list[Change]]:
    templates = [a_template(dice) for _ in range(25)]
    rows = [a_node(number, dice) for number in range(NODES)]
    pods = [a_pod(number, templates, dice) for number in range(PODS)]
    yield [Change("Node", one.key, one) for one in rows]
    yield [Change("Pod", one.key, one) for one in pods]
    for _ in range(STEPS):
        some = [dice.randrange(PODS) for _ in range(dice.choice((1, 1, 3, 60)))]
        made = [a_pod(number, templates, dice) for number in some]
        yield [Change("Pod", one.key, one if dice.random() < 0.6 else None) for one in made]
        if dice.random() < 0.3:
            node = a_node(dice.randrange(NODES), dice)
            yield [Change("Node", node.key, node if dice.random() < 0.8 else None)]
        if dice.random() < 0.2:
            templates[dice.randrange(25)] = a_template(dice)


def told(cluster: Cluster) -> list[object]:
    """All of it, as plain values."""
    cluster.recorder.begin(OPENER)
    found, held, now = survey(cluster), loads(cluster), snapshot(cluster)
    names = found.room.nodes
    rows = held.rows(names)
    kinds = sorted({one.shape.constraints for one in found.workload}, key=str)
    said: list[object] = [
        {key: sums for key in COLUMNS if any(sums := held.amounts(*key, rows).tolist())},
        found.room.resources,
        found.workload,
        workload(cluster, "all"),
        [owners(cluster, one.shape) for one in found.workload],
        [one.tolist() for one in (found.waste.own, found.waste.slots, found.waste.constraint)],
        {key: one.tolist() for key, one in found.waste.other.items() if one.any()},
        (found.waste.stranded.tolist(), found.waste.not_requested.tolist()),
        (found.copies.fits.tolist(), found.copies.ideal.tolist()),
        whole(cluster),
        [promised(cluster, bound) for bound in BOUNDS],
        unsaid(cluster),
        [[(info.name, info.free) for info in rooms(cluster, one)] for one in kinds],
        [with_room(cluster, one.shape, ()) for one in found.workload],
        [[now.columns.free(one).tolist() for one in found.room.resources]],
    ]
    assert whole(cluster) is None or _as_one_group(cluster)
    assert said[-2] == [_two_with_room(cluster, found.room, one.shape) for one in found.workload]
    cluster.recorder.end()
    limited = promised(cluster, 0).values()
    for bound in BOUNDS:
        over = {one.node: one for one in limited if one.permille > bound}
        assert promised(cluster, bound) == over
    for at, info in enumerate(now.infos()):
        assert all(
            now.columns.free(name)[at] == np.clip(left, -(2**63), 2**63 - 1)
            for name, left in info.free.items()
        )
    return said


def _as_one_group(cluster: Cluster) -> bool:
    """Whether the cluster, the sum of its pools, is what its nodes are as one group."""
    told, one = whole(cluster), question(cluster, workload(cluster))
    return told is not None and told.cluster == next(groups(one, everything(one)))


def _two_with_room(cluster: Cluster, found: Room, shape: Shape) -> tuple[str, ...]:
    wanted = [(found.column[name], min(n, CLIP)) for name, n in (*shape.requests, (SLOTS, 1))]
    homes = in_reach(cluster, shape.constraints, ())
    rows = [(one, found.row[one]) for one in homes]
    return tuple(
        one for one, row in rows if all(found.standing[at, row] >= n for at, n in wanted if n)
    )[:2]


COLUMNS: list[Column] = [
    (part, resource)
    for part in get_args(Part)
    for resource in ("cpu", "memory", SLOTS, "example.com/gpu")
]


@pytest.mark.parametrize("seed", range(12))
def test_mended_equals_made_anew(seed: int) -> None:
    """After each of many changes, whatever was kept says what a new cluster's would."""
    store = Store()
    store.learn(dict.fromkeys(KINDS, COMPLETE))
    kept = Cluster(store, NOW)
    for changes in steps(random.Random(seed)):
        kept.recorder.dirty(store.apply(changes).cells)
        assert told(kept) == told(Cluster(store, NOW))
        kept.recorder.sweep()


def test_what_was_told_before_a_change_stays_as_it_was() -> None:
    """Whoever compares with it must find what it was: a change is summed into a copy."""
    store, made = Store(), steps(random.Random(5))
    store.apply([*next(made), *next(made)])
    store.learn(dict.fromkeys(KINDS, COMPLETE))
    kept = Cluster(store, NOW)
    kept.recorder.begin(OPENER)
    old, waste = loads(kept), survey(kept)
    kept.recorder.end()
    before = told(Cluster(store, NOW))
    pod = next(one for one in store.tables["Pod"].values() if isinstance(one, PodRow) and one.node)
    kept.recorder.dirty(store.apply([Change("Pod", pod.key, None)]).cells)
    assert told(kept) != before
    store.apply([Change("Pod", pod.key, pod)])
    assert old == loads(Cluster(store, NOW))
    assert waste.waste.own.tolist() == survey(Cluster(store, NOW)).waste.own.tolist()
