"""Usage as metrics.k8s.io tells it, of every node and pod."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from controlplane.objects import METRICS, node_usage, pod_usage
from scale.cluster import MACHINES, node_name, pool_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scale.cluster import Cluster, Workload
    from scale.etcd import Put


def usage(cluster: Cluster, now: str, seed: int = 3) -> Iterator[Put]:
    """Of all nodes and of all pods that run."""
    chance = random.Random(seed)
    for number in range(cluster.size.nodes):
        cores, gib = MACHINES[pool_of(number)]
        used = {"cpu": f"{chance.randrange(100, 600 * cores)}m"}
        used["memory"] = f"{chance.randrange(1024, 700 * gib)}Mi"
        name = node_name(number)
        yield f"{METRICS}/nodes/{name}", _bytes(node_usage(name, used, now))
    for workload in cluster.workloads:
        if workload.kind != "Job":
            yield from _of_pods(workload, now, chance)


def _of_pods(workload: Workload, now: str, chance: random.Random) -> Iterator[Put]:
    names = ("app", "mesh-proxy") if workload.sidecar else ("app",)
    for at, node in enumerate(workload.nodes):
        if node is not None:
            used = {name: _used(workload, chance) for name in names}
            made = pod_usage(workload.namespace, workload.pod(at), used, now)
            yield f"{METRICS}/pods/{workload.namespace}/{workload.pod(at)}", _bytes(made)


def _used(workload: Workload, chance: random.Random) -> dict[str, str]:
    memory = chance.randrange(workload.memory // 4, workload.memory + 1)
    return {"cpu": f"{chance.randrange(1, workload.cpu + 1)}m", "memory": f"{memory}Mi"}


def _bytes(made: dict[str, object]) -> bytes:
    return json.dumps(made, separators=(",", ":")).encode()
