"""The clusters that are measured on: like real ones, and the same each time."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from scale.budgets import BUDGETS, over, table
from scale.churn import Life
from scale.cluster import Cluster
from scale.commands import differing
from scale.etcd import Put
from scale.kept import keep, latest
from scale.manifests import everything
from scale.pages import PANELS
from scale.plot import svg
from scale.pods import NEW, Pods, State
from scale.process import Memory, Sampler, Slope
from scale.sizes import FULL, Size

NOW = "2026-11-01T00:00:00Z"


def pods(cluster: Cluster, state: State = NEW) -> dict[str, Any]:
    made = Pods(NOW)
    places = ((one, at) for one in cluster.workloads for at in range(len(one.nodes)))
    puts = (made.put(one, at, state) for one, at in places)
    return {key: json.loads(value or b"") for key, value in puts}


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster(Size(600))


def test_the_full_size_is_what_kubernetes_supports() -> None:
    full = Size(FULL)
    assert (full.nodes, full.workloads, full.claims) == (5_000, 10_000, 20_000)
    assert (full.policies, full.old_replicasets) == (2_000, 100_000)


@pytest.mark.parametrize("size", [10, 300])
def test_a_seed_makes_one_cluster(size: int) -> None:
    first, second = Cluster(Size(size)), Cluster(Size(size))
    assert first.workloads == second.workloads
    assert list(everything(first, NOW)) == list(everything(second, NOW))
    assert first.workloads != Cluster(Size(size), seed=2).workloads


def test_there_are_as_many_pods_as_asked_for_and_each_has_a_name_of_its_own() -> None:
    for size in (300, 5_000):
        cluster = Cluster(Size(size))
        assert cluster.pods == size
        names = {
            (one.namespace, one.pod(at))
            for one in cluster.workloads
            for at in range(len(one.nodes))
        }
        assert len(names) == size


def test_workloads_are_skewed(cluster: Cluster) -> None:
    sizes = sorted(len(one.nodes) for one in Cluster(Size(20_000)).workloads)
    assert median(sizes) <= 6
    assert sizes[-1] >= 100  # a DaemonSet's, and more


def test_pods_are_as_large_as_real_ones_and_half_is_managed_fields(cluster: Cluster) -> None:
    made = pods(cluster).values()
    sizes = [len(json.dumps(one, separators=(",", ":"))) for one in made]
    managed = [
        len(json.dumps(one["metadata"]["managedFields"], separators=(",", ":"))) for one in made
    ]
    assert 8_000 < sum(sizes) / len(sizes) < 12_000
    assert 0.3 < sum(managed) / sum(sizes) < 0.6


def test_who_is_named_is_there(cluster: Cluster) -> None:
    held = [key for key, _ in everything(cluster, NOW)]
    assert len(held) == len(set(held))
    there = set(held)
    for pod in pods(cluster).values():
        meta, spec = pod["metadata"], pod["spec"]
        owner = meta["ownerReferences"][0]
        plural = f"{owner['kind'].lower()}s"
        assert f"{plural}/{meta['namespace']}/{owner['name']}" in there
        assert "nodeName" not in spec or f"minions/{spec['nodeName']}" in there
        for volume in spec["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                key = f"persistentvolumeclaims/{meta['namespace']}/{claim['claimName']}"
                assert key in there


def test_no_node_holds_more_than_it_has(cluster: Cluster) -> None:
    asked: Counter[str] = Counter()
    for pod in pods(cluster).values():
        containers = pod["spec"]["containers"]
        cpu = sum(int(one["resources"]["requests"]["cpu"].removesuffix("m")) for one in containers)
        asked[pod["spec"].get("nodeName", "")] += cpu
    asked.pop("", None)
    made = (
        json.loads(value or b"") for key, value in everything(cluster, NOW) if "minions/" in key
    )
    room = {one["metadata"]["name"]: int(one["status"]["allocatable"]["cpu"][:-1]) for one in made}
    assert all(cpu <= room[name] for name, cpu in asked.items())


def test_a_restart_replaces_every_pod(cluster: Cluster) -> None:
    before, after = pods(cluster), pods(cluster, State(revision=1, life=1))
    uids = {one["metadata"]["uid"] for one in before.values()}
    assert uids.isdisjoint(one["metadata"]["uid"] for one in after.values())


def a_run(pods: int, peak: float) -> dict[str, Any]:
    return {
        "cluster": {"pods": pods},
        "bare_list": {"seconds": pods / 10_000, "mib": pods / 100},
        "start": {"beyondBareList": 3.0, "firstReportSeconds": 4.0, "peakMib": peak, "series": 400},
    }


def test_what_is_over_its_budget_is_told() -> None:
    small, large = a_run(10_000, 161), a_run(FULL, 500)
    assert over(small) == ["peak memory of the operator"]
    assert over(large) == []
    text = table([small, large])
    assert "161 of 160 !" in text
    assert "500 of 512 |" in text
    assert len(text.splitlines()) == 2 + len(BUDGETS)


def test_an_hour_of_churn_is_told_beside_the_newest_run(tmp_path: Path) -> None:
    churn = {"asked": 10_000, "churn": {"seconds": 90, "slopeMibPerHour": 70.0}}
    hour = {"asked": 10_000, "churn": {"seconds": 3600, "slopeMibPerHour": 0.5}}
    whole = a_run(10_000, 140) | churn | {"scan": {}}
    keep([whole], tmp_path)
    (first,) = tmp_path.glob("*.json")
    first.rename(tmp_path / "20260101T000000-whole.json")
    keep([a_run(10_000, 150) | hour], tmp_path)

    (told,) = latest(tmp_path)
    assert told["start"]["peakMib"] == 140
    row = next(line for line in table([told]).splitlines() if line.startswith("| slope"))
    assert "| 0.5 of 0 ! |" in row
    assert "| - |" in table([whole]).split("| slope", 1)[1].splitlines()[0]


def test_the_picture_is_made_of_the_figures_alone() -> None:
    runs = [a_run(1_000, 100), a_run(10_000, 161), a_run(FULL, 500)]
    assert svg(PANELS, runs) == svg(PANELS, runs)
    assert svg(PANELS, runs).count("<circle") > 6
    assert svg(PANELS, []).endswith("</svg>\n")


def test_scan_and_operator_differ_where_neither_telling_is_what_was_found() -> None:
    found, before = Counter(waits=1, same=2, less=1), Counter(same=2, less=2, more=1)
    after = Counter(waits=1, same=2, less=2, more=1)
    assert differing(found, before, after) == {"less": [1, 2, 2], "more": [0, 1, 1]}


def test_memory_that_fills_at_first_and_then_stays_has_no_slope() -> None:
    grows = [Memory(60.0 * at, 1000 + at * 420, 0, 0) for at in range(100)]
    stays = [Memory(60.0 * at, grows[-1].resident, 0, 0) for at in range(100, 220)]
    grown = Sampler(1, samples=grows).slope()
    assert grown.hourly == pytest.approx(7 * 3600)
    assert grown.error == pytest.approx(0, abs=1e-3)
    assert Sampler(1, samples=[*grows, *stays]).slope() == Slope()
    assert Sampler(1).slope() == Slope()


def test_the_error_of_a_slope_is_that_of_a_line_by_least_squares() -> None:
    """Against `1 + x` with residuals of 1, -3, 3 and -1 at 0 to 3: they are off the line alone."""
    sizes = [1 + 1, 2 - 3, 3 + 3, 4 - 1]
    samples = [Memory(60.0 * at, 0, 0, 0) for at in range(4)]
    samples += [Memory(60.0 * (4 + at), size, 0, 0) for at, size in enumerate(sizes)]
    found = Sampler(1, samples=samples).slope()
    assert found.hourly == pytest.approx(60)
    assert found.error == pytest.approx(60 * (20 / 2 / 5) ** 0.5)


def test_what_is_taken_for_seconds_has_no_slope() -> None:
    """As by drills, more often towards the end."""
    taken = [at % 60 < at // 120 for at in range(3600)]
    samples = [Memory(float(at), 1000 + 20 * more, 0, 0) for at, more in enumerate(taken)]
    assert Sampler(1, samples=samples).slope() == Slope()


class Kept:
    """In place of an etcd."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    async def load(self, puts: Iterable[Put]) -> int:
        taken = list(puts)
        for key, value in taken:
            if value is None:
                self.held.pop(key, None)
            else:
                self.held[key] = value
        return len(taken)

    async def write(self, batch: list[Put]) -> None:
        await self.load(batch)


