"""What each rule costs: a full audit of a made cluster, and after a change of one pod.

    PYTHONPATH=operator:dev python -m benchmarks.rules --nodes 5000 --pods 150000

CPU time of this process. Of each rule it is what it takes by itself, with every derived value that
it reads made for it alone; in an audit of all rules these are shared, as the total shows.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import time
from typing import TYPE_CHECKING

import msgspec

from benchmarks.cluster import NODES, PODS, WORKLOADS, changes
from clusteraudit.audit.audit import Audit
from clusteraudit.audit.run import CLUSTER, ask
from clusteraudit.cli.main import collect_rarely
from clusteraudit.model.build import NOW
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import PodRow, Ref
from clusteraudit.model.store import COMPLETE, Change, Store
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.simulate.capacity import whole
from clusteraudit.simulate.loads import loads
from clusteraudit.simulate.snapshot import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clusteraudit.rules.kit import Rule

SHARED: dict[str, Callable[[Cluster], object]] = {
    "loads": loads,
    "capacity": whole,
    "snapshot": snapshot,
}
"""Values that several rules and the published figures read."""
MOVED = 9
"""Pods that are changed, one after the other; the median and the largest are told."""


class Cost(msgspec.Struct, frozen=True):
    """Of a rule, in milliseconds of CPU."""

    rule: str
    subjects: int
    whole: float
    typical: float
    worst: float


def cost(rule: Rule, store: Store) -> Cost:
    """The rule alone over all its subjects, then after each of some pods has changed."""
    cluster = Cluster(store, NOW)
    subjects = list(store.subjects(rule.subject)) if rule.local else [CLUSTER]
    began = time.process_time()
    _ask(rule, cluster, subjects)
    whole = time.process_time() - began
    again = sorted(_changed(rule, cluster, store, pod) for pod in _some_pods(store))
    return Cost(rule.code, len(subjects), 1000 * whole, 1000 * again[MOVED // 2], 1000 * again[-1])


def shared(name: str, value: Callable[[Cluster], object], store: Store) -> Cost:
    """A derived value that rules share, by itself: made, then brought up to date."""
    cluster = Cluster(store, NOW)
    cluster.recorder.begin(name)
    began = time.process_time()
    value(cluster)
    whole = time.process_time() - began
    cluster.recorder.end()
    again = []
    for pod in _some_pods(store):
        touched = store.apply([Change("Pod", pod.key, None)])
        began = time.process_time()
        cluster.recorder.dirty(touched.cells)
        again.append(time.process_time() - began)
        cluster.recorder.dirty(store.apply([Change("Pod", pod.key, pod)]).cells)
    again.sort()
    return Cost(name, 1, 1000 * whole, 1000 * again[MOVED // 2], 1000 * again[-1])


def _ask(rule: Rule, cluster: Cluster, subjects: Iterable[Ref]) -> None:
    for subject in subjects:
        cluster.recorder.begin(subject)
        outcome = ask(rule, subject, cluster, {})
        cluster.recorder.end()
        if outcome.error:
            raise SystemExit(f"{rule.code} of {subject}: {outcome.error}")


def _some_pods(store: Store) -> list[PodRow]:
    placed = [one for one in store.tables["Pod"].values() if isinstance(one, PodRow) and one.node]
    return random.Random(1).sample(placed, MOVED)


def _changed(rule: Rule, cluster: Cluster, store: Store, pod: PodRow) -> float:
    """CPU seconds from a pod that is gone to the answers; then it is put back."""
    touched = store.apply([Change("Pod", pod.key, None)])
    began = time.process_time()
    dirty = cluster.recorder.dirty(touched.cells)
    _ask(rule, cluster, sorted(one for one in dirty if isinstance(one, Ref)))
    took = time.process_time() - began
    back = store.apply([Change("Pod", pod.key, pod)])
    dirty = cluster.recorder.dirty(back.cells)
    _ask(rule, cluster, sorted(one for one in dirty if isinstance(one, Ref)))
    return took


def _stepped(audit: Audit, pod: PodRow) -> float:
    """CPU seconds of an audit after a pod is gone; then it is put back."""
    began = time.process_time()
    audit.step([Change("Pod", pod.key, None)], now=NOW)
    took = time.process_time() - began
    audit.step([Change("Pod", pod.key, pod)], now=NOW)
    return took


def _tell(one: Cost) -> None:
    figures = f"{one.whole:>9.1f} {one.typical:>9.2f} {one.worst:>9.2f}"
    print(f"{one.rule:<8} {one.subjects:>9} {figures}", flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.rules", description=__doc__)
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--pods", type=int, default=PODS)
    parser.add_argument("--workloads", type=int, default=WORKLOADS)
    parser.add_argument("--rules", nargs="*", default=[])
    asks = parser.parse_args()
    collect_rarely()
    made = list(changes(asks.nodes, asks.pods, asks.workloads))
    rules = catalogue().only(asks.rules) if asks.rules else catalogue()
    audit = Audit(rules, NOW)
    began = time.process_time()
    audit.store.apply(made)
    applied = time.process_time() - began
    audit.store.learn(dict.fromkeys(KINDS, COMPLETE))
    began = time.process_time()
    result = audit.step(now=NOW)
    print(f"{asks.nodes} nodes, {asks.pods} pods, {asks.workloads} workloads")
    print(f"model {applied:.2f} s; full audit {time.process_time() - began:.2f} s of CPU, ", end="")
    print(f"{result.asked} asked, {len(result.entries)} findings")
    gc.disable()  # what a collection costs would be told of whichever rule it fell upon
    print(f"{'rule':<8} {'subjects':>9} {'full ms':>9} {'a pod ms':>9} {'at most':>9}")
    for name, value in SHARED.items():
        _tell(shared(name, value, audit.store))
    for rule in rules:
        _tell(cost(rule, audit.store))
    again = sorted(_stepped(audit, pod) for pod in _some_pods(audit.store))
    print(f"all rules after a pod is gone: {1000 * again[MOVED // 2]:.1f} ms, ", end="")
    print(f"at most {1000 * again[-1]:.1f} ms")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
