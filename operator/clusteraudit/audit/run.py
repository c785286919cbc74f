"""Asking: one rule of one subject, and what came of it."""

from collections.abc import Mapping

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.printable import sentence
from clusteraudit.model.rows import Ref
from clusteraudit.rules.kit import Finding, Rule, Settings, Unknown

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


def ask(rule: Rule, subject: Ref, cluster: Cluster, settings: Mapping[str, Settings]) -> Outcome:
    """The outcome of a rule for a subject; a rule that raises is an error of its own only."""
    missing, partial = _gaps(cluster, rule.reads, rule.complete)
    if missing:
        return Outcome(unknown=missing)
    try:
        outcome = _answers(rule, subject, cluster, settings.get(rule.code) or rule.settings())
    except Exception as error:  # a fault of this rule, for this subject
        return Outcome(error=sentence(f"{type(error).__name__}: {error}", 200))
    if not outcome.found and not outcome.unknown:
        return Outcome(unknown=partial) if partial else CLEAR
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
def _gaps(
    cluster: Cluster, reads: tuple[str, ...], complete: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why a rule cannot even be asked; and kinds of which more may exist than is known.

    Kinds that are not read, or not in full; with the others nothing found is then not clear.
    """
    known = [(kind, cluster.evidence(kind)) for kind in reads]
    missing = [f"{kind}: {one.reason}" for kind, one in known if one.state == "none"]
    partial = [kind for kind, one in known if one.state == "partial"]
    missing += [f"{kind}: Partial" for kind in partial if kind in complete]
    return tuple(missing), tuple(f"{kind}: Partial" for kind in partial)
