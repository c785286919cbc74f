"""Whom preemption would evict, and which single changes place a pod."""

from typing import Any

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.simulate.preemption import Preemption, preemption
from clusteraudit.simulate.remedies import remedies
from clusteraudit.simulate.schedule import verdicts
from clusteraudit.simulate.snapshot import snapshot
from support.clusters import changes_of
from support.placing import cluster_of, pod_of


def evicts(*objects: Manifest, partial: str = "") -> Preemption:
    cluster = cluster_of(changes_of(objects), partial)
    view, pod = snapshot(cluster), pod_of(cluster, "new")
    return preemption(view, pod, verdicts(view, pod))


def changes(*objects: Manifest) -> list[tuple[Any, ...]]:
    cluster = cluster_of(changes_of(objects))
    view, pod = snapshot(cluster), pod_of(cluster, "new")
    return [(one.change, one.nodes) for one in remedies(view, pod, verdicts(view, pod))]


def old(name: str, priority: int = 0, on: str = "n", cpu: str = "2", app: str = "") -> Manifest:
    return build.pod(name, on=on, app=app, cpu=cpu, spec={"priority": priority})


def new(cpu: str = "2", priority: int = 10, **spec: Any) -> Manifest:
    return build.pod("new", cpu=cpu, spec={"priority": priority, **spec})


NODE = build.node("n", "4")


@pytest.mark.parametrize(
    ("objects", "possible", "reason", "victims"),
    [
        ([new(), NODE, old("a"), old("b")], True, "LowerPriority", ["b"]),
        ([new(cpu="4"), NODE, old("a"), old("b")], True, "LowerPriority", ["a", "b"]),
        ([new(), NODE, old("a", 1), old("b", 5)], True, "LowerPriority", ["a"]),
        ([new(), NODE, old("a", 10), old("b", 20)], False, "NoVictimsHelp", []),
        ([new(cpu="5"), NODE, old("a"), old("b")], False, "NoVictimsHelp", []),
        ([new(), NODE, old("a")], False, "NotNeeded", []),
        (
            [new(preemptionPolicy="Never"), NODE, old("a"), old("b")],
            False,
            "PreemptionPolicyNever",
            [],
        ),
        ([new(nodeSelector={"x": "y"}), NODE, old("a"), old("b")], False, "NoVictimsHelp", []),
        ([new(schedulerName="x"), NODE, old("a"), old("b")], None, "Unknown", []),
    ],
)
def test_preemption(
    objects: list[Manifest], possible: bool | None, reason: str, victims: list[str]
) -> None:
    found = evicts(*objects)
    assert (found.possible, found.reason) == (possible, reason)
    assert [pod.name for one in found.candidates for pod in one.victims] == victims


def test_pods_of_a_budget_that_allows_none_stay_if_others_can_go() -> None:
    objects = [new(), NODE, old("a", app="web"), old("b", app="db")]
    kept = build.budget("b", app="db", counts=(1, 1, 1), minAvailable=1)
    first = evicts(*objects, kept).candidates[0]
    assert ([pod.name for pod in first.victims], first.violates) == (["a"], ())

    both = build.budget("a", app="web", counts=(1, 1, 1), minAvailable=1)
    broken = evicts(*objects, kept, both).candidates[0]
    assert len(broken.victims) == 1
    assert [budget.name for budget in broken.violates] in (["a"], ["b"])


def test_a_budget_that_selects_all_weighs_nothing_here() -> None:
    everything = build.budget("all", counts=(1, 1, 1), selector={}, minAvailable=1)
    assert evicts(new(), NODE, old("a"), old("b"), everything).candidates[0].violates == ()


def test_a_smaller_request() -> None:
    assert changes(new(cpu="6"), NODE, build.node("m", "3")) == [
        ({"type": "request", "resource": "cpu", "from": 6000, "to": 4000}, ("n",)),
    ]


def test_a_toleration() -> None:
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    found = changes(new(), build.node("n", taints=[taint]))
    assert found == [({"type": "toleration", **taint}, ("n",))]


def test_what_a_node_is_tainted_with_because_it_is_not_well_is_not_tolerated() -> None:
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    found = changes(new(), build.node("n", taints=[taint]))
    assert [one["type"] for one, _ in found] == ["node"]


def test_a_node_that_is_cordoned() -> None:
    found = changes(new(), build.node("n", cordoned=60))
    assert found[0] == ({"type": "uncordon", "node": "n"}, ("n",))


def test_a_label() -> None:
    found = changes(new(nodeSelector={"disk": "ssd"}), build.node("n"), build.node("m"))
    assert found == [({"type": "label", "key": "disk", "value": "ssd"}, ("m", "n"))]


def test_no_label_that_says_where_a_node_is() -> None:
    zone = {"topology.kubernetes.io/zone": "a"}
    assert changes(new(nodeSelector=zone), build.node("n")) == []


def test_a_pod_that_moves() -> None:
    owned = build.pods_of("web", on="n", cpu="3")
    found = changes(new(cpu="4", priority=0), NODE, build.node("m", "3"), *owned)
    moved = [one for one, _ in found if one["type"] == "move"]
    assert moved == [{"type": "move", "pod": "shop/web-1-0", "from": "n", "to": "m"}]

    nowhere = changes(new(cpu="4", priority=0), NODE, build.node("m", "2"), *owned)
    assert all(one["type"] != "move" for one, _ in nowhere)


def test_one_more_node_with_what_runs_on_each() -> None:
    daemon = build.pod("agent", on="n", cpu="1", owner=build.owned_by("DaemonSet", "agent"))
    full = old("full", 20, cpu="3")
    found = changes(new(cpu="3", priority=0), NODE, full, daemon)
    added = next(one for one, _ in found if one["type"] == "node")
    assert added["like"] == "n"
    assert not any(
        one["type"] == "node" for one, _ in changes(new(cpu="4", priority=0), NODE, full, daemon)
    )


def test_a_gate() -> None:
    found = changes(new(schedulingGates=[{"name": "quota"}]), NODE)
    assert found[0] == ({"type": "gates", "gates": "quota"}, ("n",))


def test_nothing_is_changed_for_a_pod_that_fits_or_may() -> None:
    assert changes(new(), NODE) == []
    assert changes(new(schedulerName="mine"), NODE) == []