class Slow(Kept):
    """Each write takes turns of the loop, a deletion most."""

    written = 0

    async def write(self, batch: list[Put]) -> None:
        for _ in range(1 if batch[0][1] else 5):
            await asyncio.sleep(0)
        self.written += 1
        await super().write(batch)


async def test_churn_leaves_as_many_pods_as_there_were(cluster: Cluster) -> None:
    kept, made = Kept(), Pods(NOW)
    await kept.load(made.put(one, at) for one in cluster.workloads for at in range(len(one.nodes)))
    life = Life(cluster, kept, NOW)
    for _ in range(200):
        await life.change(40)
    assert sum(key.startswith("pods/") for key in kept.held) == cluster.pods


async def test_churn_that_rests_leaves_no_replacement_half_done(cluster: Cluster) -> None:
    kept, made = Slow(), Pods(NOW)
    await kept.load(made.put(one, at) for one in cluster.workloads for at in range(len(one.nodes)))
    life = Life(cluster, kept, NOW)
    churn = asyncio.create_task(life.churn(60, rate=20_000))
    while kept.written < 2000:
        await asyncio.sleep(0)
    life.rest()
    await churn
    assert sum(key.startswith("pods/") for key in kept.held) == cluster.pods


async def test_pods_that_vanish_after_churn_leave_nothing_in_their_place(cluster: Cluster) -> None:
    kept, made = Kept(), Pods(NOW)
    await kept.load(made.put(one, at) for one in cluster.workloads for at in range(len(one.nodes)))
    life = Life(cluster, kept, NOW)
    await life.change(400)
    await life.vanish(50)
    assert sum(key.startswith("pods/") for key in kept.held) == cluster.pods - 50


