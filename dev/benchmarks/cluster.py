"""A made cluster of every audited kind, as rows: seeded, and of any size.

Workloads are Deployments with a ReplicaSet between; each tenth has a claim per pod and is a
StatefulSet. One workload in a hundred waits for room, a few nodes are cordoned, a few pods are
not ready: a cluster in which little is wrong, as most are.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from clusteraudit.model.build import NOW
from clusteraudit.model.kinds import ref
from clusteraudit.model.rows import (
    BudgetRow,
    ClaimRow,
    EndpointSliceRow,
    NamespaceRow,
    NodeRow,
    PodRow,
    PodTemplate,
    PolicyRow,
    Ref,
    Row,
    ServiceRow,
    StorageClassRow,
    UsageRow,
    VolumeRow,
    WorkloadRow,
)
from clusteraudit.model.selectors import (
    Labels,
    LabelSelector,
    NodeSelector,
    NodeSelectorTerm,
    equal_to,
)
from clusteraudit.model.store import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

NODES, PODS, WORKLOADS, NAMESPACES, SEED = 5_000, 150_000, 10_000, 300, 1
GIB = 2**30
POOLS, ZONES = 12, "abc"
ZONE = "topology.kubernetes.io/zone"
MACHINES = ((16, 64), (32, 128), (64, 256))
"""CPU and GiB of the machines; the pools take turns."""
CPU = (50, 100, 200, 250, 500, 1000, 2000)
MEMORY = (64, 128, 256, 512, 1024, 2048, 4096)
"""Millicores and MiB that people write."""
WRITTEN = 0.9
"""Share of workloads that ask for such; the others for what somebody has measured."""
UNREADY = 0.001
"""Share of pods that are not ready."""

Made = tuple[str, Row]


def changes(
    nodes: int = NODES, pods: int = PODS, workloads: int = WORKLOADS, seed: int = SEED
) -> Iterator[Change]:
    """The cluster, object by object."""
    chance = random.Random(seed)
    made = [*_ground(nodes, chance)]
    each = max(1, pods // workloads)
    for number in range(workloads):
        made += _workload(number, each, nodes, chance)
    return (Change(kind, row.key, row) for kind, row in made)


def _ground(nodes: int, chance: random.Random) -> Iterator[Made]:
    for number in range(nodes):
        yield "Node", _node(number)
        used = (chance.randrange(1000, 8000), chance.randrange(4, 32) * GIB)
        yield "NodeMetrics", UsageRow("", f"node-{number:05}", cpu=used[0], memory=used[1], at=NOW)
    for number in range(NAMESPACES):
        name = f"team-{number}"
        yield "Namespace", NamespaceRow("", name, labels=Labels((("team", name),)))
        selector = LabelSelector(equal_to((("app", f"app-{number}"),)))
        yield "NetworkPolicy", PolicyRow(name, "some", selector=selector)
    for name in ("waits", "immediate"):
        mode = "WaitForFirstConsumer" if name == "waits" else "Immediate"
        row = StorageClassRow("", name, provisioner="disk.example.com", binding_mode=mode)
        yield "StorageClass", row


def _node(number: int) -> NodeRow:
    cpu, memory = MACHINES[number % len(MACHINES)]
    name = f"node-{number:05}"
    pairs = {
        "karpenter.sh/nodepool": f"pool-{number % POOLS}",
        "kubernetes.io/hostname": name,
        ZONE: ZONES[number % len(ZONES)],
    }
    room = (("cpu", cpu * 1000 - 80), ("memory", memory * GIB), ("pods", 110))
    return NodeRow(
        "",
        name,
        labels=Labels(tuple(sorted(pairs.items()))),
        unschedulable=number % 500 == 0,
        ready=True,
        allocatable=room,
        capacity=room,
    )


def _workload(number: int, pods: int, nodes: int, chance: random.Random) -> Iterator[Made]:
    """A workload with its pods, Service, budget, and claims if it has any."""
    namespace, app = f"team-{number % NAMESPACES}", f"app-{number}"
    stateful = number % 10 == 0
    kind = "StatefulSet" if stateful else "Deployment"
    top = ref(kind, namespace, app)
    owner = top if stateful else ref("ReplicaSet", namespace, f"{app}-1")
    labels = Labels((("app", app),))
    selector = LabelSelector(equal_to(labels.pairs))
    template = _template(labels, owner, chance)
    yield kind, WorkloadRow(namespace, app, kind=kind, replicas=pods, template=template)
    if not stateful:
        yield "ReplicaSet", WorkloadRow(namespace, owner.name, kind="ReplicaSet", owner=top)
    yield "Service", ServiceRow(namespace, app, selector=selector, created=NOW - 86_400)
    slices = EndpointSliceRow(namespace, f"{app}-1", service=app, ready=pods, total=pods)
    yield "EndpointSlice", slices
    yield "PodDisruptionBudget", _budget(namespace, app, selector, pods)
    for at in range(pods):
        name = f"{app}-{at}"
        if number % 100 == 1:  # more than any machine has: it finds no node
            more = msgspec.structs.replace(template, requests=(("cpu", 80_000),))
            yield "Pod", PodRow(namespace, name, template=more, unschedulable_since=NOW - 3600)
            continue
        node = chance.randrange(nodes)
        yield "Pod", _pod(namespace, name, template, node, chance)
        used = chance.randrange(32, 2048) * 2**20
        yield "PodMetrics", UsageRow(namespace, name, cpu=50, memory=used, at=NOW)
        if stateful:
            yield from _disk(namespace, name, ZONES[node % len(ZONES)])


def _template(labels: Labels, owner: Ref, chance: random.Random) -> PodTemplate:
    written = chance.random() < WRITTEN
    cpu = chance.choice(CPU) if written else chance.randrange(50, 1500, 10)
    memory = chance.choice(MEMORY) if written else chance.randrange(64, 4096, 32)
    asks = {"cpu": cpu, "memory": memory * 2**20}
    return PodTemplate(
        labels=labels,
        owner=owner,
        requests=tuple(sorted(asks.items())),
        limits=(("memory", 2 * asks["memory"]),),
        memory_request=asks["memory"],
    )


def _budget(namespace: str, app: str, selector: LabelSelector, pods: int) -> BudgetRow:
    return BudgetRow(
        namespace,
        app,
        selector=selector,
        max_unavailable="1",
        disruptions_allowed=1,
        current_healthy=pods,
        desired_healthy=pods - 1,
        expected_pods=pods,
    )


def _pod(
    namespace: str, name: str, template: PodTemplate, node: int, chance: random.Random
) -> PodRow:
    unready = NOW - 60 if chance.random() < UNREADY else None
    claimed = template.owner is not None and template.owner.kind == "StatefulSet"
    return PodRow(
        namespace,
        name,
        template=template,
        phase="Running",
        node=f"node-{node:05}",
        claims=(name,) if claimed else (),
        ready=unready is None,
        unready_since=unready,
    )


def _disk(namespace: str, claim: str, zone: str) -> Iterator[Made]:
    volume = f"{namespace}-{claim}"
    yield (
        "PersistentVolumeClaim",
        ClaimRow(
            namespace,
            claim,
            phase="Bound",
            volume=volume,
            bound=True,
            storage_class="waits",
            created=NOW - 86_400,
        ),
    )
    inside = NodeSelector((NodeSelectorTerm(equal_to(((ZONE, zone),))),))
    row = VolumeRow(
        "", volume, affinity=inside, claim=(namespace, claim), phase="Bound", storage_class="waits"
    )
    yield "PersistentVolume", row
