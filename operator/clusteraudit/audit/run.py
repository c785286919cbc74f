"""Asking: one rule of one subject, and what came of it."""

from collections.abc import Mapping, Sequence

import msgspec

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import Ref
from clusteraudit.model.store import Evidence
from clusteraudit.rules.kit import Finding, Rule, Settings, Unknown

CLUSTER = Ref("", "Cluster", "", "")
"""The subject of a cluster rule, as long as it names no other."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What a rule said of a subject; neither found, unknown nor error is clear."""

    found: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    error: str = ""


CLEAR = Outcome()


def ask(rule: Rule, subject: Ref, cluster: Cluster, settings: Mapping[str, Settings]) -> Outcome:
    """The outcome of a rule for a subject; a rule that raises is an error of its own only."""
    evidence = [(kind, cluster.evidence(kind)) for kind in rule.reads]
    missing = _missing(rule, evidence)
    if missing:
        return Outcome(unknown=missing)
    try:
        outcome = _answers(rule, subject, cluster, settings.get(rule.code) or rule.settings())
    except Exception as error:  # a fault of this rule, for this subject
        return Outcome(error=f"{type(error).__name__}: {error}"[:200])
    if not outcome.found and not outcome.unknown:
        return Outcome(unknown=_partial(evidence))
    return outcome


def _answers(rule: Rule, subject: Ref, cluster: Cluster, settings: Settings) -> Outcome:
    arguments = (subject, cluster, settings) if rule.local else (cluster, settings)
    found, unknown = [], []
    for answer in rule.ask(*arguments):
        if isinstance(answer, Unknown):
            unknown.append(answer.missing)
        else:
            rule.say(answer)  # a message that cannot be formatted is this rule's error, here
            rule.advise(answer)
            found.append(answer)
    return Outcome(tuple(found), tuple(sorted(set(unknown))))


Known = Sequence[tuple[str, Evidence]]


def _missing(rule: Rule, known: Known) -> tuple[str, ...]:
    """Why the rule cannot even be asked: kinds that are not read, or not in full."""
    reasons = []
    for kind, evidence in known:
        if evidence.state == "none":
            reasons.append(f"{kind}: {evidence.reason}")
        elif evidence.state == "partial" and kind in rule.complete:
            reasons.append(f"{kind}: Partial")
    return tuple(reasons)


def _partial(known: Known) -> tuple[str, ...]:
    """Kinds of which more may exist than is known: nothing found is then not clear."""
    return tuple(f"{kind}: Partial" for kind, evidence in known if evidence.state != "complete")
