"""The status of a report: what an audit says, within bounds, as this report views it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from clusteraudit.audit.audit import AuditResult
from clusteraudit.audit.ledger import Entry
from clusteraudit.diagnose.chains import Diagnosis, diagnose
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.printable import sentence
from clusteraudit.model.rows import SLOTS
from clusteraudit.report.losses import drills
from clusteraudit.report.resource import (
    MAX_LEDGER,
    Condition,
    RuleCount,
    Spec,
    Status,
    StatusCapacity,
    StatusChain,
    StatusEvent,
    StatusFinding,
    StatusInput,
    StatusUnknown,
    Totals,
)
from clusteraudit.report.scan import chains, reference, score, summary
from clusteraudit.rules.catalogue import Catalogue
from clusteraudit.rules.kit import LOOPS, Severity, count
from clusteraudit.simulate.capacity import COMPUTE, Measure

if TYPE_CHECKING:
    from clusteraudit.report.shapes import LoopName

CAP_BYTES = 200 * 1024
PER_RULE = 20
_MESSAGE = 1024
_LINKS = 100
_RESOURCES = 8
_HEALTHY_BELOW = Severity.MEDIUM.rank

Word = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class View:
    """A report's own: its spec, what is wrong with it, and the conditions it had."""

    spec: Spec
    generation: int = 0
    problems: tuple[str, ...] = ()
    schema_current: bool = True
    before: Mapping[str, Condition] | None = None
    main: bool = False
    """The main report keeps the ledger."""
    events: tuple[StatusEvent, ...] = ()
    """Events that are called for, and not known to be sent."""


