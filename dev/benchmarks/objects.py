"""A made cluster as objects of the API, for files: seeded, of any size, skewed as clusters are.

Of each object only what a snapshot holds, and labels as charts give them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = "2026-01-01T12:00:00Z"
FULL = 150_000
"""Pods of a cluster as large as Kubernetes supports; all else is in proportion to it."""
ZONE = "topology.kubernetes.io/zone"
ZONES = "abc"
CPU = (10, 25, 50, 100, 100, 250, 500, 1000, 2000)
MEMORY = (32, 64, 128, 256, 256, 512, 1024, 4096)

Object = dict[str, Any]


def objects(pods: int, seed: int = 1) -> Iterator[Object]:
    """Nodes, policies and namespaces, then each workload with all that belongs to it."""
    chance = random.Random(seed)
    share = pods / FULL
    nodes, workloads = max(3, round(5000 * share)), max(3, round(10_000 * share))
    for number in range(nodes):
        yield from _node(number)
    for number in range(max(2, round(400 * share))):
        yield _thing("v1", "Namespace", f"team-{number}")
    sizes = [min(pods // 50 + 1, int(chance.paretovariate(1.1))) for _ in range(workloads)]
    for at in (chance.randrange(workloads) for _ in range(max(0, pods - sum(sizes)))):
        sizes[at] += 1
    for number, size in enumerate(sizes):
        team = f"team-{number % max(2, round(400 * share))}"
        yield from _workload(number, size, team, nodes, chance)


def _thing(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> Object:  # noqa: ANN401 - as the API has them
    meta = {"name": name, "resourceVersion": "1", "creationTimestamp": NOW}
    meta |= {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {**meta, **rest.pop("metadata", {})},
        **rest,
    }


def _node(number: int) -> Iterator[Object]:
    name = f"ip-10-{number >> 8}-{number & 255}.example.internal"
    labels = {"kubernetes.io/hostname": name, ZONE: ZONES[number % 3]}
    labels |= {"karpenter.sh/nodepool": f"pool-{number % 5}", "kubernetes.io/os": "linux"}
    room = {"cpu": "32", "memory": "128Gi", "pods": "110", "ephemeral-storage": "200Gi"}
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": NOW}]
    status = {"allocatable": room, "capacity": room, "conditions": conditions}
    yield _thing("v1", "Node", name, metadata={"labels": labels}, status=status)
    used = {"cpu": f"{number * 1000 + 4 * 10**9}n", "memory": f"{8_000_000 + number}Ki"}
    yield _thing("metrics.k8s.io/v1beta1", "NodeMetrics", name, timestamp=NOW, usage=used)


def _workload(
    number: int, pods: int, team: str, nodes: int, chance: random.Random
) -> Iterator[Object]:
    app, stateful = f"service-{number:05}", number % 7 == 0
    kind = "StatefulSet" if stateful else "Deployment"
    labels = {f"app.kubernetes.io/{key}": app for key in ("name", "instance", "component")}
    labels |= {"app.kubernetes.io/managed-by": "Helm", "cost-center": f"cc-{number % 50}"}
    chosen = {"matchLabels": {"app.kubernetes.io/name": app}}
    asks = {"cpu": f"{chance.choice(CPU)}m", "memory": f"{chance.choice(MEMORY)}Mi"}
    ports = [{"containerPort": 8080, "name": "http"}]
    container = {"name": "app", "ports": ports, "resources": {"requests": asks}}
    template: Object = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": pods, "selector": chosen, "template": template}
    yield _thing("apps/v1", kind, app, team, metadata={"labels": labels}, spec=spec)
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": app, "controller": True}
    if not stateful:
        for revision in range(12):
            meta = {"labels": labels, "ownerReferences": [owner]}
            yield _thing("apps/v1", "ReplicaSet", f"{app}-{revision:09x}", team, metadata=meta)
        owner = {**owner, "kind": "ReplicaSet", "name": f"{app}-{0:09x}"}
    yield _thing("v1", "Service", app, team, spec={"selector": chosen["matchLabels"]})
    said = {"endpoints": [{"conditions": {"ready": True}}] * pods, "addressType": "IPv4"}
    named = {"labels": {"kubernetes.io/service-name": app}}
    yield _thing("discovery.k8s.io/v1", "EndpointSlice", f"{app}-x", team, metadata=named, **said)
    wanted = {"selector": chosen, "maxUnavailable": 1}
    yield _thing("policy/v1", "PodDisruptionBudget", app, team, spec=wanted)
    if number % 5 == 0:
        policy = {"podSelector": chosen, "policyTypes": ["Ingress"]}
        yield _thing("networking.k8s.io/v1", "NetworkPolicy", app, team, spec=policy)
    for at in range(pods):
        name = f"{app}-{at}" if stateful else f"{owner['name']}-{chance.randrange(36**5):05x}{at}"
        meta = {"labels": labels, "ownerReferences": [owner]}
        yield from _pod(name, team, meta, container, chance.randrange(nodes))


def _pod(name: str, team: str, meta: Object, container: Object, node: int) -> Iterator[Object]:
    there = f"ip-10-{node >> 8}-{node & 255}.example.internal"
    spec: Object = {"nodeName": there, "containers": [container], "volumes": [_SCRATCH]}
    if meta["ownerReferences"][0]["kind"] == "StatefulSet":
        spec["volumes"] = [_SCRATCH, {"name": "d", "persistentVolumeClaim": {"claimName": name}}]
        yield from _disk(name, team, ZONES[node % 3])
    said = {
        "name": "app",
        "ready": True,
        "restartCount": node % 3,
        "image": "registry.example.com/a",
    }
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": NOW} for kind in _STATES]
    status = {"phase": "Running", "qosClass": "Burstable", "conditions": conditions}
    status["containerStatuses"] = [said]
    yield _thing("v1", "Pod", name, team, metadata=meta, spec=spec, status=status)
    used = {"cpu": f"{node * 104_729 % 400_000_000}n", "memory": f"{30_000 + node * 7}Ki"}
    containers = [{"name": "app", "usage": used}]
    kind = ("metrics.k8s.io/v1beta1", "PodMetrics", name, team)
    yield _thing(*kind, timestamp=NOW, containers=containers)


def _disk(name: str, team: str, zone: str) -> Iterator[Object]:
    room, volume = {"storage": "10Gi"}, f"pvc-{team}-{name}"
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": room}}
    claim = {**asked, "volumeName": volume, "storageClassName": "fast"}
    phase = {"phase": "Bound"}
    yield _thing("v1", "PersistentVolumeClaim", name, team, spec=claim, status=phase)
    inside = {"key": ZONE, "operator": "In", "values": [zone]}
    spec = {
        "capacity": room,
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "claimRef": {"namespace": team, "name": name},
        "csi": {"driver": "disk.example.com", "volumeHandle": volume},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [inside]}]}},
    }
    yield _thing("v1", "PersistentVolume", volume, spec=spec, status=phase)


_SCRATCH: Object = {"name": "tmp", "emptyDir": {}}
_STATES = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
