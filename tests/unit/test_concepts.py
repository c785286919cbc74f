"""The page for newcomers says what the code does."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import Layer, Severity
from tools.concepts import chain_shown, pages

ROOT = Path(__file__).parents[2]
[TEXT] = pages().values()


def test_the_chain_of_the_picture_goes_from_the_ground_to_the_symptom() -> None:
    chain = [one.rule for one in chain_shown()]
    rules = {rule.code: rule for rule in catalogue()}
    assert len({rules[one].layer for one in chain}) == len(chain) == 3
    for cause, effect in pairwise(chain):
        assert rules[effect].name in rules[cause].leads_to


def test_every_rule_layer_and_severity_is_on_it() -> None:
    for rule in catalogue():
        assert f"[{rule.code}](rules/{rule.loop}/{rule.name}.md)" in TEXT
    assert all(f"| {layer} |" in TEXT for layer in Layer)
    assert all(f"| {one.value} |" in TEXT for one in Severity)


@pytest.mark.parametrize("page", ["concepts.md", "rules/README.md"])
def test_its_links_lead_somewhere(page: str) -> None:
    path = ROOT / "docs" / page
    links = re.findall(r"\]\(([^)#:]+)", path.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []
