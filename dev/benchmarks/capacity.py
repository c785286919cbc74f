"""`capacity` on a made cluster: from the model to its figures, and to JSON.

    PYTHONPATH=operator:dev python -m benchmarks.capacity --nodes 5000 --pods 150000

The cluster is seeded: pools of different machines, GPU nodes behind a taint, several hundred
workloads with requests of their own, a few of them confined to a pool.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from typing import TYPE_CHECKING

from clusteraudit.cli.main import collect_rarely
from clusteraudit.model.build import NOW
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import NodeRow, PodRow, PodTemplate, Ref
from clusteraudit.model.selectors import Labels, equal_to
from clusteraudit.model.store import COMPLETE, Change, Store
from clusteraudit.model.tolerations import Taint, Toleration
from clusteraudit.report.capacity import capacity
from clusteraudit.report.inputs import Origin, inputs
from clusteraudit.simulate.answer import Answer
from clusteraudit.simulate.capacity import whole
from clusteraudit.simulate.workload import workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusteraudit.simulate.pools import By

GPU = "nvidia.com/gpu"
GIB = 2**30
POOL = "karpenter.sh/nodepool"
MACHINES = ((4, 16, 0), (8, 32, 0), (16, 64, 0), (16, 128, 0), (32, 128, 0), (48, 192, 8))
"""CPU, GiB and GPUs of the machines of each pool."""


def node(number: int) -> NodeRow:
    """A node; the pools take turns."""
    cpu, memory, gpus = MACHINES[number % len(MACHINES)]
    has = [("cpu", cpu * 1000 - 80), ("memory", memory * GIB), ("pods", 110)]
    has += [("ephemeral-storage", 100 * GIB), *([(GPU, gpus)] if gpus else [])]
    name = f"node-{number:05}"
    pairs = {
        POOL: f"pool-{number % len(MACHINES)}",
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": "abc"[number % 3],
    }
    taints = (Taint(GPU),) if gpus else ()
    return NodeRow(
        "",
        name,
        labels=Labels(tuple(sorted(pairs.items()))),
        taints=taints,
        ready=True,
        allocatable=tuple(sorted(has)),
    )


def template(number: int, chance: random.Random) -> PodTemplate:
    """What the pods of a workload ask for."""
    gpus = chance.choice((1, 2, 8)) if number % 25 == 0 else 0
    asks = {"cpu": chance.randrange(50, 2000, 10), "memory": chance.randrange(64, 4096, 32) * 2**20}
    asks |= {GPU: gpus} if gpus else {}
    confined = equal_to(((POOL, f"pool-{number % 5}"),)) if number % 10 == 1 else ()
    return PodTemplate(
        labels=Labels((("app", f"app-{number}"),)),
        owner=Ref("apps/v1", "ReplicaSet", "shop", f"app-{number}-1"),
        requests=tuple(sorted(asks.items())),
        limits=(("memory", asks["memory"]),),
        node_selector=confined,
        tolerations=(Toleration(GPU, "Exists"),) if gpus else (),
    )


def changes(nodes: int, pods: int, workloads: int, seed: int) -> Iterator[Change]:
    """The cluster: each pod on a node drawn by lot, whether it would fit there or not."""
    chance = random.Random(seed)
    for number in range(nodes):
        made = node(number)
        yield Change("Node", made.key, made)
    templates = [template(number, chance) for number in range(workloads)]
    for number in range(pods):
        name = f"pod-{number:06}"
        on = f"node-{chance.randrange(nodes):05}"
        pod = PodRow(
            "shop", name, template=chance.choice(templates), phase="Running", node=on, ready=True
        )
        yield Change("Pod", pod.key, pod)


def model(nodes: int, pods: int, workloads: int, seed: int) -> Store:
    """The model of such a cluster, known in full."""
    store = Store()
    store.apply(changes(nodes, pods, workloads, seed))
    store.learn(dict.fromkeys(KINDS, COMPLETE))
    return store


def asked(store: Store, by: By) -> tuple[float, float]:
    """CPU seconds from the model to the figures, and from there to JSON."""
    began = time.process_time()
    cluster = Cluster(store, NOW)
    cluster.recorder.begin("capacity")
    answer = Answer(cluster, workload(cluster), by)
    shape = capacity(answer, inputs([], [], Origin()), given=False)
    made = time.process_time()
    shape.model_dump_json(by_alias=True)
    return made - began, time.process_time() - made


def kept(store: Store) -> tuple[float, float]:
    """CPU seconds of the operator's figures: the first time, and after one pod moved."""
    cluster = Cluster(store, NOW)
    began = time.process_time()
    cluster.recorder.begin("capacity")
    whole(cluster)
    cluster.recorder.end()
    first = time.process_time() - began
    pod = next(iter(store.tables["Pod"].values()))
    touched = store.apply([Change("Pod", pod.key, None)])
    began = time.process_time()
    cluster.recorder.dirty(touched.cells)
    cluster.recorder.begin("capacity")
    whole(cluster)
    cluster.recorder.end()
    return first, time.process_time() - began


def main() -> None:
    """Print the figures."""
    collect_rarely()
    parser = argparse.ArgumentParser(prog="benchmarks.capacity", description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=150_000)
    parser.add_argument("--workloads", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    asks = parser.parse_args()
    store = model(asks.nodes, asks.pods, asks.workloads, asks.seed)
    print(f"{asks.nodes} nodes, {asks.pods} pods of {asks.workloads} workloads, seed {asks.seed}")
    ways: tuple[By, ...] = ("pool", "zone", "node")
    for by in ways:
        figures, text = asked(store, by)
        print(f"capacity --by {by}: {figures:.2f} s, JSON {text:.2f} s")
    first, again = kept(store)
    print(f"of the operator: {first:.2f} s at first, {again:.2f} s after a pod has gone")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
