"""The engine's two ways of asking agree, and it keeps the promises of any scheduler."""

from collections import Counter
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.model.rows import NodeRow, PodRow
from clusteraudit.simulate.filters.kit import Refusal, gist
from clusteraudit.simulate.schedule import feasible, foremost, tally, verdict, verdicts
from clusteraudit.simulate.snapshot import Snapshot, snapshot
from support.clusters import changes_of
from support.placing import cluster_of
from support.scenes import Scene, scene

SEED = st.integers(0, 2**32)
PARTIAL = ["", "", "Pod", "Node", "Namespace", "PersistentVolume", "CSINode"]
BY_NEIGHBOURS = {"PodTopologySpread", "InterPodAffinity"}


def view_of(one: Scene, partial: str = "", order: int | None = None) -> Snapshot:
    objects = [*one.objects, *one.pods]
    if order is not None:
        Random(order).shuffle(objects)
    return snapshot(cluster_of(changes_of(objects), partial))


def pods_of(view: Snapshot, one: Scene) -> list[PodRow]:
    rows = (
        view.cluster.find(PodRow, "Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
        for pod in one.pods
    )
    return [row for row in rows if row]


@settings(max_examples=100, deadline=None)
@given(SEED, st.sampled_from(PARTIAL))
def test_columns_say_what_nodes_say_one_by_one(seed: int, partial: str) -> None:
    one = scene(seed, pods=6)
    view = view_of(one, partial).fork()
    for pod in pods_of(view, one):
        each = tuple(verdict(view, pod, name) for name in view.nodes)
        assert verdicts(view, pod) == each
        said = {one.node: one.fits for one in each}
        found = feasible(view, pod)
        assert set(found.fits) == {node for node, fits in said.items() if fits}
        assert set(found.maybe) == {node for node, fits in said.items() if fits is None}
        if found.fits:
            view.add_pod(pod, found.fits[0])


@settings(max_examples=50, deadline=None)
@given(SEED)
def test_the_first_filter_is_the_first_of_all(seed: int) -> None:
    one = scene(seed, pods=4)
    view = view_of(one)
    for pod in pods_of(view, one):
        refused = [found.refusals for found in verdicts(view, pod) if found.refusals]
        firsts = [[r for r in every if r.filter == every[0].filter] for every in refused]
        assert list(foremost(view, pod)) == firsts
        counted = Counter[object]()
        for said, number in tally(view, pod):
            counted[_gists(said)] += number
        assert counted == Counter(map(_gists, firsts))


def _gists(said: list[Refusal]) -> object:
    return tuple(
        (one.filter, one.reason, one.resource, gist(one.reason, one.detail)) for one in said
    )


@settings(max_examples=50, deadline=None)
@given(SEED, st.integers(0, 99))
def test_the_order_of_the_input_changes_nothing(seed: int, order: int) -> None:
    one = scene(seed, pods=4)
    first, second = view_of(one), view_of(one, order=order)
    for pod in pods_of(first, one):
        assert verdicts(first, pod) == verdicts(second, pod)


@settings(max_examples=50, deadline=None)
@given(SEED, st.integers(1, 9))
def test_more_room_never_makes_a_pod_lack_it(seed: int, more: int) -> None:
    one = scene(seed, pods=4)
    view = view_of(one)
    larger = view.fork()
    for info in view.infos():
        room = tuple((name, amount * (1 + more)) for name, amount in info.node.allocatable)
        larger.replace_node(msgspec.structs.replace(info.node, allocatable=room))
    for pod in pods_of(view, one):
        for name in view.nodes:
            before = {r.resource for r in verdict(view, pod, name).refusals if r.resource}
            after = {r.resource for r in verdict(larger, pod, name).refusals if r.resource}
            assert after - {"attachable"} <= before


@settings(max_examples=50, deadline=None)
@given(SEED, st.integers(0, 9))
def test_who_fits_still_fits_when_another_leaves(seed: int, which: int) -> None:
    """Save for what the pod asks of its neighbours, and then only those filters may refuse it."""
    one = scene(seed, pods=4)
    view = view_of(one)
    placed = [pod for info in view.infos() for pod in info.pods]
    if not placed:
        return
    fewer = view.fork()
    fewer.remove_pod(placed[which % len(placed)].key)
    for pod in pods_of(view, one):
        for name in feasible(view, pod).fits:
            refusals = verdict(fewer, pod, name).refusals
            asks = bool(pod.template.spread or pod.template.affinity)
            assert not refusals or asks
            assert {refusal.filter for refusal in refusals} <= BY_NEIGHBOURS


@settings(max_examples=50, deadline=None)
@given(SEED)
def test_what_is_tried_on_a_fork_leaves_the_snapshot_as_it_was(seed: int) -> None:
    one = scene(seed, pods=4)
    view = view_of(one)
    before = [verdicts(view, pod) for pod in pods_of(view, one)]
    fork = view.fork()
    for info in list(fork.infos())[:2]:
        fork.remove_node(info.name)
    for pod, name in zip(pods_of(view, one), fork.nodes, strict=False):
        fork.add_pod(pod, name)
    again = fork.fork()
    for pod in pods_of(view, one):
        again.remove_pod(pod.key)
    again.add_node(NodeRow("", "more", allocatable=(("cpu", 1000), ("pods", 9))))
    assert [verdicts(view, pod) for pod in pods_of(view, one)] == before


@settings(max_examples=30, deadline=None)
@given(SEED)
def test_a_fork_says_what_a_cluster_says_that_is_so(seed: int) -> None:
    one = scene(seed, pods=5)
    view = view_of(one)
    fork = view.fork()
    gone = next(iter(view.nodes))
    fork.remove_node(gone)
    placed = {}
    for pod in pods_of(view, one)[:3]:
        where = feasible(fork, pod).fits
        if where:
            fork.add_pod(pod, where[0])
            placed[pod.key] = where[0]
    objects = [o for o in one.objects if not on(o, gone)]
    pods = [with_node(pod, placed) for pod in one.pods]
    same = snapshot(cluster_of(changes_of([*objects, *pods])))
    for pod in pods_of(view, one)[3:]:
        assert verdicts(fork, pod) == verdicts(same, pod)


def on(one: dict[str, object], node: str) -> bool:
    meta, spec = one["metadata"], one.get("spec")
    named = isinstance(meta, dict) and meta["name"] == node and one["kind"] == "Node"
    return named or (isinstance(spec, dict) and spec.get("nodeName") == node)


def with_node(pod: dict[str, object], placed: dict[tuple[str, str], str]) -> dict[str, object]:
    meta, spec = pod["metadata"], pod["spec"]
    assert isinstance(meta, dict)
    assert isinstance(spec, dict)
    node = placed.get((meta["namespace"], meta["name"]))
    return {**pod, "spec": {**spec, "nodeName": node}} if node else pod
