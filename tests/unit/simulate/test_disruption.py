"""Budgets: what their controller counts, and what the eviction API answers."""

import random
from typing import Any

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.model.kinds import ref
from clusteraudit.model.rows import BudgetRow, PodRow, PodTemplate
from clusteraudit.simulate.disruption import (
    MAX_DISRUPTED,
    Refusal,
    Standing,
    budgets_of,
    charges,
    deadlock,
    refusal,
    standing,
)
from support.model import cluster_of

BUDGET = ref("PodDisruptionBudget", "shop", "db")


def db(count: int = 3) -> list[Manifest]:
    return [build.deployment("db", replicas=count), *build.pods_of("db", count, on="a")]


def stand(*objects: Manifest) -> Standing:
    found = standing(cluster_of(objects), "shop", "db")
    assert found is not None
    return found


def pod(*, ready: bool = True, phase: str = "Running", terminating: bool = False) -> PodRow:
    return PodRow(
        "shop", "db-0", template=PodTemplate(), phase=phase, ready=ready, terminating=terminating
    )


def budget(healthy: int = 3, desired: int = 2, **rest: bool) -> Standing:
    made = Standing(budget=BUDGET, healthy=healthy, desired=desired, expected=3, allowed=0, **rest)
    return made.recounted(0)


def with_status(manifest: Manifest, **fields: object) -> Manifest:
    status = manifest["status"]
    assert isinstance(status, dict)
    return {**manifest, "status": {**status, **fields}}


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"maxUnavailable": 1}, 2, 1),
        ({"maxUnavailable": "1%"}, 2, 1),
        ({"maxUnavailable": "34%"}, 1, 2),
        ({"maxUnavailable": 5}, 0, 3),
        ({"maxUnavailable": 0}, 3, 0),
        ({"minAvailable": "50%"}, 2, 1),
        ({"minAvailable": "34%"}, 2, 1),
        ({"minAvailable": 2}, 2, 1),
        ({"minAvailable": 4}, 4, 0),
        ({"minAvailable": "100%"}, 3, 0),
        ({}, 0, 3),
    ],
)
def test_a_spec_is_counted_as_its_controller_counts(
    spec: dict[str, Any], desired: int, allowed: int
) -> None:
    found = stand(*db(), build.budget("db", **spec))

    assert (found.expected, found.desired, found.allowed) == (3, desired, allowed)


def test_shares_are_of_the_scale_and_whole_numbers_of_the_pods() -> None:
    half = [build.deployment("db", replicas=4), *build.pods_of("db", 2, on="a")]

    share = stand(*half, build.budget("db", minAvailable="50%"))
    whole = stand(*half, build.budget("db", minAvailable=1))

    assert (share.expected, share.desired, share.allowed) == (4, 2, 0)
    assert (whole.expected, whole.desired, whole.allowed) == (2, 1, 1)


def test_bare_pods_have_no_scale() -> None:
    bare = build.pod("db", on="a")

    assert stand(bare, build.budget("db", maxUnavailable=1)).allowed == 0
    assert stand(bare, build.budget("db", minAvailable=0)).allowed == 1


@pytest.mark.parametrize("kind", ["DaemonSet", "Job"])
def test_what_has_no_scale_cannot_be_counted_in_shares(kind: str) -> None:
    one = build.pod("db-0", app="db", on="a", owner=build.owned_by(kind, "db"))

    assert not stand(one, build.budget("db", maxUnavailable=1)).counts
    assert stand(one, build.budget("db", minAvailable=0)).allowed == 1


def test_a_status_of_this_generation_is_what_the_server_goes_by() -> None:
    found = stand(*db(3), build.budget("db", maxUnavailable=2, counts=(2, 1, 3)))

    assert (found.healthy, found.desired, found.expected, found.allowed) == (2, 1, 3, 1)


