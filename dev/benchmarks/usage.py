"""What usage of a large cluster costs: the reading of a sample, its part in audits, its memory.

    PYTHONPATH=operator:dev python -m benchmarks.usage --pods 30000

CPU time of one thread. The samples are those of `scale`, other ones in each round, made in a
process of their own, so that what memory they take there does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import time
from typing import TYPE_CHECKING, Any

from benchmarks.churn import Audited, Readers, load
from clusteraudit.cli.main import collect_rarely
from clusteraudit.handlers.memory import settle
from clusteraudit.sources.arrays import Arrays
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.resources import resource
from scale.churn import moment
from scale.cluster import Cluster
from scale.process import memory
from scale.sizes import Size
from scale.usage import MetricsServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection

_ROUNDS = 4
_PIECE = 2**16
_AUDITS = 20
"""Of a round, as some happen while it goes on."""


class Poller:
    """Reads the answers about all namespaces, one after the other."""

    def __init__(self, readers: Readers, audited: Audited) -> None:
        self._readers, self._audited = readers, audited
        self._resource = resource("PodMetrics")
        self._by_namespace: dict[str, Reader] = {}

    def round(self, answers: Iterable[tuple[str, bytes]], step: int) -> tuple[int, float, float]:
        """How many samples there were, CPU seconds of reading and of the audits."""
        samples, reading, audits = 0, 0.0, 0.0
        for number, (namespace, text) in enumerate(answers):
            began = time.thread_time()
            samples += self._read(namespace, text)
            reading += time.thread_time() - began
            if number % step == 0:
                audits += self._audited.step()
        return samples, reading, audits + self._audited.step()

    def _read(self, namespace: str, text: bytes) -> int:
        reader = self._by_namespace.setdefault(
            namespace, Reader(self._resource, self._readers.pending, self._readers.names)
        )
        reader.begin()
        arrays = Arrays(self._resource.document)
        for at in range(0, len(text), _PIECE):
            _put(reader, arrays.feed(text[at : at + _PIECE]))
        _put(reader, arrays.close())
        asyncio.run(reader.end())
        return len(reader.known)


def _put(reader: Reader, parts: Iterator[Any]) -> None:
    for some in parts:
        for item in some:
            reader.put(item)


def _serve(pods: int, asked: Connection) -> None:
    server = MetricsServer(Cluster(Size(pods)), {})
    while namespace := asked.recv():
        text = json.dumps(list(server.samples([namespace])), separators=(",", ":"))
        asked.send_bytes(text[1:].encode() + b"}")


def _answers(asked: Connection, namespaces: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for namespace in namespaces:
        asked.send(namespace)
        yield namespace, asked.recv_bytes()


def main() -> None:
    """Print the figures of each round."""
    parser = argparse.ArgumentParser(prog="benchmarks.usage", description=__doc__)
    parser.add_argument("--pods", type=int, default=30_000)
    pods = parser.parse_args().pods
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(pods, there))
    server.start()
    try:
        _measure(pods, here)
    finally:
        here.send("")
        server.join()


def _measure(pods: int, asked: Connection) -> None:
    collect_rarely()
    cluster, readers = Cluster(Size(pods)), Readers()
    audited = Audited(readers)
    load(readers, audited, cluster, moment())
    audited.step()
    gc.collect()
    settle()
    before, poller = memory(os.getpid()).resident, Poller(readers, audited)
    namespaces = sorted({one.namespace for one in cluster.workloads})
    for _ in range(_ROUNDS):
        answers = _answers(asked, namespaces)
        samples, reading, audits = poller.round(answers, len(namespaces) // _AUDITS + 1)
        settle()
        each = (memory(os.getpid()).resident - before) / samples
        print(
            f"{samples} samples: reading {1e6 * reading / samples:.1f} us, "
            f"audits {1e6 * audits / samples:.1f} us, {each:.0f} bytes each",
            flush=True,
        )


if __name__ == "__main__":
    main()