def status(result: AuditResult, catalogue: Catalogue, view: View, cap: int = CAP_BYTES) -> Status:
    """The status; findings are dropped until it fits into so many bytes."""
    entries = [entry for entry in result.entries if shown(entry, view.spec)]
    links = diagnose(result.entries, catalogue)
    room = min(view.spec.max_findings, len(entries))
    while True:
        kept = _kept(entries, links, room)
        made = _status(result, catalogue, view, entries, kept, links)
        left = cap - size(made)
        if room == 0 or left >= 0:
            listed = ledger(result.entries, left) if view.main else []
            return made.model_copy(update={"ledger": listed})
        room = min(room - 1, room * 9 // 10)


def ledger(entries: Sequence[Entry], left: int) -> list[str]:
    """Since when findings are open, in so many bytes at most; worst first.

    If there is no room for all, a last line says how many are missing: `+7`.
    """
    lines = [f"{one.fingerprint} {one.since}" for one in entries]
    each = max((len(line) for line in lines), default=0) + len('"",')
    room = min(MAX_LEDGER, max(0, left - len('"ledger":[],')) // each)
    if room >= len(lines) or not room:
        return lines[:room]
    return [*lines[: room - 1], f"+{len(lines) - room + 1}"]


def first_seen(lines: Iterable[str]) -> dict[str, int]:
    """Since when findings are open, by fingerprint; lines of no sense are left out."""
    pairs = (line.partition(" ") for line in lines)
    return {mark: int(since) for mark, _, since in pairs if since.isdecimal()}


def size(made: Status) -> int:
    """Bytes of the status as JSON."""
    return len(json.dumps(dump(made), ensure_ascii=False, separators=(",", ":")).encode())


def dump(made: Status) -> dict[str, object]:
    """The status as the API takes it; what is absent is left out."""
    return made.model_dump(mode="json", by_alias=True, exclude_none=True)


def digest(made: Status) -> str:
    """Changes with what the status says; not with counts and times, which ride along."""
    return digest_of(dump(made))


def digest_of(said: Mapping[str, object]) -> str:
    """The same of a status as the API server has it."""
    parts = [said.get(key) for key in ("conditions", "findings", "chains", "summary", "unknown")]
    parts.append("drills" in said)  # that they are known is news, their figures ride along
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def shown(entry: Entry, spec: Spec) -> bool:
    """Whether a report of this spec is about the finding."""
    inside = not spec.namespaces or entry.finding.subject.namespace in spec.namespaces
    return inside and entry.severity.rank <= Severity(spec.min_severity).rank


def _kept(entries: Sequence[Entry], links: Diagnosis, room: int) -> list[Entry]:
    """Roots of chains, then rules in turn within each severity, at most 20 of a rule."""
    roots = {chain.root for chain in links.chains}
    chosen = [entry for entry in entries if entry.fingerprint in roots]
    of_rule = Counter(entry.rule for entry in chosen)
    rest = [entry for entry in entries if entry.fingerprint not in roots]
    for severity in Severity:
        queues: dict[str, list[Entry]] = {}
        for entry in rest:
            if entry.severity is severity:
                queues.setdefault(entry.rule, []).append(entry)
        for turn in range(PER_RULE):
            for rule, queue in queues.items():
                if turn < len(queue) and of_rule[rule] < PER_RULE:
                    of_rule[rule] += 1
                    chosen.append(queue[turn])
    marks = {entry.fingerprint for entry in chosen[:room]}
    return [entry for entry in entries if entry.fingerprint in marks]


def _status(
    result: AuditResult,
    catalogue: Catalogue,
    view: View,
    entries: Sequence[Entry],
    kept: Sequence[Entry],
    links: Diagnosis,
) -> Status:
    counts = dict(result.counts)
    marks = {entry.fingerprint for entry in kept}
    linked = _chains(entries, kept, links, catalogue)
    unknown = list(_unknown(result, catalogue))
    by = summary(entries, catalogue)
    inputs = list(_inputs(result))
    return Status(
        conditions=_conditions(
            result, view, _verdicts(result, catalogue, view, entries, kept, inputs)
        ),
        observed_generation=view.generation,
        score=score(entries),
        summary=Totals(
            by_severity=by.by_severity,
            by_loop=by.by_loop,
            chains=len(chains(entries, links, catalogue)),
            findings=len(entries),
            unknown=len(unknown),
        ),
        capacity=list(_capacity(result)),
        drills=drills(result.drills) if result.drills else None,
        findings=[_finding(entry, links, marks, catalogue) for entry in kept],
        findings_by_rule=_by_rule(entries, kept),
        chains=linked,
        unknown=unknown,
        inputs=inputs,
        nodes=counts.get("Node", 0),
        pods=counts.get("Pod", 0),
        last_audit_time=rfc3339(result.now),
        events=list(view.events),
    )


def _capacity(result: AuditResult) -> Iterator[StatusCapacity]:
    """CPU, memory and slots, then what else there is most of."""
    measures = result.capacity.cluster.resources if result.capacity else ()
    held = [one for one in measures if one.allocatable or one.requested]
    first = {name: at for at, name in enumerate((*COMPUTE, SLOTS))}
    held.sort(key=lambda one: (first.get(one.resource, len(first)), one.resource))
    for one in held[:_RESOURCES]:
        yield _of_resource(one)


def _of_resource(one: Measure) -> StatusCapacity:
    return StatusCapacity(
        resource=one.resource,
        allocatable=one.allocatable,
        requested=one.requested,
        free=one.free,
        unavailable=one.unavailable,
        fragmented_permille=int(1000 * (one.fragmented or 0)),
        stranded=one.stranded or 0,
    )


def _finding(
    entry: Entry, links: Diagnosis, marks: Iterable[str], catalogue: Catalogue
) -> StatusFinding:
    rule = catalogue.get(entry.rule)
    if rule is None:
        raise KeyError(entry.rule)
    causes, effects = (
        [one for one in side.get(entry.fingerprint, ()) if one in marks][:_LINKS]
        for side in (links.caused_by, links.effects)
    )
    return StatusFinding(
        rule=rule.code,
        name=rule.name,
        severity=entry.severity.value,
        loop=cast("LoopName", rule.loop),
        layer=str(rule.layer),
        object=reference(entry.finding.subject),
        message=entry.message[:_MESSAGE],
        remedy=entry.remedy[:_MESSAGE],
        fingerprint=entry.fingerprint,
        since=rfc3339(entry.since),
        stale=True if entry.stale else None,
        caused_by=causes,
        effects=effects,
    )


def _by_rule(entries: Iterable[Entry], kept: Iterable[Entry]) -> list[RuleCount]:
    total, listed = (Counter(entry.rule for entry in each) for each in (entries, kept))
    return [RuleCount(rule=code, total=total[code], kept=listed[code]) for code in sorted(total)]


def _chains(
    entries: Sequence[Entry], kept: Sequence[Entry], links: Diagnosis, catalogue: Catalogue
) -> list[StatusChain]:
    marks = {entry.fingerprint for entry in kept}
    return [
        StatusChain(
            root=chain.root,
            effects=[one for one in chain.effects if one in marks][:_LINKS],
            summary=chain.summary[:_MESSAGE],
        )
        for chain in chains(entries, links, catalogue)
        if chain.root in marks
    ]


def _unknown(result: AuditResult, catalogue: Catalogue) -> Iterable[StatusUnknown]:
    for tally in result.tallies:
        rule = catalogue.get(tally.rule)
        if rule and (tally.unknown or tally.error or tally.outcome == "unknown"):
            yield StatusUnknown(
                rule=rule.code,
                name=rule.name,
                outcome=tally.outcome,
                subjects=tally.unknown + tally.error,
                reasons=[reason[:256] for reason in tally.reasons],
            )


def _inputs(result: AuditResult) -> Iterable[StatusInput]:
    counts = dict(result.counts)
    for kind, evidence in result.evidence:
        if kind in KINDS:
            yield StatusInput(
                kind=kind,
                synced=evidence.state == "complete",
                reason=evidence.reason[:256],
                since=rfc3339(evidence.since) if evidence.since is not None else None,
                objects=counts.get(kind, 0),
            )


# Conditions

Verdict = tuple[Word, str, str]
_OUTDATED = (
    "the installed CRD is older than the operator: "
    "`cluster-audit crd | kubectl apply --server-side --force-conflicts -f -`"
)


def _verdicts(
    result: AuditResult,
    catalogue: Catalogue,
    view: View,
    entries: Sequence[Entry],
    kept: Sequence[Entry],
    inputs: Sequence[StatusInput],
) -> dict[str, Verdict]:
    behind = [
        f"{one.kind}: {one.reason}"
        for one in inputs
        if not one.synced and one.reason != "NotServed"
    ]
    unsure = [one.rule for one in result.tallies if one.outcome == "unknown" or one.unknown]
    dropped = len(entries) - len(kept)
    loops = {f"{loop.title()}Healthy": _loop(loop, result, catalogue, entries) for loop in LOOPS}
    return {
        "Ready": ("True", "Audited", "the cluster has been audited"),
        "SpecValid": _verdict(
            not view.problems,
            ("Valid", "all of the spec is in force"),
            ("Invalid", "; ".join(view.problems)),
        ),
        "SchemaCurrent": _verdict(
            view.schema_current,
            ("Current", "the installed CRD knows every field"),
            ("Outdated", _OUTDATED),
        ),
        "InputsSynced": _verdict(
            not behind,
            ("Synced", "every kind that is served is known in full"),
            ("Behind", ", ".join(behind)),
        ),
        "Complete": _verdict(
            not unsure,
            ("AllTold", "every rule can tell of all of its subjects"),
            ("SomeUnknown", f"status.unknown says why {', '.join(unsure)} cannot tell"),
        ),
        "Truncated": ("True", "Dropped", f"{count(dropped, 'finding')} not listed")
        if dropped
        else ("False", "AllListed", "every finding is listed"),
        **loops,
    }


def _verdict(holds: object, yes: tuple[str, str], no: tuple[str, str]) -> Verdict:
    reason, message = yes if holds else no
    return ("True" if holds else "False", reason, sentence(message, _MESSAGE))


def _loop(
    loop: str, result: AuditResult, catalogue: Catalogue, entries: Iterable[Entry]
) -> Verdict:
    codes = {rule.code for rule in catalogue if rule.loop == loop}
    bad = [e for e in entries if e.rule in codes and e.severity.rank <= _HEALTHY_BELOW]
    if bad:
        return ("False", "Found", f"{count(len(bad), 'finding')} of medium severity or worse")
    outcomes = {tally.outcome for tally in result.tallies if tally.rule in codes}
    if not outcomes:
        return ("Unknown", "NoRules", "no rule asks about it")
    if outcomes & {"unknown", "error"}:
        return ("Unknown", "SomeUnknown", "status.unknown says what cannot be told, and why")
    return ("True", "NothingFound", "nothing of medium severity or worse")


def _conditions(
    result: AuditResult, view: View, verdicts: Mapping[str, Verdict]
) -> list[Condition]:
    """Conditions with the time of their last change of status."""
    before = view.before or {}
    made = []
    for kind, (word, reason, message) in verdicts.items():
        old = before.get(kind)
        same = old is not None and old.status == word
        made.append(
            Condition(
                type=kind,
                status=word,
                reason=reason,
                message=message,
                last_transition_time=old.last_transition_time
                if old and same
                else rfc3339(result.now),
                observed_generation=view.generation,
            )
        )
    return made
