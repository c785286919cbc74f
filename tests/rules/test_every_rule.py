"""What every rule is held to, for nothing: a new rule only brings its examples."""

import ast
import dataclasses
import inspect
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusteraudit.audit.audit import Audit
from clusteraudit.model.build import NOW
from clusteraudit.model.kinds import API_GROUPS, INDEXES, KINDS
from clusteraudit.model.recorder import VALUE
from clusteraudit.model.rows import Ref
from clusteraudit.model.store import CHILDREN, FAMILY, TEMPLATES, Cell, Evidence
from clusteraudit.rules.catalogue import Catalogue, catalogue
from clusteraudit.rules.kit import LOOPS, MAX_REFS, Answer, Example, Rule, Turn
from support.clusters import EVERYTHING, ask, audit_of, changes_of

RULES = list(catalogue())
EXAMPLES = [(rule, example) for rule in RULES for example in rule.examples]
IDS = [f"{rule.name}: {example.says}" for rule, example in EXAMPLES]
HEADINGS = [
    "## What it looks at",
    "## Why it matters",
    "## What to do",
    "## When it stays silent",
]

each_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
each_example = pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=IDS)


@each_example
def test_the_example_finds_or_stays_silent(rule: Rule, example: Example) -> None:
    result = ask(rule, example)

    assert bool(result.entries) == example.finds, result.tallies
    assert all(not tally.error for tally in result.tallies), result.tallies


@each_example
def test_what_mends_the_example_closes_the_finding(rule: Rule, example: Example) -> None:
    settings = {rule.code: example.settings}
    audit, before = audit_of([rule], example.objects, now=example.now, settings=settings)
    after = audit.step(changes_of(example.mend), now=example.now)

    assert after.entries == ()
    assert len(after.transitions) == len(before.entries)


@each_example
def test_messages_are_sentences(rule: Rule, example: Example) -> None:
    for entry in ask(rule, example).entries:
        for text in (entry.message, entry.remedy):
            assert text.endswith(".")
            assert not re.search(r"[{}]|\bNone\b|  |\.\.", text), text
        assert len(entry.finding.refs) <= MAX_REFS
        assert all(re.fullmatch(r"[a-z]+[A-Za-z]*", key) for key, _ in entry.finding.evidence)


@each_example
def test_the_order_of_the_input_does_not_matter(rule: Rule, example: Example) -> None:
    expected = ask(rule, example).entries
    for seed in range(5):
        shuffled = list(example.objects)
        random.Random(seed).shuffle(shuffled)
        assert ask(rule, example, shuffled).entries == expected


@each_example
def test_only_declared_kinds_are_read(rule: Rule, example: Example) -> None:
    settings = {rule.code: example.settings}
    audit, _ = audit_of([rule], example.objects, now=example.now, settings=settings)

    assert _kinds_opened(audit, rule) - {API_GROUPS} <= set(rule.kinds)


def _kinds_opened(audit: Audit, rule: Rule) -> set[str]:
    """Kinds that the rule read, by way of derived values too."""
    opened = audit.cluster.recorder.opened
    own = (one for one in opened if isinstance(one, Ref) or one == rule.code)
    queue, seen = [cell for one in own for cell in opened[one]], set[Cell]()
    while queue:
        cell = queue.pop()
        if cell not in seen:
            seen.add(cell)
            queue += opened.get(cell, ())
    return {kind for cell in seen for kind in _kinds(cell)}


_KINDS_OF = {name: index.kinds for of, index in INDEXES.items() for name in (of, *index.aspects)}


def _kinds(cell: Cell) -> tuple[str, ...]:
    if cell == TEMPLATES:
        return ("Pod",)
    if cell[0] in {"bucket", "buckets", "group", "groups", "labelled"}:
        return _KINDS_OF[str(cell[1])]
    if cell[0] in {"under", FAMILY}:
        return _KINDS_OF[CHILDREN]
    return () if cell[0] == VALUE else (str(cell[1]),)


