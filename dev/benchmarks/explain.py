"""`explain` of one pod from the model: `PYTHONPATH=dev python -m benchmarks.explain`."""

import random
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

import msgspec

from clusteraudit.cli.main import collect_rarely
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.constraints import PodTerm, Spread
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import NodeRow, PodRow, PodTemplate, Ref, Row
from clusteraudit.model.selectors import Labels, LabelSelector, Requirement, equal_to
from clusteraudit.model.store import COMPLETE, Change, Store
from clusteraudit.model.tolerations import Taint, Toleration
from clusteraudit.report.explain import explained_pod
from clusteraudit.simulate.schedule import feasible, levels, verdicts
from clusteraudit.simulate.snapshot import snapshot

GI = 2**30
NODES, PODS, APPS, ZONES, POOLS = 5_000, 150_000, 2_000, 3, 20
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
TIMES = 7


def template(app: str, **more: object) -> PodTemplate:
    """A template of an app."""
    labels = Labels((("app", app), ("pod-template-hash", "1")))
    owner = Ref("apps/v1", "ReplicaSet", "shop", app)
    asked = (("cpu", 250), ("memory", GI // 2))
    return PodTemplate(labels=labels, owner=owner, requests=asked, **more)  # type: ignore[arg-type]


def chosen(app: str) -> LabelSelector:
    """The pods of an app."""
    return LabelSelector(equal_to((("app", app),)))


def kinds(app: str) -> dict[str, PodTemplate]:
    """What pods may ask for, from nothing to all of it."""
    spread = Spread(topology_key=ZONE, selector=chosen(app))
    apart = PodTerm(topology_key=HOST, selector=chosen(app))
    near = PodTerm(topology_key=ZONE, selector=chosen("app-1"))
    return {
        "plain": template(app),
        "selector, toleration": template(
            app,
            node_selector=(Requirement("pool", "In", ("pool-3",)),),
            tolerations=(Toleration("dedicated", "Exists"),),
        ),
        "spread": template(app, spread=(spread,)),
        "anti-affinity": template(app, anti_affinity=(apart,)),
        "affinity, spread": template(app, affinity=(near,), spread=(spread,)),
        "too large": msgspec.structs.replace(template(app), requests=(("cpu", 80_000),)),
    }


def made(nodes: int, pods: int) -> Iterator[tuple[str, Row]]:
    """A cluster in three zones and twenty pools; a third of its apps keep their pods apart."""
    rng = random.Random(1)
    for number in range(nodes):
        name, pool = f"node-{number}", f"pool-{number % POOLS}"
        pairs = ((HOST, name), ("pool", pool), (ZONE, f"zone-{number % ZONES}"))
        taints = (Taint("dedicated", pool),) if pool == "pool-3" else ()
        room = (("cpu", 16_000), ("memory", 64 * GI), ("pods", 110))
        yield "Node", NodeRow("", name, labels=Labels(pairs), taints=taints, allocatable=room)
    templates = [
        template(f"app-{app}", **({"anti_affinity": (apart(app),)} if app % ZONES == 0 else {}))
        for app in range(APPS)
    ]
    for number in range(pods):
        node = f"node-{rng.randrange(nodes)}"
        shape = templates[number % APPS]
        yield "Pod", PodRow("shop", f"pod-{number}", template=shape, phase="Running", node=node)


def apart(app: int) -> PodTerm:
    """A term that keeps the pods of an app on different nodes."""
    return PodTerm(topology_key=HOST, selector=chosen(f"app-{app}"))


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of CPU, the median of several times."""
    took = []
    for _ in range(TIMES):
        start = time.process_time()
        work()
        took.append(1000 * (time.process_time() - start))
    return median(took)


def main() -> None:
    """Print what the snapshot takes, and each kind of pod by each way of asking."""
    collect_rarely()
    nodes, pods = (int(text) for text in (sys.argv[1:] or [str(NODES), str(PODS)]))
    store = Store()
    store.apply([Change(kind, row.key, row) for kind, row in made(nodes, pods)])
    store.learn(dict.fromkeys(KINDS, COMPLETE))
    cluster = Cluster(store, 0)
    start = time.process_time()
    whole = snapshot(cluster)
    infos = time.process_time()
    _ = whole.columns
    columns = time.process_time()
    print(f"snapshot {1000 * (infos - start):.0f} ms, columns {1000 * (columns - infos):.0f} ms")
    for name, shape in kinds("app-0").items():
        pod = PodRow("shop", "new", template=shape)
        print(
            f"{name:<22} levels {timed(lambda: levels(whole, pod)):6.2f} ms, "  # noqa: B023
            f"feasible {timed(lambda: feasible(whole, pod)):6.2f} ms, "  # noqa: B023
            f"verdicts {timed(lambda: verdicts(whole, pod)):6.1f} ms, "  # noqa: B023
            f"explain {timed(lambda: explained_pod(whole, pod)):6.1f} ms"  # noqa: B023
        )


if __name__ == "__main__":
    main()
