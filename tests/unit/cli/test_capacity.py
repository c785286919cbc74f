"""`capacity` as a user calls it, its evidence, and that everything that tells of room agrees."""

import gzip
import io
import json
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from clusteraudit.cli.capacity_table import show
from clusteraudit.model import build
from clusteraudit.model.store import Evidence
from clusteraudit.publish.audited import METRICS, Audited
from clusteraudit.report.capacity_shapes import CapacityShape
from clusteraudit.report.resource import Spec
from clusteraudit.report.status import View, status
from clusteraudit.rules.catalogue import catalogue
from support import cli
from support.capacity import GPU, asked, machine, pod
from support.clusters import EVERYTHING, audit_of
from support.model import cluster_of

SNAPSHOT = cli.ROOT / "dev/demo/cluster.jsonl"


def call(*arguments: str | Path, stdin: bytes = b"") -> cli.Done:
    return cli.call("capacity", *arguments, stdin=stdin)


def told(*arguments: str | Path, stdin: bytes = b"") -> CapacityShape:
    done = call(*arguments, "-o", "json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return CapacityShape.model_validate_json(done.stdout)


CLUSTER = [
    machine("a", {"cpu": 4, "memory": "8Gi", "pods": 10, GPU: 1}, "x"),
    machine("b", {"cpu": 8, "memory": "8Gi", "pods": 10}, "y"),
    *build.pods_of("web", 2, on="a", cpu="1500m", memory="1Gi"),
    *build.pods_of("big", cpu="6", memory="1Gi"),
    build.node_usage("a", "2", "3Gi"),
    build.node_usage("b", "1", "1Gi"),
    build.pod_usage("web-1-0", "500m", "2Gi"),
]


def packed(*objects: build.Manifest) -> bytes:
    return json.dumps({"kind": "List", "apiVersion": "v1", "items": objects}).encode()


def test_the_bundled_snapshot() -> None:
    once = call("-f", SNAPSHOT, "-o", "json")
    assert once.returncode == 0, once.stderr
    assert once.stdout == call("-f", SNAPSHOT, "-o", "json").stdout
    said = CapacityShape.model_validate_json(once.stdout)
    pool = next(one for one in said.groups if one.name.endswith("=fragmented-capacity"))
    cpu = pool.resources["cpu"]

    assert (cpu.allocatable, cpu.requested, cpu.free) == (32_000, 20_000, 12_000)
    assert pool.node_bounds is not None
    assert (pool.node_bounds.lower, pool.node_bounds.upper) == (3, 4)
    waits = next(one for one in said.workload if one.requests.get("cpu") == 5000)
    fits = next(one for one in said.shapes if one.shape == waits.shape)
    assert (fits.fits, fits.ideal, fits.packing_loss) == (0, 2, 1)
    keys = list(json.loads(once.stdout))
    assert keys[:4] == ["schemaVersion", "inputs", "workload", "resources"]


def test_the_schema_in_the_docs_is_that_of_the_output() -> None:
    schema = json.loads((cli.ROOT / "docs/schema/capacity.json").read_text())
    report = json.loads(call("-f", SNAPSHOT, "-o", "json").stdout)
    assert set(schema["properties"]) == set(report)
    causes = schema["$defs"]["CauseShape"]["properties"]
    assert set(causes) == {"self", "other", "slots", "constraint", "notRequested"}


def test_the_whole_answer_by_hand() -> None:
    said = asked(cluster_of(CLUSTER))
    cpu, memory = said.resources["cpu"], said.resources["memory"]

    assert {one.shape: one.weight for one in said.workload} == {
        "cpu=1500m,memory=1Gi": 2 / 3,
        "cpu=6,memory=1Gi": 1 / 3,
    }
    assert (cpu.allocatable, cpu.requested, cpu.free, cpu.usage) == (12_000, 3_000, 9_000, 3_000)
    assert memory.usage == 4 * 2**30
    found = cpu.expected_fragmentation
    assert found is not None
    assert found.amount == 1_000 / 3 + 2 / 3 * 1_000  # neither shape fits on a
    assert cpu.stranded is not None
    assert (cpu.stranded.amount, cpu.stranded.nodes) == (1_000, ["a"])
    assert cpu.largest_fit is not None
    assert (cpu.largest_fit.amount, cpu.largest_fit.node) == (8_000, "b")
    assert {one.shape: (one.fits, one.ideal) for one in said.shapes} == {
        "cpu=1500m,memory=1Gi": (5, 6),
        "cpu=6,memory=1Gi": (1, 1),
    }
    assert said.node_bounds is not None
    assert (said.node_bounds.lower, said.node_bounds.upper) == (1, 1)
    assert said.waste is not None
    assert (said.waste.cpu, said.waste.memory, said.waste.sampled, said.waste.unsampled) == (
        1_000,
        0,
        1,
        1,
    )
    by_node = {one.node: one for one in said.nodes}
    assert by_node["a"].imbalance == 3 / 4 - 2 / 8
    assert by_node["b"].imbalance == 0
    assert by_node["a"].stranded
    assert said.unknown == []


def test_the_workload_of_a_file_and_a_share_of_it(tmp_path: Path) -> None:
    manifests = tmp_path / "app.yaml"
    objects = [build.deployment("web", replicas=9, cpu="1"), build.deployment("db", cpu="9")]
    manifests.write_text("---\n".join(yaml.dump(one) for one in objects))
    options = ("-f", "-", "--complete", "--workload", manifests)

    said = told(*options, stdin=packed(*CLUSTER))
    less = told(*options, "--coverage", "0.9", stdin=packed(*CLUSTER))

    assert {one.shape: one.weight for one in said.workload} == {"cpu=1": 0.9, "cpu=9": 0.1}
    assert {one.shape: one.weight for one in less.workload} == {"cpu=1": 1.0}
    assert said.resources["cpu"].requested == 3_000


@pytest.mark.parametrize("by", ["pool", "zone", "node"])
def test_groups(by: str) -> None:
    said = told("-f", "-", "--complete", "--by", by, stdin=packed(*CLUSTER))
    names = {"pool": ["x", "y"], "zone": [""], "node": ["a", "b"]}[by]
    assert [one.name for one in said.groups] == names
    assert {one.by for one in said.groups} == {by}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--workload", "gone.yaml"], "--workload is owned, all, or manifests"),
        (["--coverage", "0"], "--coverage 0"),
        (["--coverage", "1.5"], "--coverage 1.5"),
        (["--by", "rack"], "rack"),
    ],
)
def test_wrong_options(options: list[str], says: str) -> None:
    done = call("-f", SNAPSHOT, *options)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_workload_that_holds_no_pods(tmp_path: Path) -> None:
    (tmp_path / "n.yaml").write_text(yaml.dump(build.namespace("shop")))
    done = call("-f", SNAPSHOT, "--workload", tmp_path)
    assert done.returncode == 2
    assert "no pods" in done.stderr.decode()