@each_rule
def test_a_kind_that_it_reads_withheld_is_unknown(rule: Rule) -> None:
    example = next(one for one in rule.examples if one.finds)
    for kind in rule.reads:
        objects = [one for one in example.objects if one["kind"] != kind]
        evidence = {**EVERYTHING, kind: Evidence("none", "Forbidden")}
        settings = {rule.code: example.settings}
        _, result = audit_of([rule], objects, settings=settings, evidence=evidence)

        assert result.entries == ()
        assert result.tallies[0].outcome == "unknown", (kind, result.tallies)
        assert f"{kind}: Forbidden" in result.tallies[0].reasons


@each_rule
def test_evidence_that_is_lost_leaves_the_finding_open_and_stale(rule: Rule) -> None:
    example = next(one for one in rule.examples if one.finds)
    settings = {rule.code: example.settings}
    audit, before = audit_of([rule], example.objects, settings=settings)
    lost = audit.step(evidence={rule.reads[0]: Evidence("none", "Forbidden")}, now=NOW)
    back = audit.step(evidence={rule.reads[0]: EVERYTHING["Pod"]}, now=NOW)

    assert [one.fingerprint for one in lost.entries] == [o.fingerprint for o in before.entries]
    assert all(one.stale for one in lost.entries)
    assert back.entries == before.entries


@each_rule
def test_partial_evidence_is_never_clear(rule: Rule) -> None:
    example = next(one for one in rule.examples if not one.finds)
    partial = dict.fromkeys(KINDS, Evidence("partial"))
    settings = {rule.code: example.settings}
    _, result = audit_of([rule], example.objects, settings=settings, evidence=partial)

    assert result.tallies[0].outcome in {"unknown", "notApplicable"}


@each_rule
def test_its_declaration_is_whole(rule: Rule) -> None:
    assert re.fullmatch(LOOPS[rule.loop] + r"[1-9]\d\d", rule.code)
    assert set(rule.kinds) <= set(KINDS)
    assert set(rule.complete) <= set(rule.reads)
    assert all(catalogue().get(name) for name in rule.leads_to)
    assert {one.finds for one in rule.examples} == {True, False}
    assert all(one.mend for one in rule.examples if one.finds)


@each_rule
def test_its_events_are_what_they_were_when_first_sent(rule: Rule) -> None:
    """Users alert on them, and the API lets nobody change them: a line here is for ever."""
    lines = (Path(__file__).with_name("events.txt")).read_text().splitlines()
    kinds = (rule.event_kind(turn) for turn in Turn)
    said = " ".join(f"{one.action}:{one.type}" for one in kinds)

    line = f"{rule.code} {rule.event} {said}"
    assert line in lines, f"a new rule adds this line to tests/rules/events.txt: {line}"
    assert re.fullmatch(r"([A-Z][a-z0-9]*)+", rule.event)
    assert len(rule.event) <= 40


@each_rule
def test_its_page_has_every_heading(rule: Rule) -> None:
    assert [line for line in rule.page.splitlines() if line.startswith("#")] == HEADINGS
    assert rule.page.splitlines()[0].endswith(".")


@each_rule
def test_file_function_and_settings_share_a_name(rule: Rule) -> None:
    module = inspect.getmodule(rule.ask)
    assert module is not None
    assert module.__name__.rsplit(".", 1)[1] == rule.ask.__name__
    if rule.settings.model_fields:
        assert rule.settings.__name__ == f"{rule.event}Settings"
        assert all(field.description for field in rule.settings.model_fields.values())
    body = ast.parse(inspect.getsource(module))
    assert sum(isinstance(one, ast.ClassDef) for one in body.body) <= 2


def test_a_rule_that_raises_is_an_error_of_its_own_only() -> None:
    rule = RULES[0]
    example = next(one for one in rule.examples if one.finds)

    def raises(*_: object) -> Iterator[Answer]:
        raise ZeroDivisionError

    bad = dataclasses.replace(rule, code="CMP999", ask=raises)
    _, result = audit_of([rule, bad], example.objects)

    assert [tally.outcome for tally in result.tallies] == ["found", "error"]
    assert result.tallies[1].reasons == ("ZeroDivisionError: ",)


def test_the_catalogue_refuses_a_code_twice() -> None:
    with pytest.raises(ValueError, match="share a code"):
        Catalogue([RULES[0], RULES[0]])
