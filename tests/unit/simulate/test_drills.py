"""Drains, and losses of nodes and zones, case by case."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import COMPLETE, Evidence
from clusteraudit.simulate.drain import drain
from clusteraudit.simulate.drill import Drill
from clusteraudit.simulate.drills import every, node_loss, zone_loss
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.loss import lose, tolerated
from support.clusters import EVERYTHING
from support.model import cluster_of

PARTIAL = Evidence("partial")


def ground_of(objects: Iterable[Manifest], evidence: Mapping[str, Evidence] = EVERYTHING) -> Ground:
    return Ground(cluster_of(objects, evidence))


def two_zones(*names: str, cpu: str = "4") -> list[Manifest]:
    return [build.node(name, cpu, zone=f"zone-{name[0]}") for name in names]


def web(count: int = 1, on: str = "a1", *, name: str = "web", **asks: str) -> list[Manifest]:
    return [
        build.deployment(name, replicas=count),
        *build.pods_of(name, count, on=on, cpu=asks.get("cpu", "1"), claim=asks.get("claim", "")),
    ]


def ordinals(name: str, nodes: Sequence[str], **asks: object) -> list[Manifest]:
    owner = build.owned_by("StatefulSet", name)
    pods = [
        build.pod(f"{name}-{n}", app=name, owner=owner, on=node, cpu="1")
        for n, node in enumerate(nodes)
    ]
    return [build.stateful_set(name, replicas=len(nodes)), *pods]


def outcomes(drill: Drill) -> dict[str, str]:
    return {fate.pod.name: fate.outcome.value for fate in drill.fates}


def reasons(drill: Drill) -> dict[str, str]:
    return {fate.pod.name: fate.reason for fate in drill.fates}


def test_a_node_without_pods_survives() -> None:
    cluster = ground_of([*two_zones("a1", "b1"), *web(on="b1")])

    for drill in (drain(cluster, "a1"), node_loss(cluster, "a1", "unreachable")):
        assert (drill.verdict, drill.fates, drill.recovery.min) == ("survives", (), 0)


def test_pods_find_another_node() -> None:
    cluster = ground_of([*two_zones("a1", "b1"), *web(2)])

    for drill in (drain(cluster, "a1"), node_loss(cluster, "a1", "deleted")):
        assert drill.verdict == "survives"
        assert {fate.node for fate in drill.fates} == {"b1"}


def test_pods_without_room_are_pending_and_their_workload_gone() -> None:
    cluster = ground_of([*two_zones("a1", "b1", cpu="2"), *web(cpu="2"), *web(on="b1", name="x")])

    drill = node_loss(cluster, "a1", "deleted")

    assert outcomes(drill) == {"web-1-0": "pending"}
    assert reasons(drill) == {"web-1-0": "InsufficientResource"}
    assert drill.verdict == "fails"
    assert "WorkloadGone" in drill.reasons


def test_a_workload_that_keeps_a_pod_degrades() -> None:
    cluster = ground_of(
        [
            *two_zones("a1", "b1", cpu="2"),
            build.deployment("web", replicas=2),
            *build.pods_of("web", 1, on="a1", cpu="2"),
            build.pod(
                "web-1-9", app="web", on="b1", owner=build.owned_by("ReplicaSet", "web-1"), cpu="1"
            ),
        ]
    )

    assert node_loss(cluster, "a1", "deleted").verdict == "degrades"


def test_what_the_greedy_order_misses_the_search_finds() -> None:
    nodes = [build.node("a1", "8"), build.node("b1", "4"), build.node("c1", "2")]
    cluster = ground_of([*nodes, *web(name="a", cpu="2"), *web(name="b", cpu="4")])

    drill = node_loss(cluster, "a1", "deleted")

    assert drill.verdict == "survives"
    assert {fate.pod.name: fate.node for fate in drill.fates} == {"a-1-0": "c1", "b-1-0": "b1"}
    assert "SchedulerFindsPlacement" in drill.assumptions


def test_that_there_is_no_placement_is_shown() -> None:
    nodes = [build.node("a1", "9"), build.node("b1", "5"), build.node("c1", "5")]
    three = [one for name in "xyz" for one in web(name=name, cpu="3")]
    cluster = ground_of([*nodes, *three])

    assert sorted(outcomes(node_loss(cluster, "a1", "deleted")).values()) == [
        "pending",
        "placed",
        "placed",
    ]


def test_high_priority_goes_first() -> None:
    def owned(name: str, priority: int) -> Manifest:
        owner = build.owned_by("ReplicaSet", f"{name}-1")
        return build.pod(name, on="a1", owner=owner, cpu="2", spec={"priority": priority})

    cluster = ground_of([build.node("a1"), build.node("b1", "2"), owned("a", 0), owned("b", 9)])

    assert outcomes(node_loss(cluster, "a1", "deleted")) == {"a": "pending", "b": "placed"}


def test_high_priority_evicts_low_priority_which_looks_for_another_node() -> None:
    def owned(name: str, node: str, priority: int) -> Manifest:
        owner = build.owned_by("ReplicaSet", f"{name}-1")
        return build.pod(name, on=node, owner=owner, cpu="2", spec={"priority": priority})

    nodes = [build.node("a1", "2"), build.node("b1", "2")]
    pods = [owned("high", "a1", 9), owned("low", "b1", 0)]

    drill = node_loss(ground_of([*nodes, *pods]), "a1", "deleted")

    assert {fate.pod.name: (fate.outcome.value, fate.node) for fate in drill.fates} == {
        "high": ("placed", "b1"),
        "low": ("pending", ""),
    }
    more = node_loss(
        ground_of([*nodes, build.node("c1", "2", labels={"x": "y"}), *pods]), "a1", "deleted"
    )
    assert outcomes(more) == {"high": "placed"}


def test_where_nodes_are_made_what_finds_no_room_waits_for_one() -> None:
    pool = {"karpenter.sh/nodepool": "default"}
    nodes = [build.node(name, "2", zone=f"zone-{name[0]}", labels=pool) for name in ("a1", "b1")]
    ground = ground_of([*nodes, *web(cpu="2"), *web(on="b1", name="x", cpu="2")])

    drill = node_loss(ground, "a1", "deleted")

    assert outcomes(drill) == {"web-1-0": "pendingUntilScaleUp"}
    assert drill.verdict == "degrades"
    assert "NodesAreMade" in drill.assumptions


def test_zones_of_one_name_in_two_regions_are_two() -> None:
    region = "topology.kubernetes.io/region"
    ground = ground_of(
        [
            build.node("a", "2", zone="one", labels={region: "north"}),
            build.node("b", "2", zone="one", labels={region: "south"}),
            *web(on="a"),
        ]
    )
    said = [(one.target, one.verdict) for one in every(ground, "deleted") if one.kind == "zone"]
    assert said == [("north/one", "survives"), ("south/one", "survives")]
    assert outcomes(zone_loss(ground, "north/one", "deleted")) == {"web-1-0": "placed"}


def test_no_node_is_made_in_a_zone_that_is_lost() -> None:
    pool = {"karpenter.sh/nodepool": "default"}
    nodes = [build.node(name, "2", zone=f"zone-{name[0]}", labels=pool) for name in ("a1", "b1")]
    disk = [build.claim("data", "disk"), build.volume("disk", "zone-a", "data")]
    ground = ground_of([*nodes, *web(claim="data"), *disk])

    assert outcomes(zone_loss(ground, "zone-a", "deleted")) == {"web-1-0": "pending"}
    assert outcomes(node_loss(ground, "a1", "deleted")) == {"web-1-0": "pendingUntilScaleUp"}


def hard(kind: str, key: str) -> dict[str, object]:
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": key}
    if kind == "spread":
        return {
            "topologySpreadConstraints": [
                {**term, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
            ]
        }
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def replicas(nodes: Sequence[str], spec: Mapping[str, object]) -> list[Manifest]:
    owner = build.owned_by("ReplicaSet", "web-1")
    pods = [
        build.pod(f"web-{number}", app="web", owner=owner, on=node, spec=spec)
        for number, node in enumerate(nodes)
    ]
    return [build.deployment("web", replicas=len(nodes)), build.replica_set("web"), *pods]


def test_replicas_that_keep_apart_are_pending_when_no_node_is_free_of_them() -> None:
    apart = hard("podAntiAffinity", "kubernetes.io/hostname")
    three = ground_of([*two_zones("a1", "b1", "c1"), *replicas(["a1", "b1", "c1"], apart)])
    four = ground_of([*two_zones("a1", "b1", "c1", "d1"), *replicas(["a1", "b1", "c1"], apart)])

    assert node_loss(three, "a1", "unreachable").verdict == "degrades"
    assert node_loss(four, "a1", "unreachable").verdict == "survives"


def test_a_zone_that_is_dead_and_still_there_counts_for_spread() -> None:
    even = hard("spread", "topology.kubernetes.io/zone")
    ground = ground_of([*two_zones("a1", "b1"), *replicas(["a1", "b1"], even)])

    dead, gone = node_loss(ground, "a1", "unreachable"), node_loss(ground, "a1", "deleted")

    assert reasons(dead) == {"web-0": "TopologySkew"}
    assert outcomes(gone) == {"web-0": "placed"}


def test_pods_that_must_be_together_move_together() -> None:
    near = hard("podAffinity", "kubernetes.io/hostname")
    ground = ground_of([*two_zones("a1", "b1", "c1"), *replicas(["a1", "a1"], near)])

    drill = node_loss(ground, "a1", "deleted")

    assert drill.verdict == "survives"
    assert len({fate.node for fate in drill.fates}) == 1


def many(count: int, cpu: str) -> list[Manifest]:
    owner = build.owned_by("ReplicaSet", "web-1")
    return [
        build.pod(f"web-{n}", app="web", owner=owner, on=f"a{n % 3}", cpu=cpu) for n in range(count)
    ]


def test_more_pods_than_can_be_searched_share_the_room_that_there_is() -> None:
    nodes = two_zones("a0", "a1", "a2", "b0", "b1", cpu="64")

    roomy = zone_loss(ground_of([*nodes, *many(120, "1")]), "zone-a", "deleted")
    tight = zone_loss(ground_of([*nodes, *many(150, "1")]), "zone-a", "deleted")

    assert (roomy.verdict, {fate.outcome.value for fate in roomy.fates}) == ("survives", {"placed"})
    assert len({fate.node for fate in roomy.fates}) == 2
    assert Counter(outcomes(tight).values()) == {"placed": 128, "pending": 22}
    assert set(reasons(tight).values()) == {"", "InsufficientResource"}


def test_many_pods_that_look_at_others_are_placed_one_by_one() -> None:
    nodes = two_zones("a0", "a1", "a2", "b0", "c0", cpu="64")
    even = hard("spread", "topology.kubernetes.io/zone")
    apart = hard("podAntiAffinity", "topology.kubernetes.io/zone")

    spread = zone_loss(ground_of([*nodes, *replicas(["a0"] * 104, even)]), "zone-a", "deleted")
    lonely = [*replicas(["a0"], apart), *many(103, "1")[1:]]
    mixed = zone_loss(ground_of([*nodes, *lonely]), "zone-a", "deleted")

    assert Counter(fate.node for fate in spread.fates) == {"b0": 52, "c0": 52}
    assert spread.verdict == "survives"
    alone = next(fate.node for fate in mixed.fates if fate.pod.name == "web-0")
    assert [fate.pod.name for fate in mixed.fates if fate.node == alone] == ["web-0"]
    assert Counter(outcomes(mixed).values()) == {"placed": 65, "unknown": 38}


def test_what_cannot_be_shown_of_many_pods_is_unknown() -> None:
    nodes = two_zones("a0", "a1", "a2", "b0", "b1", cpu="100")

    alike = zone_loss(ground_of([*nodes, *many(105, "1900m")]), "zone-a", "deleted")
    mixed = [*many(103, "1900m"), *web(2, "a0", name="other", cpu="2100m")]
    unlike = zone_loss(ground_of([*nodes, *mixed]), "zone-a", "deleted")

    assert set(reasons(alike).values()) == {"", "InsufficientResource"}
    assert set(reasons(unlike).values()) == {"", "SearchGaveUp"}
    assert unlike.verdict == "unknown"


# Budgets


def test_a_drain_takes_as_many_rounds_as_the_budget_makes_it() -> None:
    cluster = ground_of(
        [*two_zones("a1", "b1"), *web(3), build.budget("web", maxUnavailable=1, counts=(3, 2, 3))]
    )

    drill = drain(cluster, "a1")

    assert (drill.verdict, drill.rounds) == ("survives", 3)
    assert sorted(fate.round or 0 for fate in drill.fates) == [1, 2, 3]


def test_a_drain_stops_when_the_next_ones_have_no_room() -> None:
    cluster = ground_of(
        [
            *two_zones("a1", "b1", cpu="4"),
            *web(3, cpu="2"),
            *web(1, on="b1", name="x", cpu="2"),
            build.budget("web", maxUnavailable=1, counts=(3, 2, 3)),
        ]
    )

    drill = drain(cluster, "a1")

    assert sorted(outcomes(drill).values()) == ["blocked", "pending", "placed"]
    assert drill.verdict == "fails"
    assert "DrainBlocked" in drill.reasons
    assert [one.blocks for one in drill.budgets] == [True]


def test_a_pod_of_two_budgets_is_refused_and_the_others_leave() -> None:
    cluster = ground_of(
        [
            *two_zones("a1", "b1"),
            *web(),
            *web(name="x"),
            build.budget("web", minAvailable=0),
            build.budget("too", app="web", minAvailable=0),
        ]
    )

    drill = drain(cluster, "a1")

    assert outcomes(drill) == {"web-1-0": "blocked", "x-1-0": "placed"}
    assert reasons(drill)["web-1-0"] == "SeveralBudgets"


def test_what_a_drain_leaves_alone() -> None:
    static = build.pod("static", on="a1")
    static["metadata"] = {
        "name": "static",
        "namespace": "shop",
        "annotations": {"kubernetes.io/config.mirror": "x"},
    }
    daemon = build.pod("daemon", on="a1", owner=build.owned_by("DaemonSet", "daemon"))
    cluster = ground_of([*two_zones("a1", "b1"), static, daemon, build.pod("bare", on="a1")])

    drill = drain(cluster, "a1")

    assert outcomes(drill) == {"static": "unaffected", "daemon": "unaffected", "bare": "lost"}
    assert {"IgnoreDaemonSets", "ForceBarePods"} <= set(drill.assumptions)


# Loss


def test_ordinals_hang_until_the_node_object_goes() -> None:
    cluster = ground_of([*two_zones("a1", "b1"), *ordinals("db", ["a1"])])

    dead, gone = node_loss(cluster, "a1", "unreachable"), node_loss(cluster, "a1", "deleted")

    assert (outcomes(dead), reasons(dead)) == (
        {"db-0": "blocked"},
        {"db-0": "TerminatingUntilNodeGone"},
    )
    assert (dead.verdict, dead.recovery.min) == ("fails", None)
    assert (gone.verdict, outcomes(gone)) == ("survives", {"db-0": "placed"})


def test_a_volume_of_one_node_at_a_time_hangs_with_the_dead_node() -> None:
    disk = [build.claim("data", "disk"), build.volume("disk", "zone-a", "data")]
    cluster = ground_of([*two_zones("a1", "a2"), *web(claim="data"), *disk])

    dead, gone = node_loss(cluster, "a1", "unreachable"), node_loss(cluster, "a1", "deleted")

    assert reasons(dead) == {"web-1-0": "TerminatingUntilNodeGone"}
    assert outcomes(gone) == {"web-1-0": "placed"}
    assert [(one.volume, one.nodes) for one in gone.volumes] == [("disk", 1)]
    assert gone.recovery.min == 400


def test_a_volume_does_not_leave_its_zone() -> None:
    disk = [build.claim("data", "disk"), build.volume("disk", "zone-a", "data")]
    cluster = ground_of([*two_zones("a1", "a2", "b1"), *web(claim="data"), *disk])

    drill = zone_loss(cluster, "zone-a", "deleted")

    assert outcomes(drill) == {"web-1-0": "pending"}
    assert reasons(drill) == {"web-1-0": "VolumeNodeAffinityConflict"}


def test_an_ordinal_waits_for_the_lower_one() -> None:
    first, second = build.node("a1", "8", labels={"big": "1"}), build.node("b1", "1")
    owner = build.owned_by("StatefulSet", "db")
    pods = [
        build.pod("db-0", app="db", owner=owner, on="a1", cpu="2"),
        build.pod("db-1", app="db", owner=owner, on="a1", cpu="1"),
    ]
    cluster = ground_of([first, second, build.stateful_set("db", replicas=2), *pods])

    drill = node_loss(cluster, "a1", "deleted")

    assert reasons(drill) == {"db-0": "InsufficientResource", "db-1": "WaitsForLowerOrdinal"}


def test_when_every_node_is_dead_nothing_is_evicted() -> None:
    cluster = ground_of([*two_zones("a1", "a2"), *web()])

    drill = zone_loss(cluster, "zone-a", "unreachable")

    assert reasons(drill) == {"web-1-0": "EvictionsStopped"}
    assert drill.verdict == "fails"


def test_most_of_a_small_zone_dead_stops_evictions_there() -> None:
    cluster = ground_of([*two_zones("a1", "a2", "a3", "a4", "a5", "b1"), *web()])

    assert lose(cluster, "node", "x", ["a1"], "unreachable").verdict == "survives"
    four = lose(cluster, "node", "x", ["a1", "a2", "a3", "a4"], "unreachable")
    assert reasons(four) == {"web-1-0": "EvictionsStopped"}


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [
        ([], 300),
        ([{"operator": "Exists"}], None),
        ([{"key": "node.kubernetes.io/unreachable", "operator": "Exists"}], None),
        (
            [
                {"operator": "Exists"},
                {
                    "key": "node.kubernetes.io/unreachable",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 20,
                },
            ],
            20,
        ),
        (
            [
                {
                    "key": "node.kubernetes.io/unreachable",
                    "operator": "Exists",
                    "tolerationSeconds": 0,
                }
            ],
            0,
        ),
    ],
)
def test_how_long_a_pod_stays(tolerations: list[Mapping[str, object]], seconds: int | None) -> None:
    pod = build.pod("x", on="a1", spec={"tolerations": tolerations})
    cluster = ground_of([build.node("a1"), pod])
    row = next(iter(cluster.cluster.templates()))

    assert tolerated(row.tolerations) == seconds


def test_recovery_counts_grace_toleration_and_the_pace_of_taints() -> None:
    pods = [*web(on="a1"), *web(on="a2", name="x")]
    cluster = ground_of([*two_zones("a1", "a2", "b1"), *pods])

    assert node_loss(cluster, "a1", "unreachable").recovery.min == 350
    assert zone_loss(cluster, "zone-a", "unreachable").recovery.min == 360
    assert node_loss(cluster, "a1", "deleted").recovery.min == 40


# Evidence


@pytest.mark.parametrize("kind", ["Pod", "Node", "PodDisruptionBudget"])
def test_missing_evidence_is_unknown_and_named(kind: str) -> None:
    objects = [build.node("a1"), build.node("b1", "1"), *web(cpu="2")]
    known = {**dict.fromkeys(KINDS, COMPLETE), kind: PARTIAL}

    drill = drain(ground_of(objects, known), "a1")

    assert drill.verdict == "unknown" or (
        kind == "PodDisruptionBudget" and drill.verdict == "fails"
    )
    assert any(reason == f"Missing{kind}" for reason in drill.reasons)


def test_twice_is_the_same_and_order_does_not_matter() -> None:
    objects = [
        *two_zones("a1", "a2", "b1"),
        *web(3),
        *ordinals("db", ["a2", "b1"]),
        build.budget("web", minAvailable="50%"),
    ]

    def said(these: Iterable[Manifest]) -> list[Drill]:
        cluster = ground_of(these)
        return [*every(cluster, "unreachable"), *every(cluster, "deleted"), drain(cluster, "a1")]

    assert said(objects) == said(objects) == said(reversed(objects))


def test_a_drain_tells_of_pods_elsewhere_that_are_evicted_for_those_that_move() -> None:
    low = build.pod("low", on="b1", cpu="4", owner=build.owned_by("ReplicaSet", "low-1"))
    high = build.pods_of("high", on="a1", cpu="4", spec={"priority": 5})
    cluster = ground_of([*two_zones("a1", "b1"), *high, low])

    drill = drain(cluster, "a1")

    assert outcomes(drill) == {"high-1-0": "placed", "low": "pending"}
    assert (drill.verdict, drill.recovery.min) == ("fails", None)


def test_a_drain_goes_on_when_what_stays_leaves_room_for_what_goes() -> None:
    """First one of two may go; it finds room since another stays, and then the second may go."""
    kept = build.owned_by("ReplicaSet", "kept-1")
    objects = [
        *(build.node(name, cpu) for name, cpu in (("a1", "4"), ("b1", "3"))),
        *build.pods_of("web", on="a1", cpu="3"),
        build.pod("web-bare", app="web", on="a1"),
        build.pod("kept", on="a1", cpu="1", owner=kept, spec={"priority": 5}),
        build.budget("web", minAvailable=1, counts=(2, 1, 2)),
        build.budget("kept", minAvailable=1, counts=(1, 1, 1)),
    ]

    drill = drain(ground_of(objects), "a1")

    assert outcomes(drill) == {"kept": "blocked", "web-1-0": "placed", "web-bare": "lost"}
    assert drill.rounds == 2


def test_where_the_order_of_evictions_decides_a_drain_does_not_guess() -> None:
    """One finds room only near the other, which goes only when the one has found room."""
    near = hard("podAffinity", "topology.kubernetes.io/zone")
    objects = [
        *(build.node(name, zone="zone-a") for name in ("a1", "a2")),
        *build.pods_of("db", on="a1", cpu="1", spec=near),
        build.pod("web", on="a1", cpu="1"),
        build.budget("both", selector={}, minAvailable=1, counts=(2, 1, 2)),
    ]

    drill = drain(ground_of(objects), "a1")

    assert outcomes(drill) == {"db-1-0": "placed", "web": "unknown"}
    assert (drill.verdict, drill.reasons) == ("unknown", ("EvictionOrderDecides",))
