"""The chart's files that need no helm to be judged."""

import itertools
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from tools.values import MAX_NODES, PRESETS, Group, Values

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "cluster-audit"


def test_the_chart_is_of_this_version() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert about["appVersion"] == project["version"]
    assert about["version"] == re.sub(r"\.dev", "-dev.", project["version"])
    assert about["description"] == project["description"]
    assert f"cluster-audit:{about['appVersion']}" in (ROOT / "docs" / "install.md").read_text()


def test_every_value_is_there_once_with_a_sentence() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r" *[a-zA-Z]+:", line) and "grafana_dashboard" not in line:
            assert before.lstrip().startswith("#"), line
    described = [one.strip(" #") for one in lines if one.lstrip().startswith("#")]
    assert [one for one in described if not one] == []


def test_the_file_of_values_is_the_defaults() -> None:
    written = yaml.safe_load((CHART / "values.yaml").read_text())
    assert written == Values().model_dump(by_alias=True)


def test_the_templates_read_every_value_and_no_other() -> None:
    text = "\n".join(path.read_text() for path in sorted((CHART / "templates").iterdir()))
    for top in Values.model_fields.values():
        assert f".Values.{top.alias}" in text, top.alias
    named = set(re.findall(r"\.Values\.(\w+)", text))
    assert named <= {field.alias for field in Values.model_fields.values()}


def test_presets_rise_to_the_most_nodes_that_are_allowed() -> None:
    nodes = [one["nodes"] for one in PRESETS]
    assert nodes == sorted(nodes)
    assert nodes[-1] == MAX_NODES


def test_a_value_that_does_not_exist_is_refused_at_every_depth() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    groups: list[dict[str, Any]] = [schema, *schema["$defs"].values()]

    assert all(one["additionalProperties"] is False for one in groups)
    assert len(groups) == 1 + sum(
        isinstance(getattr(Values(), name), Group) for name in Values.model_fields
    )


def test_the_page_of_removal_names_what_the_suite_types() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    assert "kubectl delete crd clusterauditreports.clusteraudit.io" in page
    assert "kubectl delete clusterrole,clusterrolebinding -l" in page
