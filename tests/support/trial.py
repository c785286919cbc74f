"""Trials of the engine against the real scheduler: scene after scene, and what went wrong."""

import copy
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clusteraudit.simulate.preemption import Preemption, preemption
from clusteraudit.simulate.snapshot import snapshot
from controlplane import ControlPlane
from support.oracle import Outcome, Stage, Tally, disagreements
from support.scenes import Object, Scene, scene, thing

DROPPED = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")
CLASSES = {"low": 1, "middle": 10, "high": 100, "polite": 50}
SHRINK_TRIES = 40


@dataclass
class Trial:
    """Scenes on one control plane; `failures` hold the file of each disagreement."""

    plane: ControlPlane
    tally: Tally = field(default_factory=Tally)
    failures: list[str] = field(default_factory=list)
    discarded: int = 0
    """Decisions during which a pod lost the node that the scheduler had chosen for it."""

    def prepare(self) -> None:
        """What all scenes share."""
        self.plane.create(
            thing(
                "scheduling.k8s.io/v1",
                "PriorityClass",
                name,
                value=value,
                preemptionPolicy="Never" if name == "polite" else "PreemptLowerPriority",
            )
            for name, value in CLASSES.items()
        )

    def run(self, seeds: Iterator[int], decisions: int) -> None:
        """Scenes until so many decisions are made; every second one has priorities."""
        while self.tally.decisions < decisions:
            seed = next(seeds)
            made = scene(seed, priorities=seed % 2 == 1)
            with Stage(self.plane, made) as stage:
                for pod in made.pods:
                    self._decide(stage, pod)
            print(f"seed {seed}: {len(self.failures)} failures, {self.tally}", flush=True)

    def _decide(self, stage: Stage, pod: Object) -> None:
        while stage.moved():
            time.sleep(0.05)
        held = list(stage.objects.values())
        found, outcome = decision(stage, pod)
        if stage.moved():
            self.discarded += 1
        else:
            self.tally.note(stage.said, outcome)
            if found:
                self.failures.append(self._keep(stage.scene, [*held, pod], found))
        stage.settle(pod, outcome)

    def _keep(self, made: Scene, objects: Sequence[Object], found: Sequence[str]) -> str:
        """A file that `explain -f` and the test of replays read, its last line the pod."""
        folder = os.environ.get("CLUSTER_AUDIT_ORACLE_FAILURES") or tempfile.mkdtemp()
        pod = objects[-1]["metadata"]["name"]
        path = Path(folder) / f"scheduler-{made.seed}-{pod}.jsonl"
        path.write_text("".join(f"{json.dumps(clean(one))}\n" for one in objects))
        return f"seed {made.seed}, pod {pod}, replay {path}: {'; '.join(found)}"


def decision(stage: Stage, pod: Object) -> tuple[list[str], Outcome]:
    """What the scheduler does with a pod, and where it is not what the engine says."""
    row, stage.said = stage.ask(pod)
    evicts = preemption(snapshot(stage.cluster), row, stage.said)
    outcome = stage.decide(pod, stage.said)
    return [*disagreements(stage.said, outcome), *_evictions(evicts, outcome)], outcome


def _evictions(evicts: Preemption, outcome: Outcome) -> Iterator[str]:
    nodes = [one.node for one in evicts.candidates]
    if outcome.nominated and evicts.possible is not None and outcome.nominated not in nodes:
        yield f"evicts on {outcome.nominated}, not among {nodes}: {evicts.reason}"
    elif outcome.message and not outcome.nominated and evicts.possible:
        yield f"evicts nobody, though it could on {nodes}: {outcome.message}"


def clean(one: Object) -> Object:
    """An object as it can be created anew."""
    meta = {key: value for key, value in one["metadata"].items() if key not in DROPPED}
    made = copy.deepcopy({**one, "metadata": meta})
    if one["kind"] == "Pod":
        _unkeyed(made["spec"])
    if "claimRef" in made.get("spec", {}):
        reference = {k: v for k, v in made["spec"]["claimRef"].items() if k not in DROPPED}
        made["spec"] = {**made["spec"], "claimRef": reference}
    return made


def _unkeyed(spec: Object) -> None:
    """Without the keys that the server has merged into selectors already."""
    affinity = spec.get("affinity", {})
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = [
        term
        for kind in ("podAffinity", "podAntiAffinity")
        for term in affinity.get(kind, {}).get(required, [])
    ]
    for term in (*terms, *spec.get("topologySpreadConstraints", [])):
        merged = {
            one["key"] for one in (term.get("labelSelector") or {}).get("matchExpressions", [])
        }
        for keys in ("matchLabelKeys", "mismatchLabelKeys"):
            if merged & set(term.get(keys, [])):
                del term[keys]


def replay(plane: ControlPlane, objects: Sequence[Object]) -> list[str]:
    """The disagreement about the last of these, a pod; the others are there before."""
    *there, pod = [clean(one) for one in objects]
    with Stage(plane, Scene(0, "replay", there, [pod])) as stage:
        found, outcome = decision(stage, pod)
        stage.settle(pod, outcome)
    return found


def shrink(objects: Sequence[Object], fails: Callable[[Sequence[Object]], bool]) -> list[Object]:
    """Without what the failure does not need: pods first, then whatever else can go."""
    *there, pod = objects
    loose = [one for one in there if one["kind"] != "Namespace"]
    for one in sorted(loose, key=lambda one: one["kind"] != "Pod")[:SHRINK_TRIES]:
        fewer = [other for other in there if other is not one]
        if fails([*fewer, pod]):
            there = fewer
    return [*there, pod]
