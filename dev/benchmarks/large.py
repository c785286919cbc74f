"""A large cluster as rows: nodes of three zones, and workloads of the kinds that there are."""

import random
from collections.abc import Iterator

from clusteraudit.model.constraints import PodTerm, Spread
from clusteraudit.model.kinds import KINDS, ref
from clusteraudit.model.rows import (
    BudgetRow,
    ClaimRow,
    NodeRow,
    PodRow,
    PodTemplate,
    VolumeRow,
    WorkloadRow,
)
from clusteraudit.model.selectors import (
    Labels,
    LabelSelector,
    NodeSelector,
    NodeSelectorTerm,
    Requirement,
    equal_to,
)
from clusteraudit.model.store import COMPLETE, Change, Store

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
ZONES = ("zone-a", "zone-b", "zone-c")
GIB = 2**30
SHAPES = ((100, GIB // 4), (250, GIB // 2), (500, GIB), (1000, 2 * GIB), (2000, 4 * GIB))
OF_EACH = 30
"""Pods of a workload."""


def store(nodes: int, pods: int, seed: int = 1) -> Store:
    """A model of so many nodes and pods, all kinds known."""
    made = Store()
    made.apply(_nodes(nodes))
    made.apply(_workloads(nodes, pods, random.Random(seed)))
    made.learn(dict.fromkeys(KINDS, COMPLETE))
    return made


def zone_of(number: int) -> str:
    """The zone of a node, by its number."""
    return ZONES[number % len(ZONES)]


def _nodes(count: int) -> Iterator[Change]:
    room = (("cpu", 32_000), ("memory", 128 * GIB), ("pods", 110))
    for number in range(count):
        name = f"node-{number:05}"
        labels = Labels(((HOSTNAME, name), (ZONE, zone_of(number))))
        row = NodeRow("", name, labels=labels, allocatable=room, capacity=room, ready=True)
        yield Change("Node", row.key, row)


def _workloads(nodes: int, pods: int, dice: random.Random) -> Iterator[Change]:
    for number in range(pods // OF_EACH):
        yield from _workload(f"w{number:05}", f"ns-{number % 200:03}", nodes, dice)


def _workload(name: str, namespace: str, nodes: int, dice: random.Random) -> Iterator[Change]:
    sort = dice.choices(("plain", "apart", "spread", "state"), (0.75, 0.1, 0.1, 0.05))[0]
    kind = "StatefulSet" if sort == "state" else "ReplicaSet"
    owner = ref(kind, namespace, name)
    template = _template(name, sort, dice, kind, namespace)
    yield Change(kind, owner.key, WorkloadRow(namespace, name, kind=kind, replicas=OF_EACH))
    budget = BudgetRow(
        namespace,
        name,
        selector=_selector(name),
        max_unavailable="10%",
        disruptions_allowed=OF_EACH // 10,
        current_healthy=OF_EACH,
        desired_healthy=OF_EACH - OF_EACH // 10,
        expected_pods=OF_EACH,
    )
    yield Change("PodDisruptionBudget", budget.key, budget)
    for number, node in enumerate(dice.sample(range(nodes), OF_EACH)):
        claim = f"data-{name}-{number}"
        if sort == "state":
            yield from _disk(claim, namespace, zone_of(node))
        pod = PodRow(
            namespace,
            f"{name}-{number}",
            template=template,
            phase="Running",
            node=f"node-{node:05}",
            ready=True,
            claims=(claim,) if sort == "state" else (),
        )
        yield Change("Pod", pod.key, pod)


def _template(name: str, sort: str, dice: random.Random, kind: str, namespace: str) -> PodTemplate:
    cpu, memory = dice.choice(SHAPES)
    apart = PodTerm(topology_key=HOSTNAME, selector=_selector(name))
    even = Spread(topology_key=ZONE, max_skew=5, selector=_selector(name))
    return PodTemplate(
        labels=Labels((("app", name),)),
        owner=ref(kind, namespace, name),
        requests=(("cpu", cpu), ("memory", memory)),
        anti_affinity=(apart,) if sort == "apart" else (),
        spread=(even,) if sort == "spread" else (),
    )


def _selector(name: str) -> LabelSelector:
    return LabelSelector(equal_to((("app", name),)))


def _disk(claim: str, namespace: str, zone: str) -> Iterator[Change]:
    row = ClaimRow(
        namespace,
        claim,
        phase="Bound",
        bound=True,
        volume=f"{namespace}-{claim}",
        access_modes=("ReadWriteOnce",),
    )
    yield Change("PersistentVolumeClaim", row.key, row)
    inside = NodeSelectorTerm((Requirement(ZONE, "In", (zone,)),))
    disk = VolumeRow("", row.volume, affinity=NodeSelector((inside,)), claim=row.key, phase="Bound")
    yield Change("PersistentVolume", disk.key, disk)
