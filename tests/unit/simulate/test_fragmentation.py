"""F1 to F4 against the independent reference, and what must hold of any cluster."""

import os
import random
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.report.capacity_shapes import CapacityShape, FiguresShape
from clusteraudit.simulate.fragmentation import Grouping
from clusteraudit.simulate.room import LARGE, exact, room
from support.capacity import (
    GPU,
    POOL,
    Described,
    Node,
    Told,
    asked,
    copies,
    described,
    machine,
    pod,
    reference,
)
from support.model import cluster_of

EXAMPLES = settings(max_examples=int(os.environ.get("CAPACITY_EXAMPLES", "50")), deadline=None)


def causes(figures: FiguresShape, resource: str) -> dict[str, float]:
    found = figures.resources[resource].expected_fragmentation
    assert found is not None
    by = found.by_cause
    own = {"self": by.own, "slots": by.slots, "constraint": by.constraint}
    return {**own, "notRequested": by.not_requested, **by.other}


def compare(figures: FiguresShape, told: dict[str, Told], *, measured: bool) -> None:
    for resource, one in figures.resources.items():
        expected = told.get(resource, Told())
        assert one.allocatable == expected.allocatable
        assert one.requested == expected.requested
        assert one.free == expected.free
        assert one.unavailable == expected.unavailable
        if not measured:
            assert one.expected_fragmentation is None
            assert one.stranded is None
            continue
        assert one.stranded is not None
        assert one.stranded.amount == expected.stranded
        found = {cause: n for cause, n in causes(figures, resource).items() if n}
        wanted = {cause: float(n) for cause, n in expected.causes.items() if n}
        assert found == pytest.approx(wanted)
        assert one.expected_fragmentation is not None
        whole = sum(n for cause, n in wanted.items() if cause != "notRequested")
        assert one.expected_fragmentation.amount == pytest.approx(whole)
        ratio = whole / expected.free if expected.free else None
        assert one.expected_fragmentation.ratio == (None if ratio is None else pytest.approx(ratio))


def compare_copies(
    said: CapacityShape, figures: FiguresShape, of: Described, nodes: Iterable[Node]
) -> None:
    wanted = copies(of, tuple(nodes))
    selectors = {one.shape: one.constraints.node_selector for one in said.workload}
    assert len(figures.shapes) == len(wanted)
    for one in figures.shapes:
        pools = [text.removeprefix(f"{POOL}=") for text in selectors[one.shape]]
        fits, ideal = wanted[tuple(sorted(one.requests.items())), "".join(pools)]
        assert (one.fits, one.ideal) == (fits, ideal)
        assert one.packing_loss == (None if ideal == 0 else pytest.approx(1 - fits / ideal))


@EXAMPLES
@given(described())
def test_the_figures_are_those_of_the_reference(one: Described) -> None:
    said = asked(cluster_of(one.manifests()))
    measured = bool(said.workload)

    compare(said, reference(one, one.nodes), measured=measured)
    compare_copies(said, said, one, one.nodes)
    for group in said.groups:
        nodes = [node for node in one.nodes if node.pool == group.name]
        assert sorted(group.members) == sorted(node.name for node in nodes)
        compare(group, reference(one, nodes), measured=measured)
        compare_copies(said, group, one, nodes)


@EXAMPLES
@given(described(), st.sampled_from(["pool", "zone", "node"]))
def test_groups_sum_to_the_cluster(one: Described, by: str) -> None:
    said = asked(cluster_of(one.manifests()), by)  # type: ignore[arg-type]
    for resource, whole in said.resources.items():
        parts = [group.resources[resource] for group in said.groups]
        for name in ("allocatable", "requested", "free", "reclaimable", "unavailable", "limits"):
            assert sum(getattr(part, name) for part in parts) == getattr(whole, name)
        if whole.expected_fragmentation:
            for cause, amount in causes(said, resource).items():
                of_groups = [causes(group, resource).get(cause, 0.0) for group in said.groups]
                assert sum(of_groups) == pytest.approx(amount)
    for at, shape in enumerate(said.shapes):
        fits = [group.shapes[at].fits or 0 for group in said.groups]
        assert sum(fits) == shape.fits


@EXAMPLES
@given(described())
def test_what_is_left_and_what_is_free_add_up(one: Described) -> None:
    for figures in asked(cluster_of(one.manifests())).resources.values():
        left = (figures.free or 0) + (figures.unavailable or 0) - (figures.overcommitted or 0)
        assert left == (figures.allocatable or 0) - (figures.requested or 0)


@EXAMPLES
@given(described(), st.randoms(use_true_random=False))
def test_the_order_of_objects_changes_nothing(one: Described, chance: random.Random) -> None:
    manifests = one.manifests()
    once = asked(cluster_of(manifests)).model_dump_json()
    chance.shuffle(manifests)
    assert asked(cluster_of(manifests)).model_dump_json() == once