def test_a_failed_sync_allows_nothing_for_ever() -> None:
    made = build.budget("db", maxUnavailable=1, counts=(3, 2, 3))
    failed = {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed"}
    found = stand(*db(3), with_status(made, disruptionsAllowed=0, conditions=[failed]))

    assert found.blocks_for_ever
    assert found.recounted(5).allowed == 0


def test_selectors_empty_and_null() -> None:
    everything = build.thing(
        "policy/v1", "PodDisruptionBudget", "all", "shop", spec={"selector": {}, "minAvailable": 1}
    )
    nothing = build.thing(
        "policy/v1", "PodDisruptionBudget", "none", "shop", spec={"minAvailable": 1}
    )
    cluster = cluster_of([*db(1), everything, nothing])
    row = cluster.find(PodRow, "Pod", "shop", "db-1-0")
    assert row is not None

    assert [one.name for one in budgets_of(cluster, row)] == ["all"]


@pytest.mark.parametrize("seed", range(20))
def test_the_budgets_of_a_pod_are_those_whose_selectors_match(seed: int) -> None:
    """By the labels that they name, of all kinds of selectors."""
    rng = random.Random(seed)

    def requirement() -> dict[str, Any]:
        operator = rng.choice(["In", "In", "NotIn", "Exists", "DoesNotExist"])
        values = rng.sample(["x", "y", "z"], rng.randint(1, 3))
        return {
            "key": rng.choice("ab"),
            "operator": operator,
            "values": values if operator.endswith("In") else [],
        }

    budgets = []
    for n in range(12):
        selector = {"matchExpressions": [requirement() for _ in range(rng.randint(0, 3))]}
        made = build.budget(f"b-{n}", minAvailable=1)
        made["spec"]["selector"] = selector  # type: ignore[index]
        budgets.append(made)
    pods = [build.pod(f"p-{n}", on="a") for n in range(6)]
    for pod in pods:
        pod["metadata"]["labels"] = _labels(rng)  # type: ignore[index]
    cluster = cluster_of([*pods, *budgets])
    rows = cluster.all(BudgetRow, "PodDisruptionBudget")
    for found in cluster.all(PodRow, "Pod"):
        labels = found.template.labels
        matching = [one for one in rows if one.selector and one.selector.matches(labels)]
        assert budgets_of(cluster, found) == tuple(
            ref("PodDisruptionBudget", *one.key) for one in matching
        )


def _labels(rng: random.Random) -> dict[str, str]:
    return {key: rng.choice("xyz") for key in rng.sample("abc", rng.randint(0, 3))}


@pytest.mark.parametrize(
    ("asked", "budgets", "says"),
    [
        (pod(), [], None),
        (pod(), [budget(3, 2)], None),
        (pod(), [budget(2, 2)], Refusal.BUDGET),
        (pod(), [budget(3, 2), budget(3, 2)], Refusal.SEVERAL),
        (pod(phase="Pending", ready=False), [budget(2, 2), budget(2, 2)], None),
        (pod(phase="Failed", ready=False), [budget(2, 2)], None),
        (pod(phase="Succeeded", ready=False), [budget(2, 2)], None),
        (pod(terminating=True), [budget(2, 2)], None),
        (pod(ready=False), [budget(2, 2)], None),
        (pod(ready=False), [budget(1, 2)], Refusal.BUDGET),
        (pod(ready=False), [budget(0, 0)], Refusal.BUDGET),
        (pod(ready=False), [budget(1, 2, always_allow=True)], None),
        (pod(), [budget(1, 2, always_allow=True)], Refusal.BUDGET),
        (pod(), [budget(3, 2, counts=False)], Refusal.BUDGET),
    ],
)
def test_the_eviction_api(asked: PodRow, budgets: list[Standing], says: Refusal | None) -> None:
    assert refusal(asked, budgets) == says


def test_too_many_evictions_that_nobody_has_seen() -> None:
    made = build.budget("db", maxUnavailable=2, counts=(3, 1, 3))
    waiting = {f"db-{number}": build.ago(5) for number in range(MAX_DISRUPTED + 1)}
    found = stand(*db(3), with_status(made, disruptedPods=waiting))

    assert refusal(pod(), [found]) == Refusal.OVERFLOW


def test_what_uses_up_a_disruption() -> None:
    assert charges(pod(), budget(3, 2))
    assert not charges(pod(ready=False), budget(3, 2))
    assert charges(pod(ready=False), budget(3, 0))
    assert not charges(pod(phase="Pending"), budget(3, 2))


def test_charged_then_counted_again() -> None:
    after = budget(3, 2).charged()
    assert (after.healthy, after.allowed) == (3, 0)
    assert after.recounted(-1).allowed == 0
    assert after.recounted(-1).recounted(+1).allowed == 1


def test_a_budget_that_cannot_count_is_a_deadlock_only_where_a_drain_evicts() -> None:
    covers = build.budget("db", maxUnavailable=1)
    job = build.pod("db-0", app="db", on="a", owner=build.owned_by("Job", "db", "batch/v1"))
    daemon = build.pod("db-0", app="db", on="a", owner=build.owned_by("DaemonSet", "db"))

    assert deadlock(cluster_of([covers, job]), "shop", "db") is not None
    assert deadlock(cluster_of([covers, daemon]), "shop", "db") is None