# Evidence


def partial(*kinds: str) -> CapacityShape:
    some = dict.fromkeys(kinds, Evidence("partial"))
    return asked(cluster_of(CLUSTER, {**EVERYTHING, **some}))


def missing(said: CapacityShape) -> dict[str, list[str]]:
    return {one.field: one.missing for one in said.unknown}


def test_without_all_pods_only_what_nodes_have_is_told() -> None:
    said = partial("Pod")
    cpu = said.resources["cpu"]

    assert cpu.allocatable == 12_000
    assert (cpu.requested, cpu.free, cpu.limits, cpu.largest_fit) == (None, None, None, None)
    assert cpu.expected_fragmentation is None
    assert {one.weight for one in said.workload} == {None}
    assert {one.fits for one in said.shapes} == {None}
    assert said.nodes[0].resources["cpu"].free is None
    assert missing(said)["resources"] == ["Pod"]
    assert missing(said)["workload.weight"] == ["Pod"]


def test_without_all_nodes_only_single_nodes_are_told() -> None:
    said = partial("Node")
    cpu = said.resources["cpu"]

    assert (cpu.allocatable, cpu.requested, cpu.free, cpu.usage) == (None, None, None, None)
    assert sum(one.weight or 0 for one in said.workload) == pytest.approx(1)
    assert said.nodes[0].resources["cpu"].free == 1_000
    assert missing(said)["shapes"] == ["Node"]


def test_bounds_need_budgets_and_volumes() -> None:
    said = partial("PodDisruptionBudget", "PersistentVolume")
    assert said.node_bounds is None
    assert missing(said)["nodeBounds"] == ["PodDisruptionBudget", "PersistentVolume"]
    assert said.resources["cpu"].free == 9_000


