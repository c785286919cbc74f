"""`evictions --all` from the model: `PYTHONPATH=dev python -m benchmarks.evictions`."""

import random
import sys
import time
from collections.abc import Iterator

from clusteraudit.cli.main import collect_rarely
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import NodeRow, PodRow, PodTemplate, Row, UsageRow
from clusteraudit.model.store import COMPLETE, Change, Store
from clusteraudit.report.evictions import evictions
from clusteraudit.report.inputs import Origin, inputs
from clusteraudit.simulate.evictions import Signal
from clusteraudit.simulate.pressure import pressure

GI = 2**30
NODES, PODS, TEMPLATES = 5_000, 150_000, 500


def made(nodes: int, pods: int) -> Iterator[tuple[str, Row]]:
    """A cluster with usage of every node and of all pods but a hundredth."""
    rng = random.Random(1)
    templates = [
        PodTemplate(
            priority=rng.choice([0, 0, 0, 1000, 2_000_001_000]),
            memory_request=rng.choice([0, GI // 4, GI, 4 * GI]),
        )
        for _ in range(TEMPLATES)
    ]
    for number in range(nodes):
        yield "Node", NodeRow("", f"node-{number}", capacity=(("memory", 64 * GI),))
        yield "NodeMetrics", UsageRow("", f"node-{number}", cpu=1, memory=rng.randrange(64 * GI))
    for number in range(pods):
        name, node = f"pod-{number}", f"node-{rng.randrange(nodes)}"
        template = rng.choice(templates)
        yield "Pod", PodRow("shop", name, template=template, phase="Running", node=node)
        if number % 100:
            yield "PodMetrics", UsageRow("shop", name, cpu=1, memory=rng.randrange(4 * GI))


def main() -> None:
    """Print what it takes to rank all pods, and to make the answer's shape and its JSON."""
    collect_rarely()
    nodes, pods = (int(text) for text in (sys.argv[1:] or [str(NODES), str(PODS)]))
    store = Store()
    store.apply([Change(kind, row.key, row) for kind, row in made(nodes, pods)])
    store.learn(dict.fromkeys(KINDS, COMPLETE))
    cluster = Cluster(store, 0)
    for signal in (Signal.MEMORY, Signal.NODEFS, Signal.PID):
        start = time.process_time()
        names = [row.name for row in cluster.all(NodeRow, "Node")]
        found = [pressure(cluster, name, signal) for name in names]
        ranked = time.process_time()
        answer = evictions(found, inputs((), (), Origin()))
        shaped = time.process_time()
        text = answer.model_dump_json(by_alias=True)
        written = time.process_time()
        print(
            f"{signal:<7} ranked {ranked - start:.2f} s, shaped {shaped - ranked:.2f} s, "
            f"JSON {written - shaped:.2f} s ({len(text) / 1e6:.0f} MB)"
        )


if __name__ == "__main__":
    main()
