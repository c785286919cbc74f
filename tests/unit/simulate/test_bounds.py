"""How many nodes the placed pods need: by hand, and against what must hold of any cluster."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.report.capacity_shapes import CapacityShape
from support.capacity import asked, machine, pod
from support.model import cluster_of

BIG = {"cpu": 4, "memory": "16Gi", "pods": 10}


def small_pods(counts: Sequence[int], cpu: str = "1") -> list[Manifest]:
    """So many pods of one CPU on each node."""
    return [
        pod(f"p{node}-{number}", {"cpu": cpu}, on=f"n{node}")
        for node, count in enumerate(counts)
        for number in range(count)
    ]


def nodes(count: int) -> list[Manifest]:
    return [machine(f"n{number}", BIG) for number in range(count)]


def bounds(*manifests: Manifest) -> tuple[int, int, list[str]]:
    found = asked(cluster_of(manifests)).node_bounds
    assert found is not None
    return found.lower, found.upper, found.removable


def pins(said: CapacityShape) -> dict[str, str]:
    return {one.node: one.pinned.reason for one in said.nodes if one.pinned}


def apart(app: str, *, on: str = "n1", **spec: object) -> Manifest:
    """A pod whose placement other pods decide."""
    return build.pod(app, app=app, owner=build.owned_by("ReplicaSet", app), on=on, spec=spec)


def anti(app: str) -> dict[str, object]:
    """Away from nodes with pods of an app."""
    selector = {"matchLabels": {"app": app}}
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_pods_that_fit_on_fewer_nodes() -> None:
    assert bounds(*nodes(4), *small_pods([1, 1, 1, 1])) == (1, 1, ["n1", "n2", "n3"])


def test_sums_that_no_placement_reaches() -> None:
    """Three pods of 3 CPU on nodes of 4: 9 CPU fit on 3 nodes by sum, and take 3 each their own."""
    assert bounds(*nodes(4), *small_pods([1, 1, 1], cpu="3")) == (3, 3, ["n3"])
    assert bounds(*nodes(4), *small_pods([1, 1, 1, 1], cpu="2500m")) == (3, 4, [])


def test_an_empty_cluster_needs_none() -> None:
    assert bounds(*nodes(2)) == (0, 0, ["n0", "n1"])


def test_what_a_daemon_set_holds_is_not_free_for_others() -> None:
    agents = [pod(f"d{n}", {"cpu": 3}, on=f"n{n}", owner="DaemonSet") for n in range(3)]
    assert bounds(*nodes(3), *agents, *small_pods([1, 1])) == (2, 2, ["n2"])
    assert bounds(*nodes(3), *agents) == (0, 0, ["n0", "n1", "n2"])


def test_a_node_that_takes_no_pods_is_not_counted() -> None:
    assert bounds(build.node("a", cordoned=60), *nodes(1), *small_pods([1])) == (1, 1, [])


@pytest.mark.parametrize(
    ("reason", "more"),
    [
        ("BarePod", [pod("bare", {"cpu": 1}, on="n1", owner="")]),
        ("StaticPod", [pod("etcd-n1", {"cpu": 1}, on="n1", owner="Node")]),
        (
            "BudgetAllowsNone",
            [
                build.pod("web", app="web", owner=build.owned_by("ReplicaSet", "web"), on="n1"),
                build.budget("web", counts=(1, 1, 1), minAvailable=1),
            ],
        ),
        (
            "BudgetAllowsNone",
            [
                build.pod("web", app="web", owner=build.owned_by("ReplicaSet", "web"), on="n1"),
                build.budget("web", minAvailable=1),
            ],
        ),
        (
            "SeveralBudgets",
            [
                build.pod("web", app="web", owner=build.owned_by("ReplicaSet", "web"), on="n1"),
                build.budget("a", app="web", counts=(2, 1, 1), minAvailable=1),
                build.budget("b", app="web", counts=(2, 1, 1), minAvailable=1),
            ],
        ),
        (
            "UnknownVolume",
            [build.pod("db", owner=build.owned_by("StatefulSet", "db"), on="n1", claim="data")],
        ),
        (
            "NodePorts",
            [
                apart(
                    "net",
                    containers=[{"name": "a", "ports": [{"containerPort": 80, "hostPort": 80}]}],
                )
            ],
        ),
        ("InterPodAffinity", [apart("apart", affinity=anti("apart"))]),
        (
            "PodTopologySpread",
            [
                apart(
                    "spread",
                    topologySpreadConstraints=[
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "DoNotSchedule",
                            "labelSelector": {"matchLabels": {"app": "spread"}},
                        }
                    ],
                )
            ],
        ),
        ("DynamicResources", [apart("dra", resourceClaims=[{"name": "gpu"}])]),
    ],
)
def test_what_may_not_move_pins_its_node(reason: str, more: list[Manifest]) -> None:
    said = asked(cluster_of([*nodes(3), *small_pods([1]), *more]))
    assert pins(said) == {"n1": reason}
    assert said.node_bounds is not None
    assert said.node_bounds.removable == ["n0", "n2"]


def test_a_local_volume_pins_and_a_zonal_one_does_not() -> None:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}
    local, zonal = build.volume("v", "", "data"), build.volume("v", "z", "data")
    local["spec"]["nodeAffinity"] = {  # type: ignore[index]
        "required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}
    }
    owner = build.owned_by("StatefulSet", "db")
    both = [build.claim("data", "v"), build.pod("db", owner=owner, on="n1", claim="data")]
    zoned = [build.node(f"n{n}", zone="z" if n < 2 else "other") for n in range(3)]
    there = build.pod("web", owner=build.owned_by("ReplicaSet", "web"), on="n0", cpu="1")

    held = asked(cluster_of([*zoned, there, *both, local]))
    free = asked(cluster_of([*zoned, there, *both, zonal]))

    assert pins(held) == {"n1": "LocalVolume"}
    assert pins(free) == {}
    assert free.node_bounds is not None
    assert free.node_bounds.removable == ["n1", "n2"]


def test_a_pod_does_not_go_where_another_keeps_it_away() -> None:
    alone = apart("alone", affinity=anti("web"))
    web, other = apart("web", on="n0"), apart("other", on="n0")
    away = asked(cluster_of([*nodes(2), alone, web])).node_bounds
    near = asked(cluster_of([*nodes(2), alone, other])).node_bounds
    assert away is not None
    assert near is not None
    assert (away.upper, away.removable) == (2, [])
    assert (near.upper, near.removable) == (1, ["n0"])


def test_static_pods_of_every_node_are_the_nodes_own() -> None:
    """As kube-proxy is on GKE; of a control plane the nodes stay."""
    proxies = [pod(f"kube-proxy-n{n}", {"cpu": "100m"}, on=f"n{n}", owner="Node") for n in range(3)]
    role = {"node-role.kubernetes.io/control-plane": ""}
    said = asked(cluster_of([build.node("cp", labels=role), *nodes(3), *proxies]))
    assert pins(said) == {"cp": "ControlPlane"}
    assert said.node_bounds is not None
    assert said.node_bounds.removable == ["n0", "n1", "n2"]


def placeable(pods: list[tuple[int, str]], left: dict[str, int], of: dict[str, str]) -> bool:
    """Whether any placement of pods, by CPU and the pool that they want, exists: tries them all."""
    if not pods:
        return True
    (cpu, pool), *rest = pods
    for name, room in left.items():
        if room >= cpu and pool in {"", of[name]}:
            left[name] -= cpu
            found = placeable(rest, left, of)
            left[name] += cpu
            if found:
                return True
    return False


LOADS = st.lists(
    st.lists(st.tuples(st.sampled_from([2, 3, 4]), st.sampled_from(["", "a", "b"])), max_size=3),
    min_size=1,
    max_size=4,
)


@settings(max_examples=80, deadline=None)
@given(LOADS, st.booleans())
def test_what_is_removable_can_be_left_out(
    loads: list[list[tuple[int, str]]], pinned: bool
) -> None:
    of = {f"n{n}": "ab"[n % 2] for n in range(len(loads))}
    wide = [machine(name, {"cpu": 12, "pods": 10}, pool) for name, pool in of.items()]
    made, moving, left = [], [], dict.fromkeys(of, 12)
    for n, load in enumerate(loads):
        for at, (cpu, want) in enumerate(load):
            stays = pinned and not at
            pool = want if want in {"", of[f"n{n}"]} else ""
            owner = "" if stays else "Job"
            made.append(pod(f"p{n}-{at}", {"cpu": cpu}, on=f"n{n}", owner=owner, pool=pool))
            if stays:
                left[f"n{n}"] -= cpu
            else:
                moving.append((cpu, pool))
    lower, upper, removable = bounds(*wide, *made)
    kept = {name: cpu for name, cpu in left.items() if name not in removable}

    assert len(removable) == len(loads) - upper
    assert all(left[name] == 12 for name in removable), "a pinned node goes"
    assert placeable(moving, kept, of)
    assert -(-sum(cpu for load in loads for cpu, _ in load) // 12) <= lower <= upper
