"""Small clusters for `capacity`, and an independent, slow reference of F1 to F4 for them.

The reference reads the description, not the model; sums are fractions over plain loops, written
from the formulas: nothing of it is shared with the engine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from hypothesis import strategies as st

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.model.cluster import Cluster
from clusteraudit.report.capacity import capacity
from clusteraudit.report.capacity_shapes import CapacityShape
from clusteraudit.report.inputs import Origin, inputs
from clusteraudit.simulate.answer import Answer
from clusteraudit.simulate.pools import By
from clusteraudit.simulate.workload import Workload, workload

GPU = "example.com/gpu"
POOL = "karpenter.sh/nodepool"
UNITS = {"cpu": 1000, "memory": 2**30}
Amounts = Mapping[str, int]


def asked(cluster: Cluster, by: By = "pool", given: Workload | None = None) -> CapacityShape:
    """The answer as the command makes it."""
    cluster.recorder.begin("capacity")
    whole = workload(cluster) if given is None else given
    return capacity(Answer(cluster, whole, by), inputs([], [], Origin()), given=given is not None)


def machine(name: str, amounts: Mapping[str, object], pool: str = "") -> Manifest:
    """A node with exactly these amounts."""
    labels = {"kubernetes.io/hostname": name, **({POOL: pool} if pool else {})}
    texts = {resource: str(amount) for resource, amount in amounts.items()}
    return build.thing(
        "v1",
        "Node",
        name,
        metadata={"labels": labels},
        spec={},
        status={"allocatable": texts, "conditions": [{"type": "Ready", "status": "True"}]},
    )


def pod(
    name: str,
    requests: Mapping[str, object],
    *,
    on: str = "",
    owner: str = "ReplicaSet",
    pool: str = "",
    priority: int | None = None,
) -> Manifest:
    """A pod of a workload named like itself."""
    texts = {resource: str(amount) for resource, amount in requests.items()}
    container = {"name": "main", "resources": {"requests": texts}}
    spec: dict[str, object] = {"containers": [container]}
    if on:
        spec["nodeName"] = on
    if pool:
        spec["nodeSelector"] = {POOL: pool}
    if priority is not None:
        spec["priority"] = priority
    meta = {"ownerReferences": build.owned_by(owner, f"{name}-1")} if owner else {}
    return build.thing(
        "v1", "Pod", name, "shop", metadata=meta, spec=spec, status={"phase": "Running"}
    )


# A described cluster, and the reference


@dataclass(frozen=True)
class Node:
    name: str
    has: Amounts
    pool: str
    cordoned: bool = False

    def manifest(self) -> Manifest:
        made = machine(self.name, _texts(self.has), self.pool)
        made["spec"] = {"unschedulable": self.cordoned}
        return made


@dataclass(frozen=True)
class Pod:
    name: str
    wants: Amounts
    pool: str
    on: str
    owner: str

    def manifest(self) -> Manifest:
        return pod(self.name, _texts(self.wants), on=self.on, owner=self.owner, pool=self.pool)


def _texts(amounts: Amounts) -> dict[str, str]:
    ends = {"cpu": "", "memory": "Gi"}
    return {name: f"{amount}{ends.get(name, '')}" for name, amount in amounts.items()}


@dataclass(frozen=True)
class Described:
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]

    def manifests(self) -> list[Manifest]:
        return [*(n.manifest() for n in self.nodes), *(p.manifest() for p in self.pods)]


@dataclass
class Told:
    """The reference's figures of one resource."""

    free: int = 0
    unavailable: int = 0
    requested: int = 0
    allocatable: int = 0
    stranded: int = 0
    causes: dict[str, Fraction] = field(default_factory=dict)


Kind = tuple[tuple[tuple[str, int], ...], str]


def _base(resource: str, amount: int) -> int:
    return amount * UNITS.get(resource, 1)


def _kinds(all_pods: Iterable[Pod]) -> dict[Kind, int]:
    found: dict[Kind, int] = {}
    for one in all_pods:
        if one.owner and one.owner != "DaemonSet":
            wants = tuple(sorted((r, _base(r, n)) for r, n in one.wants.items() if n))
            found[wants, one.pool] = found.get((wants, one.pool), 0) + 1
    return found


