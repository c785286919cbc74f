"""The pods of a workload: in order, and told apart as their fields say."""

import random

import pytest

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import ref
from clusteraudit.model.rows import PodRow, PodTemplate, Trouble, WorkloadRow
from clusteraudit.model.store import Change, Store

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