@EXAMPLES
@given(described(), st.sampled_from(["a", "b"]))
def test_an_empty_node_more_never_lowers_copies(one: Described, pool: str) -> None:
    before = asked(cluster_of(one.manifests()))
    node = Node("new", {"cpu": 4, "memory": 4, "pods": 10}, pool)
    after = asked(cluster_of(Described((*one.nodes, node), one.pods).manifests()))
    for old, new in zip(before.shapes, after.shapes, strict=True):
        assert old.shape == new.shape
        assert (new.fits or 0) >= (old.fits or 0)
        assert (new.ideal or 0) >= (old.ideal or 0)


def of(said: FiguresShape, resource: str) -> dict[str, float]:
    return {cause: n for cause, n in causes(said, resource).items() if n}


def test_every_cause_by_hand() -> None:
    """Five nodes with 4 GPU free each, and one shape that no node takes, each for its reason."""
    room_for = {"cpu": 4, "memory": "8Gi", "pods": 10, GPU: 4}
    nodes = [
        machine("cpu", {**room_for, "cpu": 1}, "a"),
        machine("slots", {**room_for, "pods": 0}, "a"),
        machine("pool", room_for, "b"),
        machine("fits", room_for, "a"),
        machine("gpu", {**room_for, GPU: 1}, "a"),
    ]
    wants = pod("train", {"cpu": 2, "memory": "2Gi", GPU: 2}, pool="a")
    idle = pod("web", {"cpu": 1})
    said = asked(cluster_of([*nodes, wants, idle]))

    assert said.resources[GPU].free == 17
    half = {"cpu": 2.0, "slots": 2.0, "constraint": 2.0, "self": 0.5, "notRequested": 8.5}
    assert of(said, GPU) == half
    found = said.resources[GPU].expected_fragmentation
    assert found
    assert found.amount == 6.5
    assert found.ratio == 6.5 / 17


def test_a_zone_of_nodes_without_a_label_is_no_zone() -> None:
    said = asked(cluster_of([machine("a", {"cpu": 1})]), "zone")
    assert [(one.name, one.members) for one in said.groups] == [("", ["a"])]
    assert said.nodes[0].zone is None


def test_nothing_free_and_nothing_ideal_are_null() -> None:
    nodes = [machine("a", {"cpu": 1, "pods": 1})]
    said = asked(cluster_of([*nodes, pod("web", {"cpu": 1}, on="a")]))
    cpu = said.resources["cpu"]

    assert cpu.free == 0
    assert cpu.expected_fragmentation is not None
    assert cpu.expected_fragmentation.ratio is None
    assert cpu.largest_fit is not None
    assert (cpu.largest_fit.amount, cpu.largest_fit.node) == (0, None)
    assert (said.shapes[0].ideal, said.shapes[0].packing_loss) == (0, None)


def test_placeholders_are_reclaimable() -> None:
    held = pod("spare", {"cpu": 1, "memory": "1Gi"}, on="a", priority=-10)
    said = asked(cluster_of([machine("a", {"cpu": 4, "memory": "4Gi", "pods": 10}), held]))
    assert said.resources["cpu"].reclaimable == 1000
    assert said.resources["memory"].reclaimable == 2**30
    assert said.resources["pods"].reclaimable == 1


def test_amounts_beyond_int64_do_not_overflow() -> None:
    huge = 2**63 - 1
    nodes = [machine(f"n{number}", {"cpu": 1, "memory": huge, "pods": 9}) for number in range(4)]
    said = asked(cluster_of([*nodes, pod("web", {"cpu": 2, "memory": 1})]))
    found = said.resources["memory"]
    assert found.free == 4 * huge
    assert found.expected_fragmentation is not None
    assert found.expected_fragmentation.amount == float(Fraction(4 * huge))
    assert room(cluster_of(nodes)).comparable.min() >= 0


@EXAMPLES
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 2**63) | st.integers(LARGE - 3, LARGE - 1),
            st.integers(0, 2**24 - 1),
        ),
        min_size=1,
    )
)
def test_sums_by_group_are_exact_and_of_equals_the_first_is_the_largest(
    rows: list[tuple[int, int, int]],
) -> None:
    names = sorted({group for group, *_ in rows})
    grouping = Grouping([str(one) for one in names], [names.index(group) for group, *_ in rows])
    amounts = exact(np.array([[amount] for _, amount, _ in rows], dtype=np.object_))
    weights = np.array([[weight] for *_, weight in rows], dtype=np.int64)
    sums, weighed = grouping.sums(amounts).tolist(), grouping.weighed(amounts, weights).tolist()
    largest, first = (found.tolist() for found in grouping.largest(amounts))
    for at, name in enumerate(names):
        its = [(amount, weight) for group, amount, weight in rows if group == name]
        most = max(amount for amount, _ in its)
        assert sums[at] == [sum(amount for amount, _ in its)]
        assert weighed[at] == [sum(amount * weight for amount, weight in its)]
        assert largest[at] == [most]
        assert first[at] == [
            next(i for i, (g, amount, _) in enumerate(rows) if (g, amount) == (name, most))
        ]
