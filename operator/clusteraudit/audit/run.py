"""Asking: one rule of one subject, and what came of it."""

from collections.abc import Mapping

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.printable import sentence
from clusteraudit.model.rows import Ref
from clusteraudit.rules.kit import Finding, Needs, Rule, Settings, Unknown

CLUSTER = Ref("", "Cluster", "", "")
"""The subject of a cluster rule, as long as it names no other."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What a rule said of a subject; neither found, unknown nor error is clear."""

    found: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    error: str = ""
    of: tuple[Ref, ...] = ()
    """Whom it is unknown of; where nobody is named, of everybody."""

    def leaves_open(self, asked: Ref, finding: Finding) -> bool:
        """Whether it neither repeats nor denies what was found earlier, for it cannot tell."""
        if self.error or not self.unknown:
            return bool(self.error)
        about = {asked, finding.subject, *finding.refs}
        return not self.of or not about.isdisjoint(self.of)


CLEAR = Outcome()


class Gaps(msgspec.Struct, frozen=True, gc=False):
    """What of the kinds that a rule reads is not known."""

    missing: tuple[str, ...] = ()
    """Why it cannot even be asked."""
    partial: tuple[str, ...] = ()
    """Kinds of which more may exist than is known: with them nothing found is not clear."""


def ask(
    rule: Rule,
    subject: Ref,
    cluster: Cluster,
    settings: Mapping[str, Settings],
    known: Gaps | None = None,
) -> Outcome:
    """The outcome of a rule for a subject; a rule that raises is an error of its own only.

    `known` is what `gaps` says of it, if who asks has asked that.
    """
    lacks = gaps(cluster, (rule.needs,))[0] if known is None else known
    if lacks.missing:
        return Outcome(unknown=lacks.missing)
    try:
        outcome = _answers(rule, subject, cluster, settings.get(rule.code) or rule.defaults)
    except Exception as error:  # a fault of this rule, for this subject
        return Outcome(error=sentence(f"{type(error).__name__}: {error}", 200))
    if not outcome.found and not outcome.unknown:
        return Outcome(unknown=lacks.partial) if lacks.partial else CLEAR
    return outcome


def _answers(rule: Rule, subject: Ref, cluster: Cluster, settings: Settings) -> Outcome:
    arguments = (subject, cluster, settings) if rule.local else (cluster, settings)
    found, unknown, of = [], set[str](), set[Ref]()
    for answer in rule.ask(*arguments):
        if isinstance(answer, Unknown):
            unknown.add(answer.missing)
            of.add(answer.subject)
        else:
            rule.say(answer)  # a message that cannot be formatted is this rule's error, here
            rule.advise(answer)
            found.append(answer)
    return Outcome(tuple(found), tuple(sorted(unknown)), of=tuple(sorted(of)))


@derived
def gaps(cluster: Cluster, needs: tuple[Needs, ...]) -> tuple[Gaps, ...]:
    """What is not known of what some rules need, of each: one cell for all rules of a subject."""
    return tuple(_gaps(cluster, one) for one in needs)


def _gaps(cluster: Cluster, needs: Needs) -> Gaps:
    known = [(kind, cluster.evidence(kind)) for kind in needs.reads]
    missing = [f"{kind}: {one.reason}" for kind, one in known if one.state == "none"]
    partial = [kind for kind, one in known if one.state == "partial"]
    missing += [f"{kind}: Partial" for kind in partial if kind in needs.complete]
    return Gaps(tuple(missing), tuple(f"{kind}: Partial" for kind in partial))