async def test_a_restart_leaves_each_deployment_with_one_replicaset_of_pods_and_its_history(
    cluster: Cluster,
) -> None:
    kept, made = Kept(), Pods(NOW)
    await kept.load(everything(cluster, NOW))
    await kept.load(made.put(one, at) for one in cluster.workloads for at in range(len(one.nodes)))
    before = {key for key in kept.held if key.startswith("replicasets/")}
    life = Life(cluster, kept, NOW)
    for restarts in (1, 2):
        await life.restart(rate=1e9)
        sets = {
            key: json.loads(value or b"")["spec"]["replicas"]
            for key, value in kept.held.items()
            if key.startswith("replicasets/")
        }
        assert {key: count for key, count in sets.items() if count} == owned(kept)
        assert len(sets) == len(before)
        gone = before - sets.keys()
        assert len(gone) == restarts * sum(one.replicated for one in cluster.workloads)


def owned(kept: Kept) -> Counter[str]:
    """Pods by the ReplicaSet that owns them."""
    owners = (
        (json.loads(value or b"")["metadata"]["ownerReferences"][0], key.split("/")[1])
        for key, value in kept.held.items()
        if key.startswith("pods/")
    )
    return Counter(
        f"replicasets/{namespace}/{one['name']}"
        for one, namespace in owners
        if one["kind"] == "ReplicaSet"
    )


async def test_in_the_quietest_cluster_a_pod_and_its_replicaset_are_written_each_second(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, naps = Kept(), []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 60:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", nap)
    with pytest.raises(asyncio.CancelledError):
        await Life(cluster, kept, NOW).stirring()
    assert set(naps) == {1}
    assert {key.split("/")[0] for key in kept.held} == {"pods", "replicasets"}
    for key, count in owned(kept).items():
        assert json.loads(kept.held[key] or b"")["spec"]["replicas"] >= count
