"""What following a living cluster costs: decoding each change, and the audit every two seconds.

    PYTHONPATH=operator:dev python -m benchmarks.churn --pods 50000 --rate 200

CPU time of one thread, in which objects, changes and readers are those of `scale`, without a
server between. With `--profile` the functions that took longest are named; with `--hour` an hour's
changes follow, as fast as they can be read, and what they leave in memory is told.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import os
import pstats
import sys
import time
from dataclasses import replace
from itertools import chain, islice
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from clusteraudit.audit.audit import Audit
from clusteraudit.cli.main import collect_rarely
from clusteraudit.handlers.memory import give_back
from clusteraudit.handlers.pending import Pending, changes
from clusteraudit.model.kinds import KINDS, METADATA_ONLY
from clusteraudit.model.store import COMPLETE
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.sources.followed import alike
from clusteraudit.sources.names import Names
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.resources import POLLED, WATCHED
from scale.churn import RATE, Life, moment
from scale.cluster import Cluster
from scale.manifests import everything
from scale.measure import MIB
from scale.pods import Pods
from scale.process import Memory, Sampler, memory
from scale.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from clusteraudit.sources.feed import Resource
    from scale.etcd import Put

WINDOW = 2
"""Seconds between audits: the pulse."""
_AT_ONCE = 1000
_LINES = 60
_SECONDS = 3600
_SAMPLED = 20
_GIVEN_BACK = 10
"""Seconds between moments at which free memory is given back, as in the operator."""
_DAY = 86_400
"""The age of what is loaded: no rule waits for it any more."""


class _Kind(msgspec.Struct):
    kind: str


class _Partial(_Kind):
    metadata: msgspec.Raw


class Readers:
    """Takes what is written, in place of an etcd and the server before it."""

    def __init__(self) -> None:
        self.pending = Pending()
        self.seconds = 0.0
        """CPU time of the reading alone."""
        self.names = Names()
        self._by_kind = {one.kind: self._reader(one) for one in (*WATCHED, *POLLED)}
        self._by_plural = {one.plural: one.kind for one in WATCHED}
        self._peek = msgspec.json.Decoder(_Kind)
        self._partial = msgspec.json.Decoder(_Partial)

    def _reader(self, resource: Resource) -> Reader:
        reader = Reader(resource, self.pending, alike(resource.kind, self.names))
        self.names.join(reader.known)
        return reader

    async def write(self, batch: list[Put]) -> None:
        """As `Etcd.write`."""
        self.read(batch)

    def read(self, puts: Iterable[Put]) -> int:
        """Each as a watch tells it; how many there were."""
        taken = list(puts)
        told = [self._told(key, text) for key, text in taken]
        began = time.thread_time()
        for (key, _), (kind, text) in zip(taken, told, strict=True):
            if text is not None:
                self._by_kind[kind].put(text)
            else:
                _, namespace, name = key.split("/")
                self._by_kind[kind].drop((namespace, name))
        self.seconds += time.thread_time() - began
        return len(taken)

    def _told(self, key: str, text: bytes | None) -> tuple[str, bytes | None]:
        """The kind, and what a server tells of the object: of some kinds its metadata alone."""
        if text is None:
            return self._by_plural[key.partition("/")[0]], None
        kind = self._peek.decode(text).kind
        if kind in METADATA_ONLY:
            text = msgspec.json.encode(self._partial.decode(text))
        return kind, text


class Audited:
    """The audit of what the readers hand on."""

    def __init__(self, readers: Readers) -> None:
        self._pending = readers.pending
        self._audit = Audit(catalogue(), 0)
        self._audit.store.learn(dict.fromkeys(KINDS, COMPLETE))

    def absorb(self) -> None:
        """As before the first audit."""
        self._audit.absorb(changes(self._pending.take()[0]))

    def step(self) -> float:
        """CPU seconds of an audit of all that has come."""
        rows = self._pending.take()[0]
        began = time.thread_time()
        self._audit.step(changes(rows), now=int(time.time()), settled=True)
        return time.thread_time() - began


def load(readers: Readers, audited: Audited, cluster: Cluster, now: str) -> None:
    """Everything of the cluster into the model, some at a time: together it would not fit."""
    puts = chain(everything(cluster, now), _pods(cluster, now))
    while some := list(islice(puts, _AT_ONCE)):
        readers.read(some)
        audited.absorb()


def _pods(cluster: Cluster, now: str) -> Iterator[Put]:
    pods = Pods(now)
    for workload in cluster.workloads:
        yield from (pods.put(workload, at) for at in range(len(workload.nodes)))


class _Window:
    """So many changes, and an audit at whose moment a pod is gone that is replaced after it.

    So most audits of a living cluster find it: room that is free for a moment is room for others.
    """

    def __init__(self, life: Life, readers: Readers, audited: Audited, changes: int) -> None:
        self._life, self._readers, self._audited = life, readers, audited
        self._changes = changes
        self._late: list[Put] = []

    def __call__(self) -> tuple[float, float]:
        """CPU seconds of reading and of the audit."""
        self._readers.seconds = 0.0
        self._readers.read(self._late)
        asyncio.run(self._life.change(self._changes))
        gone, *self._late = self._life.replacement()
        self._readers.read([gone])
        return self._readers.seconds, self._audited.step()


def _tell(name: str, seconds: Sequence[float], changes: int) -> None:
    middle, most = 1000 * median(seconds), 1000 * max(seconds)
    cost = f"{middle:.1f} ms for {changes} changes, at most {most:.1f}"
    print(f"{name:<8} {cost}; {middle / WINDOW / 10:.1f} % of a core", flush=True)


def _hour(live: Callable[[], object]) -> None:
    """What is resident while an hour's changes pass, and how it grows in the second half."""
    samples: list[Memory] = []
    blocks: list[int] = []
    for past in range(0, _SECONDS, WINDOW):
        live()
        if past % _GIVEN_BACK == 0:
            give_back()
        if past % _SAMPLED == 0:
            samples.append(replace(memory(os.getpid()), at=float(past)))
            blocks.append(sys.getallocatedblocks())
    told = ", ".join(f"{one.resident / MIB:.1f}" for one in samples[:: len(samples) // 10])
    slope = Sampler(os.getpid(), samples=samples).slope().hourly / MIB
    print(f"an hour  {told} MiB; in its second half {slope:+.1f} MiB an hour", flush=True)
    counts = ", ".join(str(one) for one in blocks[:: len(blocks) // 10])
    print(f"objects  {counts} blocks of the interpreter's", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.churn", description=__doc__)
    parser.add_argument("--pods", type=int, default=50_000)
    parser.add_argument("--rate", type=int, default=RATE, help="Changes a second.")
    parser.add_argument("--audits", type=int, default=15)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--hour", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Print the figures."""
    asks = _arguments()
    collect_rarely()
    now, cluster, readers = moment(-_DAY), Cluster(Size(asks.pods)), Readers()
    audited = Audited(readers)
    load(readers, audited, cluster, now)
    print(f"{asks.pods} pods: first audit {audited.step():.2f} s of CPU", flush=True)
    gc.collect()
    gc.freeze()
    changes = asks.rate * WINDOW
    live = _Window(Life(cluster, readers, now), readers, audited, changes)
    for _ in range(asks.audits):  # until as many pods are unready as ever are
        live()
    reading, audits = zip(*(live() for _ in range(asks.audits)), strict=True)
    _tell("reading", reading, changes)
    _tell("audit", audits, changes)
    if asks.hour:
        _hour(live)
    if asks.profile:
        with cProfile.Profile() as profile:
            for _ in range(asks.audits):
                live()
        for order in ("cumulative", "tottime"):
            pstats.Stats(profile).sort_stats(order).print_stats(_LINES)


if __name__ == "__main__":
    main()
