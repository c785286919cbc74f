"""`explain` as a user calls it."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from clusteraudit.cli.explained import show
from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.report.explain import ExplainShape, explain
from clusteraudit.report.inputs import Origin, inputs
from clusteraudit.simulate import schedule
from support.cli import ROOT, call
from support.clusters import changes_of
from support.placing import cluster_of, pod_of
from unit.cli.test_commands import SNAPSHOT, error_of

DOCS = ROOT / "docs/explain.md"
TAINTS = [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]
OBJECTS: list[Manifest] = [
    build.node("a", "4"),
    build.node("b", "8", taints=TAINTS),
    build.pod("old", on="a", cpu="3", spec={"priority": -1}),
    build.pod("new", cpu="2", unschedulable=60),
]


def explained(name: str, *objects: Manifest, partial: str = "") -> ExplainShape:
    cluster = cluster_of(changes_of(objects), partial)
    return explain(cluster, [pod_of(cluster, name)], inputs((), (), Origin()))


def table(shape: ExplainShape, width: int) -> str:
    text = io.StringIO()
    show(shape, Console(file=text, width=width, highlight=False, emoji=False, markup=False))
    return text.getvalue()


def test_a_pod_that_waits() -> None:
    (pod,) = explained("new", *OBJECTS).pods
    assert (pod.fits, pod.of, pod.node_name, pod.phase) == (0, 2, "", "Pending")
    assert pod.requests == {"cpu": 2000}
    first, second = pod.nodes
    assert [(r.filter, r.resource, r.requested, r.free) for r in first.refusals] == [
        ("NodeResourcesFit", "cpu", 2000, 1000)
    ]
    assert [r.reason for r in second.refusals] == ["UntoleratedTaint"]
    assert pod.preemption.possible is True
    assert pod.preemption.nodes == ["a"]
    assert pod.preemption.victims[0].pods == ["shop/old"]
    assert [one.change["type"] for one in pod.would_fit_if] == ["request", "toleration", "node"]
    assert pod.summary == (
        "fits on none of 2 nodes: taint dedicated=db:NoSchedule on 1; too little cpu on 1"
    )


def test_a_pod_that_is_placed_is_placed_again() -> None:
    (pod,) = explained("old", *OBJECTS).pods
    assert (pod.node_name, pod.fits) == ("a", 1)
    assert pod.would_fit_if == []
    assert pod.preemption.reason == "NotNeeded"


def test_pods_that_are_alike_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = schedule.verdicts

    def counting(*args: Any) -> Any:
        asked.append(args)
        return real(*args)

    monkeypatch.setattr("clusteraudit.report.explain.verdicts", counting)
    pods = build.pods_of("web", 5, unschedulable=60, cpu="9")
    cluster = cluster_of(changes_of([build.node("a"), *pods]))
    rows = [pod_of(cluster, f"web-1-{number}") for number in range(5)]
    shape = explain(cluster, rows, inputs((), (), Origin()))
    assert [pod.name for pod in shape.pods] == [row.name for row in rows]
    assert len(asked) == 1


def test_what_is_missing_is_named() -> None:
    (pod,) = explained("new", *OBJECTS[:1], OBJECTS[3], partial="Pod").pods
    assert pod.nodes[0].fits is None
    assert {one.missing for one in pod.nodes[0].doubts} == {"Pod"}
    assert pod.preemption.possible is None


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_is_read_at_any_width(width: int) -> None:
    text = table(explained("new", *OBJECTS), width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for part in (
        "shop/new no node",
        "too little cpu (wants 2, 1 free)",
        "TaintToleration: taint dedicated=db:NoSchedule",
        "preemption: would evict shop/old on a",
        "→ request 1 of cpu or less (then a)",
        "→ tolerate taint dedicated=db:NoSchedule (then b)",
        "1 pod explained, 1 that fits on no node",
    ):
        assert part in words, text


def test_a_file(tmp_path: Path) -> None:
    done = call("explain", "--pending", "-f", SNAPSHOT, "-o", "json")
    assert done.returncode == 0, done.stderr
    shape = ExplainShape.model_validate_json(done.stdout)
    assert "fragmented-capacity/search-1-0" in {f"{p.namespace}/{p.name}" for p in shape.pods}
    assert all(not pod.node_name for pod in shape.pods)
    again = call("explain", "--pending", "-f", SNAPSHOT, "-o", "json")
    assert again.stdout == done.stdout

    file = tmp_path / "pods.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": OBJECTS}))
    part = call("explain", "shop/new", "-f", file)
    assert b"--complete" in part.stdout
    whole = call("explain", "shop/new", "-f", file, "--complete")
    assert b"--complete" not in whole.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name pods as NAMESPACE/NAME"),
        (["--pending", "--all"], "name pods as NAMESPACE/NAME"),
        (["shop/none"], "there is no pod shop/none"),
        (["none"], "is not a pod as NAMESPACE/NAME"),
        (["a/b/c"], "is not a pod as NAMESPACE/NAME"),
    ],
)
def test_what_cannot_be_explained(arguments: list[str], says: str) -> None:
    done = call("explain", *arguments, "-f", SNAPSHOT)
    assert done.returncode == 2
    assert says in error_of(done)


def test_the_docs_list_every_reason() -> None:
    """Reasons are stable: one that is not documented is not one yet."""
    text = "".join(
        path.read_text() for path in (ROOT / "operator/clusteraudit/simulate/filters").glob("*.py")
    )
    reasons = set(re.findall(r'Refusal\(\s*[\w.]+,\s*"(\w+)"', text))
    reasons |= set(re.findall(r'\("(\w+)", "it ', text))
    documented = set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE))
    assert reasons == documented
    assert len(reasons) > 25
