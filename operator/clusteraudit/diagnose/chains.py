"""Chains: from symptom to cause.

A declared edge (`leads_to`) says that findings of one rule can be effects of another's; they are,
where both are about the same object. The symptom's layer is hardly ever that of the failure.
"""

from collections.abc import Iterable, Mapping

import msgspec

from clusteraudit.audit.ledger import Entry
from clusteraudit.model.rows import Ref
from clusteraudit.rules.catalogue import Catalogue


class Chain(msgspec.Struct, frozen=True, gc=False):
    """A cause that has none itself, and its effects, nearest first, by fingerprint."""

    root: str
    effects: tuple[str, ...]


class Diagnosis(msgspec.Struct, frozen=True, gc=False):
    """Causes and effects of each finding, nearest only, by fingerprint; and the chains."""

    caused_by: Mapping[str, tuple[str, ...]]
    effects: Mapping[str, tuple[str, ...]]
    chains: tuple[Chain, ...]


def diagnose(entries: Iterable[Entry], catalogue: Catalogue) -> Diagnosis:
    """Link open findings; their order is kept, so that equal input gives equal chains."""
    found = list(entries)
    about = _about(found)
    caused_by: dict[str, list[str]] = {}
    effects: dict[str, list[str]] = {}
    for cause in found:
        rule = catalogue.get(cause.rule)
        for effect in _effects(cause, rule.leads_to if rule else (), about, catalogue):
            effects.setdefault(cause.fingerprint, []).append(effect)
            caused_by.setdefault(effect, []).append(cause.fingerprint)
    roots = [one.fingerprint for one in found if one.fingerprint not in caused_by]
    chains = (Chain(root, _reach(root, effects)) for root in roots if root in effects)
    return Diagnosis(_frozen(caused_by), _frozen(effects), tuple(chains))


def _about(entries: Iterable[Entry]) -> dict[tuple[str, Ref], list[Entry]]:
    """Findings by rule and object that they are about."""
    about: dict[tuple[str, Ref], list[Entry]] = {}
    for entry in entries:
        for ref in _refs(entry):
            about.setdefault((entry.rule, ref), []).append(entry)
    return about


def _refs(entry: Entry) -> dict[Ref, None]:
    return dict.fromkeys((entry.finding.subject, *entry.finding.refs))


def _effects(
    cause: Entry,
    names: tuple[str, ...],
    about: Mapping[tuple[str, Ref], list[Entry]],
    catalogue: Catalogue,
) -> dict[str, None]:
    rules = (rule for name in names if (rule := catalogue.get(name)))
    linked = (e for rule in rules for ref in _refs(cause) for e in about.get((rule.code, ref), ()))
    return dict.fromkeys(one.fingerprint for one in linked if one is not cause)


def _reach(root: str, effects: Mapping[str, list[str]]) -> tuple[str, ...]:
    reached: dict[str, None] = {}
    queue = list(effects.get(root, ()))
    while queue:
        one = queue.pop(0)
        if one not in reached and one != root:
            reached[one] = None
            queue += effects.get(one, ())
    return tuple(reached)


def _frozen(links: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {one: tuple(others) for one, others in links.items()}