def _left(node: Node, pods: Iterable[Pod], resource: str) -> tuple[int, int]:
    """Allocatable and requested."""
    here = [one for one in pods if one.on == node.name]
    if resource == "pods":
        return node.has.get("pods", 0), len(here)
    held = sum(_base(resource, one.wants.get(resource, 0)) for one in here)
    return _base(resource, node.has.get(resource, 0)), held


def reference(one: Described, nodes: Iterable[Node]) -> dict[str, Told]:
    """F1, F3 and F4 of some of the nodes, by the workload of all."""
    kinds = _kinds(one.pods)
    total = sum(kinds.values())
    resources = {"pods", *(r for x in (*one.nodes,) for r in x.has)}
    resources |= {r for x in one.pods for r in x.wants if x.on or x.wants[r]}
    told = {resource: Told() for resource in resources}
    for node in nodes:
        room = {r: _left(node, one.pods, r) for r in resources}
        free = {r: 0 if node.cordoned else max(0, a - q) for r, (a, q) in room.items()}
        useful = any(wants and _refusal(free, node, wants, pool) is None for wants, pool in kinds)
        for r, (allocatable, requested) in room.items():
            here = told[r]
            here.allocatable += allocatable
            here.requested += requested
            here.free += free[r]
            here.unavailable += max(0, allocatable - requested) if node.cordoned else 0
            here.stranded += 0 if useful else free[r]
            for (wants, pool), pods in kinds.items():
                cause = _cause(free, node, wants, pool, r)
                if cause:
                    share = Fraction(pods * free[r], total)
                    here.causes[cause] = here.causes.get(cause, Fraction(0)) + share
    return told


def _refusal(
    free: Amounts, node: Node, wants: tuple[tuple[str, int], ...], pool: str
) -> str | None:
    if node.cordoned or (pool and pool != node.pool):
        return "constraint"
    if free["pods"] < 1:
        return "slots"
    lacks = [(Fraction(free[r], n), r) for r, n in wants if free[r] < n]
    return min(lacks)[1] if lacks else None


def _cause(
    free: Amounts, node: Node, wants: tuple[tuple[str, int], ...], pool: str, resource: str
) -> str | None:
    asked = {**dict(wants), "pods": 1}
    if resource not in asked:
        return "notRequested"
    refusal = _refusal(free, node, wants, pool)
    if refusal in {None, "constraint"}:
        return refusal
    return "self" if free[resource] < asked[resource] else refusal


def copies(one: Described, nodes: Iterable[Node]) -> dict[Kind, tuple[int, int]]:
    """F2 of each kind of pods: copies that fit, and of the room in one piece."""
    found: dict[Kind, tuple[int, int]] = {}
    for wants, pool in _kinds(one.pods):
        fits, pooled = 0, dict.fromkeys([*dict(wants), "pods"], 0)
        for node in nodes:
            if node.cordoned or (pool and pool != node.pool):
                continue
            free = {r: max(0, a - q) for r in pooled for a, q in [_left(node, one.pods, r)]}
            fits += min(free[r] // n for r, n in (*wants, ("pods", 1)))
            pooled = {r: pooled[r] + free[r] for r in pooled}
        ideal = min(floor(Fraction(pooled[r], n)) for r, n in (*wants, ("pods", 1)))
        found[wants, pool] = (fits, ideal)
    return found


# Any cluster

_POOLS = st.sampled_from(["a", "b"])
_HAS = st.fixed_dictionaries(
    {"cpu": st.integers(0, 9), "memory": st.integers(0, 9)},
    optional={"pods": st.integers(0, 4), GPU: st.integers(0, 3)},
)
_WANTS = st.fixed_dictionaries(
    {}, optional={"cpu": st.integers(0, 4), "memory": st.integers(0, 4), GPU: st.integers(0, 2)}
)


@st.composite
def described(draw: st.DrawFn) -> Described:
    nodes = tuple(
        Node(f"n{number}", draw(_HAS), draw(_POOLS), draw(st.integers(0, 4)) == 0)
        for number in range(draw(st.integers(0, 4)))
    )
    where = st.sampled_from(["", *(node.name for node in nodes)])
    pods = tuple(
        Pod(
            f"p{number}",
            draw(_WANTS),
            draw(st.sampled_from(["", "", "a", "b"])),
            draw(where),
            draw(st.sampled_from(["ReplicaSet", "ReplicaSet", "DaemonSet", ""])),
        )
        for number in range(draw(st.integers(0, 8)))
    )
    return Described(nodes, pods)
