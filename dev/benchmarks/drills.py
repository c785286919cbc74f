"""Times the loss of every node, in CPU seconds: `python -m benchmarks.drills [NODES] [PODS]`."""

import sys
import time
from collections import Counter
from typing import get_args

from benchmarks.large import store
from clusteraudit.model.cluster import Cluster
from clusteraudit.simulate.drill import Mode
from clusteraudit.simulate.drills import node_loss, zone_loss
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.node_zones import zones


def main(nodes: int, pods: int) -> None:
    """Build a cluster, lose each node in both modes, then each zone."""
    start = time.process_time()
    cluster = Cluster(store(nodes, pods), 0)
    print(f"{nodes} nodes, {pods} pods: model built in {time.process_time() - start:.1f} s")
    for mode in get_args(Mode):
        start = time.process_time()
        ground = Ground(cluster)
        found = Counter(node_loss(ground, name, mode).verdict.value for name in ground.base.nodes)
        took = time.process_time() - start
        print(f"every node {mode}: {took:.1f} s {dict(found)}", flush=True)
    ground = Ground(cluster)
    for zone in zones(cluster):
        start = time.process_time()
        drill = zone_loss(ground, zone.name, "deleted")
        outcomes = Counter(fate.outcome.value for fate in drill.fates)
        took = time.process_time() - start
        print(f"zone {zone.name} deleted: {took:.1f} s {drill.verdict.value} {dict(outcomes)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ("5000", "150000")))
