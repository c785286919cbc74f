"""The drill's oracle: predict, then really drain, delete and lose; compare pod by pod.

Many random worlds share one control plane, each with its own nodes; all are asked first, all are
broken together, and all are compared when nothing moves any more. `DRILL_WORLDS` and `DRILL_SEED`
choose how many and which; a difference is kept as a file that `DRILL_REPLAY` asks again, without a
control plane.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clusteraudit.kube.credentials import KubeconfigCredentials
from clusteraudit.kube.session import Session
from clusteraudit.model.cluster import Cluster as Model
from clusteraudit.model.store import Store
from clusteraudit.simulate.controllers import is_ordinal
from clusteraudit.simulate.drain import cordoned, drain
from clusteraudit.simulate.drill import Budgeted, Drill
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.loss import HANGS, lose, without
from clusteraudit.simulate.snapshot import Fork
from clusteraudit.sources import live
from clusteraudit.sources.gather import Gathering
from clusteraudit.sources.snapshot import Documents
from controlplane import ControlPlane, Object
from controlplane.cluster import KubectlError
from support.drilled import Counts, Observed, predicted, race
from support.worlds import POOL, QUESTIONS, ZONE, World, priorities, world

WORLDS = int(os.environ.get("DRILL_WORLDS", "10"))
SEED = int(os.environ.get("DRILL_SEED", "1"))
FOLDER = Path(os.environ.get("DRILL_FOLDER", ".cache/drill-differences"))
TOLERATED = 2
QUIET = 6.0
"""Seconds without any change after which all has settled."""
TIMEOUT = 300.0
UNREACHABLE = "node.kubernetes.io/unreachable"
FLAGS = {
    "kube-apiserver": [
        f"--default-unreachable-toleration-seconds={TOLERATED}",
        f"--default-not-ready-toleration-seconds={TOLERATED}",
    ],
    "kube-controller-manager": [
        "--node-monitor-grace-period=16s",
        "--node-monitor-period=1s",
        "--node-eviction-rate=100",
    ],
    "kwok": ["--node-lease-duration-seconds=12"],
}


@dataclass
class Case:
    """A world, its target, what was predicted and what was there before."""

    world: World
    target: str
    lost: set[str]
    said: Counts
    drill: Drill
    before: list[Object]

    @property
    def title(self) -> str:
        kind, mode = self.world.question
        return f"{self.world.name}: {kind} {self.target} {mode or ''}"


@pytest.fixture(scope="module")
def arena() -> Iterator[ControlPlane]:
    """A control plane that notices dead nodes within seconds."""
    scheduler = {"podInitialBackoffSeconds": 1, "podMaxBackoffSeconds": 1}
    with ControlPlane(flags=FLAGS, scheduler=scheduler) as started:
        yield started


def test_what_a_drill_says_comes_true(arena: ControlPlane) -> None:
    worlds = [world(f"w{n}", SEED + n, QUESTIONS[n % len(QUESTIONS)]) for n in range(WORLDS)]
    _build(arena, worlds)
    snapshot = asyncio.run(_read(arena))
    model = _model(snapshot)
    cases = [_case(arena, model, one) for one in worlds]
    _break(arena, cases)
    _start_held(arena, worlds)
    _settle(arena)
    figures = Figures()
    for case in cases:
        _compare(arena, model, case, snapshot, figures)
    sys.stdout.write(f"\ndrill oracle: seed {SEED}, {figures}\n")
    assert not figures.differences, "\n".join(figures.differences)


def _build(arena: ControlPlane, worlds: list[World]) -> None:
    arena.create(priorities())
    for one in worlds:
        arena.add_namespace(one.name)
    nodes = [each for one in worlds for each in one.objects if each["kind"] == "Node"]
    arena.add_nodes(nodes)
    arena.create(each for one in worlds for each in one.objects if each["kind"] != "Node")
    _settle(arena)
    _start_held(arena, worlds)
    _settle(arena)


def _start_held(arena: ControlPlane, worlds: list[World]) -> None:
    """Pods that KWOK leaves alone run: those of Jobs ready, the others not."""
    unready = {(one.name, name) for one in worlds for name in one.unready}
    for pod in arena.api.items("v1", "Pod"):
        meta = pod["metadata"]
        held = meta.get("annotations", {}).get("controlplane/hold")
        fresh = pod["status"].get("phase") == "Pending"
        if held and fresh and pod["spec"].get("nodeName"):
            ready = "False" if (meta["namespace"], meta["labels"]["app"]) in unready else "True"
            conditions = [{"type": "Ready", "status": ready}]
            arena.api.patch(
                {"apiVersion": "v1", "kind": "Pod", "metadata": meta},
                {"status": {"phase": "Running", "conditions": conditions}},
                "status",
            )


def _state(arena: ControlPlane) -> object:
    pods = arena.api.items("v1", "Pod")
    budgets = arena.api.items("policy/v1", "PodDisruptionBudget")
    seen = [
        (
            pod["metadata"]["uid"],
            pod["spec"].get("nodeName"),
            pod["status"].get("phase"),
            pod["metadata"].get("deletionTimestamp"),
        )
        for pod in pods
    ]
    return (sorted(seen, key=str), [one.get("status") for one in budgets])


def _settle(arena: ControlPlane) -> None:
    """Until nothing has changed for a while."""
    last = time.monotonic()
    seen: object = None
    while time.monotonic() - last < QUIET:
        arena.check()
        now = _state(arena)
        if now != seen:
            seen, last = now, time.monotonic()
        time.sleep(0.5)


async def _read(arena: ControlPlane) -> list[bytes]:
    documents = Documents()
    async with Session(KubeconfigCredentials(str(arena.kubeconfig), None), timeout=60) as session:
        await live.read(session, documents, lambda *_: None)
    return list(documents.lines())


def _model(snapshot: list[bytes]) -> Ground:
    gathering, store = Gathering(), Store()
    for line in snapshot:
        gathering.add("", line)
    store.apply(gathering.rows())
    store.learn(gathering.evidence())
    return Ground(Model(store, gathering.now() or 0))


def _case(arena: ControlPlane, model: Ground, one: World) -> Case:
    kind, _ = one.question
    pods = arena.api.items("v1", "Pod", one.name)
    nodes = arena.api.items("v1", "Node", query=f"labelSelector={POOL}%3D{one.name}")
    used = Counter(pod["spec"].get("nodeName", "") for pod in pods)
    fullest = max(
        nodes, key=lambda each: (used[each["metadata"]["name"]], each["metadata"]["name"])
    )
    zone = fullest["metadata"]["labels"][ZONE]
    inside = {n["metadata"]["name"] for n in nodes if n["metadata"]["labels"][ZONE] == zone}
    lost = inside if kind == "zone" else {fullest["metadata"]["name"]}
    target = zone if kind == "zone" else fullest["metadata"]["name"]
    drill = ask(model, one.question, target, lost)
    return Case(one, target, lost, predicted(model, drill), drill, pods)


def ask(model: Ground, question: tuple[Any, Any], target: str, lost: set[str]) -> Drill:
    kind, mode = question
    return drain(model, target) if kind == "drain" else lose(model, kind, target, lost, mode)


def _break(arena: ControlPlane, cases: list[Case]) -> None:
    """All at once; then until all has settled."""
    dead = [n for case in cases if case.world.question[1] == "unreachable" for n in case.lost]
    gone = [n for case in cases if case.world.question[1] == "deleted" for n in case.lost]
    drained = [case for case in cases if case.world.question[0] == "drain"]
    arena.lose_nodes(*dead, *gone)
    arena.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in gone)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda case: _drain(arena, case.target), drained))
    arena.wait(lambda: _tainted(arena) >= set(dead), TIMEOUT, "the dead nodes to be tainted")
    arena.wait(lambda: not _on(arena, gone), TIMEOUT, "the pods of deleted nodes to be deleted")
    _settle(arena)


def _tainted(arena: ControlPlane) -> set[str]:
    """Nodes whose pods are being evicted."""
    return {
        node["metadata"]["name"]
        for node in arena.api.items("v1", "Node")
        for taint in node["spec"].get("taints", ())
        if (taint["key"], taint["effect"]) == (UNREACHABLE, "NoExecute")
    }


def _on(arena: ControlPlane, names: list[str]) -> list[Object]:
    pods = arena.api.items("v1", "Pod")
    return [pod for pod in pods if pod["spec"].get("nodeName") in names]


def _drain(arena: ControlPlane, name: str) -> None:
    """As people do it; a drain that is stuck is given up, and what it could evict is evicted."""
    flags = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=40s")
    try:
        arena.kubectl("drain", name, *flags)
    except KubectlError as error:
        if "global timeout" not in str(error) and "more than one PodDisruptionBudget" not in str(
            error
        ):
            raise


@dataclass
class Figures:
    """How often what was said came: of pods by workload, and of whole worlds."""

    worlds: int = 0
    pods: int = 0
    said: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    came: Counter[str] = field(default_factory=Counter)
    budgets: int = 0
    races: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def take(self, case: Case, found: Counts) -> None:
        self.worlds += 1
        self.verdicts[case.drill.verdict.value] += 1
        for name in {*case.said, *found}:
            said, came = case.said.get(name, Counter()), found.get(name, Counter())
            self.said += said
            self.came += came
            self.same += said & came

    def __str__(self) -> str:
        """Precision and recall of each outcome, before races are told apart."""
        shares = [
            f"{one} {self.same[one]} of {self.said[one]} said and {self.came[one]} that came"
            for one in sorted({*self.said, *self.came})
        ]
        return (
            f"{self.worlds} worlds {dict(sorted(self.verdicts.items()))}, "
            f"{self.races} decided by a race, {len(self.differences)} differ; "
            f"{self.budgets} budgets compared; {'; '.join(shares)}"
        )


def _compare(
    arena: ControlPlane, model: Ground, case: Case, snapshot: list[bytes], figures: Figures
) -> None:
    after = arena.api.items("v1", "Pod", case.world.name)
    sets = arena.api.items("apps/v1", "ReplicaSet", case.world.name)
    owners = {
        f"ReplicaSet {one['metadata']['name']}": f"Deployment {owner['name']}"
        for one in sets
        for owner in one["metadata"].get("ownerReferences", ())
    }
    observed = Observed(case.before, after, case.lost)
    found = observed.counts(owners, _exclusive(case.world), case.world.question[1])
    figures.take(case, found)
    if found == case.said:
        figures.budgets += len(_compared(model, case))
        others = _other_budgets(arena, model, case)
        if others:
            _keep(case, found, snapshot)
        figures.differences += others
        return
    why = _unlike(case, found) or race(model, _fork(model, case), observed, case.lost)
    if not why:
        figures.races += 1
        return
    _keep(case, found, snapshot)
    figures.differences.append(
        f"{case.title}: {why}\n  said {_text(case.said)}\n  came {_text(found)}"
    )


def _compared(model: Ground, case: Case) -> list[Budgeted]:
    """Budgets that their controller counts, and of whose pods all is played here.

    Of several budgets of one pod it counts an arbitrary one; and no volume is attached to a node,
    so that pods are ready which would wait for theirs.
    """
    other = {
        budget
        for fate in case.drill.fates
        if len(model.budgets(fate.pod)) > 1 or (fate.reason == HANGS and not is_ordinal(fate.pod))
        for budget in model.budgets(fate.pod)
    }
    return [
        one for one in case.drill.budgets if one.before.counts and one.before.budget not in other
    ]


def _other_budgets(arena: ControlPlane, model: Ground, case: Case) -> list[str]:
    """Budgets whose healthy pods are not as many as was said."""
    found = {
        one["metadata"]["name"]: one["status"]["currentHealthy"]
        for one in arena.api.items("policy/v1", "PodDisruptionBudget", case.world.name)
    }
    return [
        f"{case.title}: budget {name}: said {one.after} healthy pods, came {found[name]} ({one})"
        for one in _compared(model, case)
        if found[name := one.before.budget.name] != one.after
    ]


def _fork(model: Ground, case: Case) -> Fork:
    kind, mode = case.world.question
    if kind == "drain":
        return cordoned(model.base, case.target, ())
    return without(model.base, frozenset(case.lost), mode or "deleted")


_DECIDED = ("blocked", "lost", "unknown")


def _unlike(case: Case, found: Counts) -> str:
    """What no race explains: other pods that are blocked or lost, or cannot be told."""
    for name in {*case.said, *found}:
        said, came = case.said.get(name, Counter()), found.get(name, Counter())
        for outcome in _DECIDED:
            if said[outcome] != came[outcome]:
                return f"{outcome} of {name}"
    return ""


def _exclusive(one: World) -> dict[str, bool]:
    claims = {
        each["metadata"]["name"]: each["spec"]["accessModes"] == ["ReadWriteOnce"]
        for each in one.objects
        if each["kind"] == "PersistentVolumeClaim"
    }
    return {
        f"{each['kind']} {each['metadata']['name']}": claims.get(each["metadata"]["name"], False)
        for each in one.objects
        if "template" in each.get("spec", {})
    }


def _text(counts: Counts) -> str:
    return "; ".join(f"{name} {dict(sorted(n.items()))}" for name, n in sorted(counts.items()))


def _keep(case: Case, found: Counts, snapshot: list[bytes]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    stem = FOLDER / f"{SEED}-{case.world.name}"
    stem.with_suffix(".jsonl").write_bytes(b"\n".join(snapshot) + b"\n")
    told = {"question": case.world.question, "target": case.target, "lost": sorted(case.lost)}
    stem.with_suffix(".json").write_text(json.dumps({**told, "came": found}, indent=1))


@pytest.mark.skipif("DRILL_REPLAY" not in os.environ, reason="DRILL_REPLAY names no file")
def test_replay() -> None:
    path = Path(os.environ["DRILL_REPLAY"])
    told = json.loads(path.read_text())
    model = _model(path.with_suffix(".jsonl").read_bytes().splitlines())
    drill = ask(model, told["question"], told["target"], set(told["lost"]))
    for fate in drill.fates:
        words = (fate.pod.name, fate.outcome, fate.node, fate.reason, fate.detail, fate.round)
        sys.stdout.write(" ".join(map(str, words)) + "\n")
    assert {name: dict(counts) for name, counts in predicted(model, drill).items()} == told["came"]
