"""The engine's two ways of asking agree, and it keeps the promises of any scheduler."""

from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.model.build import NOW
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import PodRow
from clusteraudit.model.store import COMPLETE, Change, Evidence, Store
from clusteraudit.simulate.schedule import feasible, verdicts
from clusteraudit.simulate.snapshot import snapshot
from support.clusters import changes_of
from support.scenes import Scene, scene

SEED = st.integers(0, 2**32)


def cluster_of(changes: list[Change], evidence: dict[str, Evidence] | None = None) -> Cluster:
    store = Store()
    store.apply(changes)
    store.learn({**dict.fromkeys(KINDS, COMPLETE), **(evidence or {})})
    return Cluster(store, NOW)


def pods_of(one: Scene) -> list[PodRow]:
    rows = [change.row for change in changes_of([*one.objects, *one.pods])]
    names = {(pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in one.pods}
    return [row for row in rows if isinstance(row, PodRow) and row.key in names]


@settings(max_examples=150, deadline=None)
@given(SEED, st.sampled_from(["", "", "Pod", "Node", "Namespace", "PersistentVolume", "CSINode"]))
def test_columns_say_what_nodes_say_one_by_one(seed: int, partial: str) -> None:
    one = scene(seed, pods=6)
    evidence = {partial: Evidence("partial")} if partial else {}
    view = snapshot(cluster_of(changes_of([*one.objects, *one.pods]), evidence)).fork()
    for pod in pods_of(one):
        said = {verdict.node: verdict.fits for verdict in verdicts(view, pod)}
        found = feasible(view, pod)
        assert set(found.fits) == {node for node, fits in said.items() if fits}
        assert set(found.maybe) == {node for node, fits in said.items() if fits is None}
        if found.fits:
            view.add_pod(pod, found.fits[0])
