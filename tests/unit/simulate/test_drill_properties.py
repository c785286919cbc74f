"""What holds of every drill, over generated clusters."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.model.rows import PodRow
from clusteraudit.simulate.controllers import comes_back
from clusteraudit.simulate.drain import drain
from clusteraudit.simulate.drill import Drill, Outcome
from clusteraudit.simulate.drills import every, node_loss
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.loss import without
from clusteraudit.simulate.schedule import verdict
from support.model import cluster_of

NAMES = ("a", "b", "c", "d")


@st.composite
def clusters(draw: st.DrawFn) -> list[Manifest]:
    """Up to four nodes in two zones, and pods of a few cores, with budgets and anti-affinity."""
    names = NAMES[: draw(st.integers(1, 4))]
    made = [
        build.node(name, str(draw(st.integers(1, 6))), zone=f"zone-{at % 2}")
        for at, name in enumerate(names)
    ]
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(("ReplicaSet", "StatefulSet", "DaemonSet", "")))
        app = f"app-{draw(st.integers(0, 2))}"
        spec: dict[str, object] = {"priority": draw(st.sampled_from((0, 0, 0, 5)))}
        if draw(st.integers(0, 4)) == 0:
            term = {"labelSelector": {"matchLabels": {"app": app}}}
            away = [{**term, "topologyKey": "kubernetes.io/hostname"}]
            required = {"requiredDuringSchedulingIgnoredDuringExecution": away}
            spec["affinity"] = {"podAntiAffinity": required}
        made.append(
            build.pod(
                f"{app}-{number}",
                app=app,
                owner=build.owned_by(kind, app) if kind else (),
                on=draw(st.sampled_from(names)),
                cpu=str(draw(st.integers(0, 3))),
                spec=spec,
            )
        )
    apps = draw(st.lists(st.sampled_from(("app-0", "app-1", "app-2")), unique=True))
    asked = st.sampled_from(("maxUnavailable", "minAvailable"))
    amount = st.sampled_from((0, 1, "50%"))
    specs: list[dict[str, Any]] = [{draw(asked): draw(amount)} for _ in apps]
    return made + [build.budget(app, **spec) for app, spec in zip(apps, specs, strict=True)]


def drills(objects: list[Manifest]) -> list[Drill]:
    ground = Ground(cluster_of(objects))
    lost = [one for mode in ("unreachable", "deleted") for one in every(ground, mode)]
    return [*lost, *(drain(ground, name) for name in ground.base.nodes)]


@given(clusters(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_input_changes_nothing(objects: list[Manifest], dice: object) -> None:
    shuffled = list(objects)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types its Random as object

    assert drills(objects) == drills(objects) == drills(shuffled)


@given(clusters())
@settings(max_examples=40, deadline=None)
def test_a_node_without_pods_survives(objects: list[Manifest]) -> None:
    ground = Ground(cluster_of([*objects, build.node("empty")]))

    for drill in (drain(ground, "empty"), node_loss(ground, "empty", "deleted")):
        assert (drill.verdict, drill.fates) == ("survives", ())


@given(clusters())
@settings(max_examples=60, deadline=None)
def test_every_pod_that_is_placed_fits_where_it_is(objects: list[Manifest]) -> None:
    ground = Ground(cluster_of(objects))
    for name in ground.base.nodes:
        drill = node_loss(ground, name, "deleted")
        fork = without(ground.base, frozenset({name}), "deleted")
        placed = [fate for fate in drill.fates if fate.outcome is Outcome.PLACED]
        for fate in drill.fates:
            if fate.pod.on != name:
                fork.remove_pod(fate.pod.key)
        for fate in placed:
            made = ground.remade(fate.pod)
            assert verdict(fork, made, fate.node).fits
            fork.add_pod(made, fate.node)


@given(clusters())
@settings(max_examples=60, deadline=None)
def test_where_there_is_a_placement_of_all_no_pod_is_left_over(objects: list[Manifest]) -> None:
    ground = Ground(cluster_of(objects))
    for name in ground.base.nodes:
        moving = [pod for pod in ground.base.nodes[name].pods if _moves(pod)]
        drill = node_loss(ground, name, "deleted")
        outcomes = {fate.outcome for fate in drill.fates if _moves(fate.pod)}
        if _exists(ground, name, moving):
            assert outcomes <= {Outcome.PLACED}
        elif all(fate.pod.on == name for fate in drill.fates):  # nobody else was evicted for them
            assert outcomes - {Outcome.PLACED}


def _moves(pod: PodRow) -> bool:
    owner = pod.template.owner
    return comes_back(pod) and owner is not None and owner.kind != "DaemonSet"


def _exists(ground: Ground, name: str, pods: list[PodRow]) -> bool:
    """By trying all of them, without evicting anybody."""
    others = [one for one in ground.base.nodes if one != name]
    return any(_fits(ground, name, pods, nodes) for nodes in product(others, repeat=len(pods)))


def _fits(ground: Ground, name: str, pods: list[PodRow], nodes: tuple[str, ...]) -> bool:
    fork = without(ground.base, frozenset({name}), "deleted")
    for pod, node in zip(pods, nodes, strict=True):
        made = ground.remade(pod)
        if not verdict(fork, made, node).fits:
            return False
        fork.add_pod(made, node)
    return True


@pytest.mark.parametrize("mode", ["unreachable", "deleted"])
def test_no_cluster_no_drill(mode: str) -> None:
    assert list(every(Ground(cluster_of([])), mode)) == []  # type: ignore[arg-type]  # parametrized
