"""The pods of a workload: in order, told apart as their fields say, each part read by itself."""

import random
from collections.abc import Callable
from typing import cast

import msgspec
import pytest

from clusteraudit.model import store as module
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import ref
from clusteraudit.model.recorder import Opener
from clusteraudit.model.rows import PodRow, PodTemplate, Ref, Trouble, WorkloadRow
from clusteraudit.model.store import Change, Store
from clusteraudit.model.workload_pods import ToldApart, WorkloadPods

WEB = ref("Deployment", "shop", "web")
SETS = [ref("ReplicaSet", "shop", f"web-{number}") for number in (2, 1)]
TEMPLATES = [PodTemplate(owner=one, priority=at) for at in range(2) for one in SETS]


def a_pod(number: int, chance: random.Random) -> PodRow:
    return PodRow(
        "shop",
        f"web-{number:02}",
        template=chance.choice(TEMPLATES),
        phase=chance.choice(("Pending", "Running", "Running", "Succeeded", "Failed")),
        node=chance.choice(("", "n1")),
        claims=chance.choice(((), ("data",))),
        terminating=chance.random() < 0.3,
        gates=chance.choice(((), (), ("wait",))),
        troubles=chance.choice(((), (Trouble(container="app"),))),
    )


def cluster_with(pods: list[PodRow]) -> Cluster:
    store = Store()
    store.apply([Change("Deployment", WEB.key, WorkloadRow(*WEB.key, kind="Deployment"))])
    for one in SETS:
        row = WorkloadRow(*one.key, kind="ReplicaSet", owner=WEB)
        store.apply([Change("ReplicaSet", one.key, row)])
    store.apply([Change("Pod", pod.key, pod) for pod in pods])
    return Cluster(store, 0)


@pytest.mark.parametrize("seed", range(20))
def test_each_pod_is_where_its_fields_say(seed: int) -> None:
    chance = random.Random(seed)
    cluster = cluster_with([a_pod(n, chance) for n in chance.sample(range(99), 30)])
    pods, apart = cluster.pods_of(WEB), cluster.workload_pods(WEB)
    assert pods == sorted(pods, key=lambda pod: pod.key)
    assert len(pods) == 30
    living = [pod for pod in pods if pod.active and not pod.terminating]
    assert [pod for alike in apart.by_template.values() for pod in alike] == sorted(
        living, key=lambda pod: [id(one.template) for one in living].index(id(pod.template))
    )
    assert apart.terminating == [pod for pod in pods if pod.active and pod.terminating]
    assert apart.waiting == [pod for pod in pods if pod.unplaced]
    assert apart.with_claims == [pod for pod in pods if pod.claims]
    assert apart.with_troubles == [pod for pod in pods if pod.troubles]


READINGS: dict[str, Callable[[WorkloadPods], object]] = {
    "by_template": lambda its: [
        [(pod.key, pod.template, pod.node, pod.synthetic) for pod in alike]
        for alike in its.by_template.values()
    ],
    "terminating": lambda its: list(its.terminating),
    "waiting": lambda its: list(its.waiting),
    "with_troubles": lambda its: list(its.with_troubles),
    "with_claims": lambda its: [
        (pod.key, pod.claims, pod.node, pod.template, pod.active, pod.terminating)
        for pod in its.with_claims
    ],
}
"""What may be read of each part."""


def a_change(chance: random.Random) -> Change:
    """A pod or a controller between comes, changes, changes hands or goes."""
    gone = chance.random() < 0.3
    if chance.random() < 0.2:
        one = chance.choice(SETS)
        owner = chance.choice((WEB, WEB, None))
        row = None if gone else WorkloadRow(*one.key, kind="ReplicaSet", owner=owner)
        return Change("ReplicaSet", one.key, row)
    pod = a_pod(chance.randrange(6), chance)
    ready = msgspec.structs.replace(pod, ready=chance.random() < 0.5)
    return Change("Pod", pod.key, None if gone else ready)


@pytest.mark.parametrize("seed", range(20))
def test_who_reads_a_part_is_asked_again_when_it_changes(seed: int) -> None:
    chance, store = random.Random(seed), Store()
    cluster = Cluster(store, 0)
    recorder = cluster.recorder
    said: dict[tuple[Ref, str], object] = {}
    readers = [(one, part) for one in (WEB, *SETS) for part in READINGS]
    asked = set[Opener](readers)
    for _ in range(60):
        for workload, part in (one for one in readers if one in asked):
            recorder.begin((workload, part))
            said[workload, part] = READINGS[part](cluster.workload_pods(workload))
            recorder.end()
        changes = [a_change(chance) for _ in range(chance.randrange(1, 3))]
        asked = recorder.dirty(store.apply(changes, recorder.openers).cells)
        for (workload, part), before in said.items():
            now = READINGS[part](cluster.workload_pods(workload))
            assert now == before or (workload, part) in asked, (workload, part)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_told_apart_is_what_would_be_told_anew(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGE", 2)
    chance, store = random.Random(seed), Store()
    cluster, kept = Cluster(store, 0), 0
    for _ in range(120):
        store.apply([a_change(chance) for _ in range(chance.randrange(1, 3))])
        for workload in (WEB, *SETS):
            its, anew = cluster.workload_pods(workload), ToldApart(cluster.pods_of(workload))
            for read in READINGS.values():
                assert read(its) == read(cast("WorkloadPods", anew))
        kept = max(kept, len(store._told))
    assert kept, "none was large enough"
    owned = [Change("Pod", key, None) for key in store.tables["Pod"]]
    store.apply(owned)
    assert not store._told


def test_that_a_pod_becomes_ready_asks_nobody_who_reads_parts() -> None:
    pod = PodRow("shop", "web-1", template=TEMPLATES[0], phase="Running", node="n1", claims=("d",))
    cluster = cluster_with([pod])
    for part, read in READINGS.items():
        cluster.recorder.begin(part)
        read(cluster.workload_pods(WEB))
        cluster.recorder.end()
    ready = Change("Pod", pod.key, msgspec.structs.replace(pod, ready=True))
    touched = cluster._store.apply([ready], cluster.recorder.openers)
    assert cluster.recorder.dirty(touched.cells) == set()