def test_usage_that_is_missing_is_not_zero() -> None:
    none = {**EVERYTHING, "NodeMetrics": Evidence("none"), "PodMetrics": Evidence("none")}
    said = asked(cluster_of(CLUSTER, none))
    assert said.resources["cpu"].usage is None
    assert said.waste is None
    assert {"resources.usage", "waste"} <= missing(said).keys()

    some = asked(cluster_of([one for one in CLUSTER if one is not CLUSTER[-2]]))
    assert some.resources["cpu"].usage is None
    assert missing(some)["resources.usage"] == ["NodeMetrics of 1 nodes"]
    assert some.nodes[0].resources["cpu"].usage == 2_000


def test_manifests_without_a_cluster() -> None:
    said = told("-f", "-", stdin=packed(build.deployment("web", replicas=2, cpu="1")))
    assert said.resources["cpu"].allocatable is None
    assert [(one.pods, one.weight) for one in said.workload] == [(2, None)]
    text = call("-f", "-", stdin=packed(build.deployment("web", cpu="1"))).stdout.decode()
    assert "--complete lets more be told" in text


# One engine


def test_status_metrics_and_rule_say_what_the_command_says() -> None:
    rule = next(one for one in catalogue() if one.name == "fragmented-capacity")
    example = next(one for one in rule.examples if one.finds)
    smaller = machine("b", {"cpu": 5, "memory": "8Gi", "pods": 10}, "y")
    objects = [*CLUSTER, smaller, *example.objects]
    said = asked(cluster_of(objects))
    audit, result = audit_of(catalogue(), objects, now=example.now)

    assert audit.store.tables["Node"]
    published = status(result, catalogue(), View(Spec()))
    for one in published.capacity:
        mine = said.resources[one.resource]
        assert (one.allocatable, one.requested, one.free, one.unavailable) == (
            mine.allocatable,
            mine.requested,
            mine.free,
            mine.unavailable,
        )
        assert mine.stranded is not None
        assert one.stranded == mine.stranded.amount
        ratio = mine.expected_fragmentation and mine.expected_fragmentation.ratio
        assert one.fragmented_permille == int(1000 * (ratio or 0))
    assert {one.resource for one in published.capacity} >= {"cpu", "memory", "pods", GPU}

    samples = {one.name: one.samples(Audited(result, catalogue(), Spec())) for one in METRICS}
    for group in said.groups:
        cpu = group.resources["cpu"]
        found = cpu.expected_fragmentation
        assert samples["fragmentation_ratio"].get(("cpu", group.name)) == (found and found.ratio)
        assert cpu.largest_fit is not None
        assert samples["largest_fit"]["cpu", group.name] == cpu.largest_fit.amount / 1000
    fits = {one.shape: one.fits for one in said.shapes if "#" not in one.shape}
    assert {shape: n for (shape,), n in samples["headroom_pods"].items()} == fits

    finding = next(one for one in result.entries if one.rule == rule.code).finding
    evidence = dict(finding.evidence)
    whole = said.resources[str(evidence["resource"])]
    assert whole.stranded is not None
    assert evidence["stranded"] == whole.stranded.amount
    assert whole.expected_fragmentation is not None
    assert evidence["fragmentedPermille"] == int(1000 * (whole.expected_fragmentation.ratio or 0))


# The table


def printed(said: CapacityShape, width: int) -> list[str]:
    file = io.StringIO()
    show(said, Console(file=file, width=width, highlight=False, emoji=False, markup=False))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_is_as_wide_as_the_terminal_at_most(width: int) -> None:
    lines = printed(asked(cluster_of(CLUSTER)), width)
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if line != line.rstrip()]
    text = "\n".join(lines)
    assert "2 nodes; measured by 3 pods of 2 shapes" in text
    row = next(line.split() for line in lines if line.startswith("cpu "))
    assert row == ["cpu", "12", "3", "9", "11%", "1", "8"]
    assert "Nodes: the placed pods need 1; 1 could go: b." in text


def test_the_table_says_what_it_does_not_know() -> None:
    text = "\n".join(printed(partial("Pod"), 100))
    assert "resources: not all is known of Pod" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("cpu ")] == ["?"]


def test_of_many_groups_the_worst_are_shown() -> None:
    nodes = [machine(f"n{n:03}", {"cpu": n, "memory": 1, "pods": 9}) for n in range(50)]
    said = asked(cluster_of([*nodes, pod("big", {"cpu": 40})]), "node")
    lines = printed(said, 100)
    assert "... 30 more: -o json has all" in "\n".join(lines)
    assert sum(line.startswith("n0") for line in lines) == 20


def test_gzip_and_standard_input_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl.gz"
    file.write_bytes(gzip.compress(SNAPSHOT.read_bytes()))
    assert told("-f", file) == told("-f", "-", stdin=SNAPSHOT.read_bytes())
