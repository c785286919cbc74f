"""An answer of the engine is kept only as long as it is right, whatever changes."""

from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.model.build import NOW
from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import Key, PodRow
from clusteraudit.model.store import COMPLETE, Change, Evidence, Store
from clusteraudit.simulate.schedule import READS, Verdict, verdicts
from clusteraudit.simulate.snapshot import snapshot
from support.clusters import changes_of
from support.scenes import scene

EVIDENCE = [COMPLETE, COMPLETE, Evidence("partial")]


@derived
def told(cluster: Cluster, pod: Key) -> tuple[Verdict, ...]:
    """What the engine says of a pod, as a rule asks it."""
    row = cluster.find(PodRow, "Pod", *pod)
    return verdicts(snapshot(cluster), row) if row else ()


class Asker:
    """Asks about some pods, and again only when it is told to."""

    def __init__(self, cluster: Cluster, pods: list[Key]) -> None:
        self.cluster = cluster
        self.answers: dict[Key, tuple[Verdict, ...]] = {}
        for pod in pods:
            self.ask(pod)

    def ask(self, pod: Key) -> None:
        self.cluster.recorder.begin(pod)
        self.answers[pod] = told(self.cluster, pod)
        self.cluster.recorder.end()

    def touched(self, cells: set[tuple[object, ...]]) -> None:
        dirty = self.cluster.recorder.dirty(cells)
        for pod in [pod for pod in self.answers if pod in dirty]:
            self.ask(pod)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 25))
def test_what_is_kept_is_what_would_be_said_anew(seed: int, steps: int) -> None:
    dice, one = Random(seed), scene(seed, pods=8)
    every = changes_of([*one.objects, *one.pods])
    keys = [(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in one.pods[:4]]
    nodes = one.nodes
    store = Store()
    store.learn(dict.fromkeys(KINDS, COMPLETE))
    store.apply(every[: len(every) // 2])
    asker = Asker(Cluster(store, NOW), keys)
    for _ in range(steps):
        change = moved(dice.choice(every), nodes, dice)
        if change.row is not None or change.key in store.tables[change.kind]:
            asker.touched(store.apply([change]).cells)
        if dice.random() < 0.2:
            known = {dice.choice(READS): dice.choice(EVIDENCE)}
            asker.touched(store.learn(known).cells)
        for key in keys:
            assert asker.answers[key] == told(Cluster(store, NOW), key)


def moved(change: Change, nodes: list[str], dice: Random) -> Change:
    """An object as it is, gone, or, of a pod, on some node, going there, or at its end."""
    if dice.random() < 0.3:
        return Change(change.kind, change.key, None)
    if isinstance(change.row, PodRow):
        ways: list[dict[str, Any]] = [
            {},
            {"node": dice.choice(nodes)},
            {"node": "", "nominated": dice.choice(nodes)},
            {"node": "", "nominated": dice.choice(nodes), "unschedulable_since": 1},
            {"phase": "Succeeded"},
            {"terminating": True},
        ]
        row = msgspec.structs.replace(change.row, **dice.choice(ways))
        return Change(change.kind, change.key, row)
    return change
