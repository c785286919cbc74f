"""`drill` as a user calls it: verdicts, what is missing, wrong names, and tables that fit."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clusteraudit.cli.drill_table import show
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.main import app
from clusteraudit.model import build
from clusteraudit.report.drill_shapes import DrillShape

NAME = "payments-of-the-customers-of-the-north-7d9c8f6b5"


def cluster() -> list[build.Manifest]:
    owner = build.owned_by("ReplicaSet", NAME)
    pods = [
        build.pod(f"{NAME}-{n}", app=NAME, owner=owner, on="node-a", cpu="1", claim="data")
        for n in range(2)
    ]
    return [
        build.node("node-a", "4", zone="zone-a"),
        build.node("node-b", "1", zone="zone-a"),
        *pods,
        build.budget(NAME, maxUnavailable=1, counts=(2, 1, 2)),
        build.claim("data", "disk"),
        build.volume("disk", "zone-a", "data"),
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": cluster()}))
    return path


def call(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["drill", *map(str, arguments)])


def asked(*arguments: str | Path) -> DrillShape:
    done = call(*arguments, "--complete", "-o", "json")
    assert done.exit_code == 0, done.output
    return DrillShape.model_validate_json(done.stdout)


def test_a_drain_in_rounds(file: Path) -> None:
    (drill,) = asked("drain", "node-a", "-f", file).drills

    assert (drill.kind, drill.target, drill.mode, drill.verdict) == (
        "drain",
        "node-a",
        None,
        "degrades",
    )
    assert sorted(pod.outcome for pod in drill.pods) == ["pending", "placed"]
    assert [(one.name, one.allowed, one.blocks) for one in drill.budgets] == [(NAME, 1, False)]
    assert (drill.rounds, drill.recovery_seconds.min) == (2, None)
    assert [(one.claim, one.nodes) for one in drill.volumes] == [("data", 1), ("data", 1)]


def test_every_node_and_every_zone(file: Path) -> None:
    drills = asked("all", "--mode", "deleted", "-f", file).drills

    assert [(one.kind, one.target, one.verdict) for one in drills] == [
        ("node", "node-a", "degrades"),
        ("node", "node-b", "survives"),
        ("zone", "zone-a", "fails"),
    ]


def test_keys_are_those_of_the_contract(file: Path) -> None:
    done = call("node", "node-a", "-f", file, "--complete", "-o", "json")
    (drill,) = json.loads(done.stdout)["drills"]

    assert list(drill) == [
        "kind",
        "target",
        "mode",
        "verdict",
        "reasons",
        "assumptions",
        "recoverySeconds",
        "pods",
        "budgets",
        "rounds",
        "volumes",
    ]
    assert list(drill["pods"][0])[:5] == ["namespace", "name", "outcome", "node", "reason"]


def test_what_is_not_known_is_named(file: Path) -> None:
    done = call("node", "node-a", "--mode", "deleted", "-f", file, "-o", "json")
    (drill,) = json.loads(done.stdout)["drills"]

    assert drill["verdict"] == "unknown"
    assert "MissingPod" in drill["reasons"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["node", "node-x"], "there is no node 'node-x'; nodes are node-a, node-b"),
        (["zone", "zone-x"], "there is no zone 'zone-x'; zones are zone-a"),
        (["drain"], "needs the name of a node"),
        (["all", "node-a"], "takes no name"),
    ],
)
def test_wrong_names_are_told(file: Path, arguments: list[str], says: str) -> None:
    done = call(*arguments, "-f", file)

    assert isinstance(done.exception, CommandError)
    assert done.exception.code is Exit.USAGE
    assert says in str(done.exception)


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("what", [("drain", "node-a"), ("all",)])
def test_tables_fit(file: Path, width: int, what: tuple[str, ...]) -> None:
    answer = asked(*what, "-f", file)
    out = io.StringIO()
    show(answer, Console(file=out, width=width, highlight=False, emoji=False, markup=False))

    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert not any(line.endswith(" ") for line in lines)
    if what[0] == "drain":
        assert "drain node node-a: degrades" in lines[0]


def test_the_schema_in_the_docs_is_that_of_the_output(file: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    schema = json.loads((root / "docs/schema/drill.json").read_text())

    assert set(schema["properties"]) == {"schemaVersion", "inputs", "drills"}
    assert set(asked("all", "-f", file).model_dump(by_alias=True)) == set(schema["properties"])
