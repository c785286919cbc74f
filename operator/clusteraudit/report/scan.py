"""From an audit's result to the shapes of `scan`."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from clusteraudit.audit.audit import AuditResult, Tally
from clusteraudit.audit.ledger import Entry
from clusteraudit.diagnose.chains import Diagnosis, diagnose
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.printable import printable
from clusteraudit.model.rows import Ref
from clusteraudit.report.inputs import Origin, inputs
from clusteraudit.report.shapes import (
    ChainShape,
    ClusterShape,
    FindingShape,
    LoopName,
    ObjectReference,
    RuleShape,
    ScanShape,
    Summary,
)
from clusteraudit.rules.catalogue import Catalogue
from clusteraudit.rules.kit import LOOPS, Severity

COST = {Severity.CRITICAL: 25, Severity.HIGH: 10, Severity.MEDIUM: 3, Severity.LOW: 1}
"""What a rule takes off the score that finds something of this severity."""


Shown = Callable[[Entry], bool]


def everything(_: Entry) -> bool:
    """Show every finding."""
    return True


def scan(
    result: AuditResult,
    catalogue: Catalogue,
    origin: Origin,
    shown: Shown = everything,
) -> ScanShape:
    """The whole answer; `shown` limits whose findings are listed, never the evidence."""
    links = diagnose(result.entries, catalogue)
    entries = [entry for entry in result.entries if shown(entry)]
    counts = dict(result.counts)
    return ScanShape(
        cluster=ClusterShape(
            name=origin.name,
            version=origin.version,
            taken_at=rfc3339(result.now),
            nodes=counts.get("Node", 0),
            pods=counts.get("Pod", 0),
        ),
        inputs=inputs(result.counts, result.evidence, origin),
        score=score(entries),
        summary=summary(entries, catalogue),
        findings=[finding(entry, links, catalogue) for entry in entries],
        chains=chains(entries, links, catalogue),
        rules=[rule_shape(tally, catalogue) for tally in result.tallies],
    )


def score(entries: Iterable[Entry]) -> int:
    """100 less 25, 10, 3, 1 for each rule found at critical, high, medium, low; never below 0."""
    worst: dict[str, Severity] = {}
    for entry in entries:
        known = worst.get(entry.rule, entry.severity)
        worst[entry.rule] = min(known, entry.severity, key=lambda one: one.rank)
    return max(0, 100 - sum(COST.get(one, 0) for one in worst.values()))


def summary(entries: Iterable[Entry], catalogue: Catalogue) -> Summary:
    """Findings by severity and by loop, zeros included."""
    found = list(entries)
    severities = Counter(entry.severity for entry in found)
    rules = (catalogue.get(entry.rule) for entry in found)
    loops = Counter(rule.loop for rule in rules if rule)
    return Summary(
        by_severity={one.value: severities[one] for one in Severity},
        by_loop={cast("LoopName", loop): loops[loop] for loop in LOOPS},
    )


def reference(ref: Ref) -> ObjectReference:
    """The shape of a reference."""
    return ObjectReference(
        api_version=ref.api_version, kind=ref.kind, namespace=ref.namespace, name=ref.name
    )


def finding(entry: Entry, links: Diagnosis, catalogue: Catalogue) -> FindingShape:
    """The shape of a finding."""
    rule = catalogue.get(entry.rule)
    if rule is None:
        raise KeyError(entry.rule)
    return FindingShape(
        rule=rule.code,
        name=rule.name,
        severity=entry.severity.value,
        loop=cast("LoopName", rule.loop),
        layer=str(rule.layer),
        failure_class=rule.failure.value,
        object=reference(entry.finding.subject),
        message=entry.message,
        evidence={
            key: list(value) if isinstance(value, tuple) else value
            for key, value in entry.finding.evidence
        },
        remedy=entry.remedy,
        fingerprint=entry.fingerprint,
        caused_by=list(links.caused_by.get(entry.fingerprint, ())),
        effects=list(links.effects.get(entry.fingerprint, ())),
    )


def chains(entries: Sequence[Entry], links: Diagnosis, catalogue: Catalogue) -> list[ChainShape]:
    """Chains of which the root is shown."""
    by = {entry.fingerprint: entry for entry in entries}
    return [
        ChainShape(
            root=chain.root,
            effects=list(chain.effects),
            summary=_line(
                [by[one] for one in (chain.root, *chain.effects) if one in by], catalogue
            ),
        )
        for chain in links.chains
        if chain.root in by
    ]


def _line(entries: Sequence[Entry], catalogue: Catalogue) -> str:
    """`pod-pending (Deployment shop/search) <- fragmented-capacity (...)`, symptom first."""
    said = []
    for entry in reversed(entries):
        rule = catalogue.get(entry.rule)
        said.append(f"{rule.name if rule else entry.rule} ({entry.finding.subject})")
    return printable(" <- ".join(said))


def rule_shape(tally: Tally, catalogue: Catalogue) -> RuleShape:
    """The shape of a rule's outcomes."""
    rule = catalogue.get(tally.rule)
    return RuleShape(
        rule=tally.rule,
        name=rule.name if rule else "",
        outcome=tally.outcome,
        subjects=tally.subjects,
        found=tally.found,
        unknown=tally.unknown,
        error=tally.error,
        reasons=list(tally.reasons),
    )
