"""Who is there: nodes, workloads of very different sizes, and on which node each pod is.

Skewed as production is. Most workloads have one to three pods and a few have hundreds; most pods
ask for little and a few for most of a machine; a DaemonSet has one on every node; some jobs are
done. Little is wrong, as in most clusters: a few pods wait, a few nodes are cordoned.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scale.sizes import Size

Kind = Literal["Deployment", "StatefulSet", "DaemonSet", "Job"]
ZONES = ("zone-a", "zone-b", "zone-c")
POOLS = ("general", "general", "general", "memory", "compute")
MACHINES = {"general": (16, 64), "memory": (16, 128), "compute": (32, 64)}
"""Cores and GiB of a pool's machines."""
CPU = (10, 25, 50, 100, 100, 250, 250, 500, 1000, 2000, 4000)
MEMORY = (32, 64, 128, 128, 256, 256, 512, 1024, 2048, 8192)
"""Millicores and MiB that people write; the large ones are drawn rarely."""
AGENTS = ("cni", "proxy", "logs", "metrics")
SYSTEM = "kube-system"
_LARGEST = 0.02
"""Share of all pods that one workload may have."""
_WAITS = 0.002
"""Share of workloads of which one pod finds no node."""


@dataclass(frozen=True)
class Workload:
    """A controller and the nodes of its pods; None for a pod that waits."""

    number: int
    kind: Kind
    namespace: str
    name: str
    cpu: int
    memory: int
    nodes: tuple[int | None, ...]
    sidecar: bool = False
    claims: bool = False

    def pod(self, at: int, revision: int = 0, life: int = 0) -> str:
        """The name of one of its pods, of a revision of its template, made anew so many times."""
        if self.kind == "StatefulSet":
            return f"{self.name}-{at}"
        return f"{self.owner(revision)}-{_suffix(self.number, at, life)}"

    def owner(self, revision: int = 0) -> str:
        """What owns its pods directly."""
        return f"{self.name}-{self.number:05x}{revision:03x}" if self.replicated else self.name

    @property
    def replicated(self) -> bool:
        """Whether a ReplicaSet stands between it and its pods."""
        return self.kind == "Deployment"


@dataclass(frozen=True)
class Cluster:
    """All of it; the same seed makes the same cluster."""

    size: Size
    seed: int = 1
    workloads: tuple[Workload, ...] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        object.__setattr__(self, "workloads", tuple(_workloads(self.size, chance)))

    @property
    def pods(self) -> int:
        """How many pods it has."""
        return sum(len(one.nodes) for one in self.workloads)

    def namespaces(self) -> list[str]:
        """Names of all namespaces that it needs."""
        return [SYSTEM, *(_team(number) for number in range(self.size.namespaces))]


def node_name(number: int) -> str:
    """The name of a node."""
    return f"ip-10-{number >> 8}-{number & 255}.example.internal"


def pool_of(number: int) -> str:
    """The pool of a node."""
    return POOLS[number % len(POOLS)]


def zone_of(number: int) -> str:
    """The zone of a node."""
    return ZONES[number // len(POOLS) % len(ZONES)]


def _team(number: int) -> str:
    return f"team-{number:03}"


def _workloads(size: Size, chance: random.Random) -> Iterator[Workload]:
    number = 0
    for agent in AGENTS:
        yield _agent(number, agent, size)
        number += 1
    placing = _Placing(size, chance)
    rest = max(size.pods - len(AGENTS) * size.nodes, size.workloads)
    claims = 0
    for pods in _sizes(rest, size.workloads, chance):
        kind = _kind(chance, claims=claims + pods <= size.claims)
        one = _of_a_team(number, kind, pods, placing, size, chance)
        claims += len(one.nodes) if one.claims else 0
        yield one
        number += 1


def _agent(number: int, name: str, size: Size) -> Workload:
    nodes = tuple(range(size.nodes))
    return Workload(number, "DaemonSet", SYSTEM, name, 50, 64, nodes)


def _sizes(pods: int, workloads: int, chance: random.Random) -> list[int]:
    """Pods of each workload: many of one to three, a few of hundreds, all of them together."""
    most = max(10, round(_LARGEST * pods), 2 * pods // workloads)
    drawn = [min(most, int(chance.paretovariate(0.9))) for _ in range(workloads)]
    short = pods - sum(drawn)
    while short:
        at = chance.randrange(workloads)
        step = min(short, drawn[at], most - drawn[at]) if short > 0 else -int(drawn[at] > 1)
        drawn[at] += step
        short -= step
    return drawn


def _kind(chance: random.Random, *, claims: bool) -> Kind:
    draw = chance.random()
    if draw < 0.05:
        return "Job"
    return "StatefulSet" if draw < 0.2 and claims else "Deployment"


def _of_a_team(
    number: int, kind: Kind, pods: int, placing: _Placing, size: Size, chance: random.Random
) -> Workload:
    # A few teams have much, most have little.
    team = _team(min(int(chance.paretovariate(0.6)) - 1, size.namespaces * 9) % size.namespaces)
    cpu, memory = _rarely_large(CPU, chance), _rarely_large(MEMORY, chance)
    nodes: list[int | None] = [placing.place(cpu, memory) for _ in range(pods)]
    if chance.random() < _WAITS:
        nodes[-1] = None
    sidecar = chance.random() < 0.3
    claims = kind == "StatefulSet"
    name = f"{_WORDS[number % len(_WORDS)]}-{number:05}"
    return Workload(number, kind, team, name, cpu, memory, tuple(nodes), sidecar, claims)


def _rarely_large(steps: tuple[int, ...], chance: random.Random) -> int:
    return steps[int(len(steps) * chance.random() ** 2)]


class _Placing:
    """Nodes by chance, of which none gets more than it has room for."""

    def __init__(self, size: Size, chance: random.Random) -> None:
        self._chance = chance
        self._nodes = size.nodes
        self._most = max(2 * size.pods // size.nodes, 20)
        self._cpu: Counter[int] = Counter()
        self._memory: Counter[int] = Counter()
        self._pods: Counter[int] = Counter()

    def place(self, cpu: int, memory: int) -> int | None:
        """A node with room; None where a few tries find none."""
        for _ in range(20):
            node = self._chance.randrange(self._nodes)
            cores, gib = MACHINES[pool_of(node)]
            fits = self._cpu[node] + cpu <= 900 * cores
            fits = fits and self._memory[node] + memory <= 900 * gib
            if fits and self._pods[node] < min(self._most, 100):
                self._cpu[node] += cpu
                self._memory[node] += memory
                self._pods[node] += 1
                return node
        return None


_WORDS = ("api", "web", "worker", "billing", "search", "cache", "orders", "gateway", "batch")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def _suffix(*numbers: int) -> str:
    """Five characters, as the API server makes them; the same for the same pod."""
    value = 0
    for number in numbers:
        value = value * 1_000_003 + number + 7
    text = ""
    for _ in range(5):
        value, digit = divmod(value, len(_LETTERS))
        text += _LETTERS[digit]
    return text
