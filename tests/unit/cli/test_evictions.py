"""`evictions` as a user calls it: ranks, what is missing, and tables that fit."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clusteraudit.cli.errors import Exit
from clusteraudit.cli.eviction_table import show
from clusteraudit.cli.main import app
from clusteraudit.model import build
from clusteraudit.model.moments import rfc3339
from clusteraudit.report.evictions import EvictionsShape

NOW = rfc3339(build.NOW)
MI = 1 << 20
POD = "batch-processing-of-orders-7d9c8f6b5-x2x4z"


def cluster() -> list[build.Manifest]:
    static = {"kubernetes.io/config.mirror": "x"}
    mirror = build.pod("apiserver", "kube-system", on="a", spec={"priority": 2_000_001_000})
    mirror["metadata"] = {"name": "apiserver", "namespace": "kube-system", "annotations": static}
    return [
        build.node("a", "4", "8Gi"),
        build.node("b", "4", "8Gi"),
        build.node_usage("a", "1", "8000Mi"),
        build.pod("db-0", on="a", memory="1Gi", spec={"priority": 1000}),
        build.pod_usage("db-0", "1", "5Gi"),
        build.pod(POD, "shop-production", on="a", memory="3Gi"),
        build.pod_usage(POD, "1", "2Gi", "shop-production"),
        mirror,
        build.pod_usage("apiserver", "1", "1Gi", "kube-system"),
        build.pod("web", on="b", memory="1Gi"),
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": cluster()}))
    return path


def call(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["evictions", *map(str, arguments), "--now", NOW])


def asked(*arguments: str | Path) -> EvictionsShape:
    done = call(*arguments, "-o", "json")
    assert done.exit_code == 0, done.output
    return EvictionsShape.model_validate_json(done.stdout)


def ranks(answer: EvictionsShape) -> list[tuple[str, int | None, str]]:
    return [(pod.name, pod.rank, pod.group.value) for node in answer.nodes for pod in node.pods]


def test_who_goes_first_and_how_much_is_left(file: Path) -> None:
    answer = asked("a", "-f", file, "--complete")
    (node,) = answer.nodes
    assert (node.basis, node.headroom, node.threshold) == ("usage", 92 * MI, 100 * MI)
    assert ranks(answer) == [
        ("db-0", 1, "exceeds"),
        (POD, 2, "within"),
        ("apiserver", None, "critical"),
    ]
    assert [pod.excess for pod in node.pods] == [4096 * MI, -1024 * MI, 1024 * MI]
    assert [pod.critical for pod in node.pods] == [False, False, True]
    assert node.missing == []
    assert node.assumptions == ["DefaultThreshold"]


def test_a_part_of_the_pods_has_no_ranks(file: Path) -> None:
    answer = asked("a", "-f", file)
    assert {rank for _, rank, _ in ranks(answer)} == {None}
    assert answer.nodes[0].missing == ["Pod"]
    assert answer.nodes[0].headroom == 92 * MI


def test_a_node_without_usage_says_so(file: Path) -> None:
    (node,) = asked("b", "-f", file, "--complete").nodes
    assert (node.basis, node.headroom) == ("requests", None)
    assert node.missing == ["NodeMetrics", "PodMetrics"]
    assert [(pod.group.value, pod.usage, pod.excess) for pod in node.pods] == [
        ("possible", None, None)
    ]


def test_an_old_sample_is_none(file: Path) -> None:
    later = rfc3339(build.NOW + 300)
    done = CliRunner().invoke(
        app, ["evictions", "a", "-f", str(file), "--complete", "--now", later, "-o", "json"]
    )
    (node,) = EvictionsShape.model_validate_json(done.stdout).nodes
    assert (node.basis, node.headroom) == ("requests", None)
    assert node.missing == ["FreshNodeMetrics", "FreshPodMetrics"]


@pytest.mark.parametrize(
    ("signal", "missing"),
    [
        ("nodefs", "DiskUsage"),
        ("imagefs", "DiskUsage"),
        ("inodes", "InodeUsage"),
        ("pid", "ProcessCount"),
    ],
)
def test_what_metrics_do_not_tell_is_named(file: Path, signal: str, missing: str) -> None:
    (node,) = asked("a", "-f", file, "--complete", "--signal", signal).nodes
    assert (node.signal, node.basis, node.headroom) == (signal, "requests", None)
    assert node.missing == [missing]
    assert [pod.rank for pod in node.pods] == [1, 2, None]
    assert {pod.usage for pod in node.pods} == {None}


def test_a_virtual_node_evicts_nobody(tmp_path: Path) -> None:
    objects = [build.node("v", labels={"type": "virtual-kubelet"}), build.pod("web", on="v")]
    path = tmp_path / "virtual.json"
    path.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": objects}))
    answer = asked("v", "-f", path, "--complete")
    assert {rank for _, rank, _ in ranks(answer)} == {None}
    assert "Kubelet" in answer.nodes[0].missing


def test_processes_have_no_requests(file: Path) -> None:
    (node,) = asked("a", "-f", file, "--complete", "--signal", "pid").nodes
    assert {pod.request for pod in node.pods} == {None}
    assert node.assumptions == ["ThresholdConfigured"]


def test_every_node_is_asked(file: Path) -> None:
    assert [node.node for node in asked("--all", "-f", file).nodes] == ["a", "b"]


@pytest.mark.parametrize("arguments", [(), ("a", "--all")])
def test_one_node_or_all(file: Path, arguments: tuple[str, ...]) -> None:
    done = call(*arguments, "-f", file)
    assert done.exception is not None
    assert "--all" in str(done.exception)


def test_a_node_that_is_not_there(file: Path) -> None:
    done = call("z", "-f", file)
    assert "there is no node 'z': there are a, b" in str(done.exception)


def test_partial_evidence_can_be_refused(file: Path) -> None:
    words = ["evictions", "a", "-f", str(file), "--require-complete"]
    assert CliRunner().invoke(app, words, standalone_mode=False).return_value == Exit.PARTIAL


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("arguments", [("a",), ("--all",)])
def test_tables_fit_the_terminal(file: Path, width: int, arguments: tuple[str, ...]) -> None:
    out = io.StringIO()
    show(asked(*arguments, "-f", file, "--complete"), Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(out.getvalue().split())
    assert "shop/db-0" in text
    if arguments == ("a",):
        assert lines[0] == "Node a, memory: 92Mi left above the threshold of 100Mi"
        assert "never" in text
        assert ("EXCESS" in text) == (width == 200)


def test_a_node_without_pods_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text(json.dumps(build.node("a")))
    out = io.StringIO()
    show(asked("a", "-f", path, "--complete"), Console(file=out, width=80))
    assert out.getvalue().splitlines()[1] == "It holds no pods."


def test_a_table_of_part_of_the_pods_names_nobody(file: Path) -> None:
    out = io.StringIO()
    show(asked("--all", "-f", file), Console(file=out, width=200))
    assert "Missing: NodeMetrics, Pod, PodMetrics." in out.getvalue()
    assert "--complete" in out.getvalue()
