"""The audit: changes in, an immutable result out; cost follows the change, not the cluster."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from clusteraudit.audit.ledger import Entry, Ledger, Transition
from clusteraudit.audit.rehearsal import Rehearsal, Rehearsed
from clusteraudit.audit.run import CLEAR, CLUSTER, Gaps, Outcome, ask, gaps
from clusteraudit.audit.system import SYSTEM_NAMESPACES, is_system
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS, SUBJECTS, ref
from clusteraudit.model.rows import Ref
from clusteraudit.model.store import Change, Evidence, Store, Touched, order_of
from clusteraudit.rules.catalogue import Catalogue
from clusteraudit.rules.kit import Rule, Settings
from clusteraudit.simulate.capacity import Whole, whole

Word = Literal["found", "error", "unknown", "clear", "notApplicable"]
_MAX_REASONS = 5
_CAPACITY = "capacity"


class Tally(msgspec.Struct, frozen=True, gc=False):
    """A rule's outcomes over its subjects; `outcome` is the gravest that occurs."""

    rule: str
    outcome: Word
    subjects: int
    found: int
    unknown: int
    error: int
    reasons: tuple[str, ...]


class AuditResult(msgspec.Struct, frozen=True, gc=False):
    """What an audit says, at a moment; nobody changes it."""

    now: int
    entries: tuple[Entry, ...]
    tallies: tuple[Tally, ...]
    transitions: tuple[Transition, ...]
    asked: int
    counts: tuple[tuple[str, int], ...]
    """Objects held, by kind."""
    evidence: tuple[tuple[str, Evidence], ...]
    capacity: Whole | None
    """None unless all nodes and pods are known."""
    drills: Rehearsed | None
    """None until every node and zone was lost once; only the operator goes on to do that."""
    errors: tuple[tuple[str, int], ...]
    """How often each rule failed since the audit began."""
    wake: int | None
    """When an answer can change though no object does."""


class Audit:
    """Holds the model and asks again what a change can change. One thread owns it."""

    def __init__(
        self,
        catalogue: Catalogue,
        now: int,
        *,
        settings: Mapping[str, Settings] | None = None,
        first_seen: Mapping[str, int] | None = None,
        system: tuple[str, ...] = SYSTEM_NAMESPACES,
    ) -> None:
        self.store = Store()
        self.cluster = Cluster(self.store, now)
        self.ledger = Ledger(first_seen or {})
        self.rehearsal = Rehearsal(self.cluster)
        self._now = now
        self._outcomes: dict[str, dict[Ref, Outcome]] = {}
        self._tallies: dict[str, Tally] = {}
        """Of rules of which no outcome has changed since."""
        self._entries: tuple[Entry, ...] | None = None
        """Open findings in their order; None where one of them may have changed since."""
        self._catalogue = Catalogue(())
        self._errors: Counter[str] = Counter()
        self.retune(catalogue, settings or {}, system)

    def step(
        self,
        changes: Iterable[Change] = (),
        *,
        evidence: Mapping[str, Evidence] | None = None,
        now: int,
        settled: bool = False,
    ) -> AuditResult:
        """Make the changes, and ask again whom they can concern.

        `settled` once every kind has answered: what was open in an earlier life is then judged.
        """
        self._now = max(self._now, now)
        self.cluster.at(self._now)
        touched = self.store.apply(changes, self.cluster.recorder.openers)
        touched.cells |= self.store.learn(evidence or {}).cells
        self.rehearsal.touched(touched.cells)
        openers = self._openers(touched)
        del touched  # of a whole cluster it is large, and the answers need the room
        for opener in openers:
            self._ask_again(opener)
        if settled:
            self.ledger.settle(self._cannot_tell)
        result = self._result(len(openers))
        self.cluster.recorder.sweep()
        self.cluster.recorder.tighten()
        self.store.tighten()
        return result

    def adopt(
        self, first_seen: Mapping[str, int], open_then: Iterable[Entry], now: int
    ) -> AuditResult:
        """Go on from what another one published of this cluster; every kind has answered."""
        self.ledger.adopt(first_seen, open_then)
        self._entries = None
        return self.step(now=now, settled=True)

    def absorb(
        self, changes: Iterable[Change] = (), *, evidence: Mapping[str, Evidence] | None = None
    ) -> None:
        """Make the changes and ask nobody: before the first step, which asks everybody."""
        self.store.apply(changes, ())
        self.store.learn(evidence or {})

    def retune(
        self, catalogue: Catalogue, settings: Mapping[str, Settings], system: tuple[str, ...]
    ) -> None:
        """From the next step on ask these rules, of everything; findings of others close."""
        for rule in self._catalogue:
            if catalogue.get(rule.code) is None:
                for subject in list(self._outcomes[rule.code]):
                    self._note(rule, subject, CLEAR)
                self.cluster.recorder.forget(rule.code)
        self._catalogue = catalogue
        self._settings = dict(settings)
        self._system = system
        self._outcomes = {rule.code: self._outcomes.get(rule.code, {}) for rule in catalogue}
        self._local = {
            kind: [rule for rule in catalogue if rule.local and rule.subject == kind]
            for kind in ("Workload", *SUBJECTS)
        }
        self._needs = {
            kind: tuple(rule.needs for rule in rules) for kind, rules in self._local.items()
        }
        self._whole = {rule.code: rule for rule in catalogue if not rule.local}
        self._never_asked = True

    def _openers(self, touched: Touched) -> list[Ref | str]:
        recorder = self.cluster.recorder
        dirty = recorder.dirty(touched.cells) | self.cluster.deadlines.due(self._now)
        for subject in touched.gone:
            self._drop(subject)
        subjects = {one for one in dirty if isinstance(one, Ref)} - touched.gone
        subjects |= {one for one in touched.born if self._local.get(subject_kind(one))}
        whole = {one for one in dirty if isinstance(one, str) and one in self._whole}
        if self._never_asked:
            self._never_asked = False
            asked = (kind for kind, rules in self._local.items() if rules)
            subjects |= {one for kind in asked for one in self.store.subjects(kind)}
            whole |= self._whole.keys()
        return [*in_order(subjects), *sorted(whole)]

    def _ask_again(self, opener: Ref | str) -> None:
        recorder = self.cluster.recorder
        self.cluster.deadlines.forget(opener)
        recorder.begin(opener)
        try:
            if isinstance(opener, str):
                self._ask(self._whole[opener], CLUSTER, None)
            else:
                self._ask_all(opener)
        finally:
            recorder.end()

    def _ask_all(self, subject: Ref) -> None:
        kind = subject_kind(subject)
        rules = self._local.get(kind)
        if rules:
            lacking = gaps(self.cluster, self._needs[kind])
            for rule, lacks in zip(rules, lacking, strict=True):
                self._ask(rule, subject, lacks)

    def _ask(self, rule: Rule, subject: Ref, lacks: Gaps | None) -> None:
        where = subject.name if subject.kind == "Namespace" else subject.namespace
        silent = rule.hygiene and is_system(where, self._system)
        outcome = CLEAR if silent else ask(rule, subject, self.cluster, self._settings, lacks)
        self._note(rule, subject, outcome)

    def _note(self, rule: Rule, subject: Ref, outcome: Outcome) -> None:
        """Only what is not clear is kept: at 150,000 pods nearly all is."""
        held = self._outcomes[rule.code]
        if outcome != held.get(subject, CLEAR):
            self._tallies.pop(rule.code, None)
            if outcome == CLEAR:
                del held[subject]
            else:
                held[subject] = outcome
        self._errors[rule.code] += bool(outcome.error)
        self.ledger.enter(rule, subject, outcome, self._now)

    def _cannot_tell(self, entry: Entry) -> bool:
        """Whether its rule cannot be asked of it, or answered unknown or with an error."""
        rule = self._catalogue.get(entry.rule)
        if rule is None:
            return False
        subject = entry.finding.subject if rule.local else CLUSTER
        outcome = self._outcomes[rule.code].get(subject, CLEAR)
        asked = all(self.cluster.complete(kind) for kind in rule.reads)
        return not asked or outcome.leaves_open(subject, entry.finding)

    def child_of(self, owner: Ref) -> Ref | None:
        """An object that it owns, the first by name; for owners of kinds that are not read."""
        children = self.store.buckets["children"].get(owner)
        return ref(*order_of(children[0])) if children else None

    def _drop(self, subject: Ref) -> None:
        self.cluster.recorder.forget(subject)
        self.cluster.deadlines.forget(subject)
        for rule in self._local.get(subject_kind(subject), ()):
            self._note(rule, subject, CLEAR)

    def _result(self, asked: int) -> AuditResult:
        counts = ((kind, len(self.store.tables[kind])) for kind in KINDS)
        transitions = self.ledger.transitions()
        if transitions or self._entries is None:
            self._entries = tuple(sorted(self.ledger.entries.values(), key=order))
        return AuditResult(
            now=self._now,
            entries=self._entries,
            tallies=tuple(self._tally(rule) for rule in self._catalogue),
            transitions=transitions,
            asked=asked,
            counts=tuple((kind, number) for kind, number in counts if number),
            evidence=tuple(sorted(self.store.evidence.items())),
            capacity=self._capacity(),
            drills=self.rehearsal.last,
            errors=tuple((rule.code, self._errors[rule.code]) for rule in self._catalogue),
            wake=self.cluster.deadlines.next(),
        )

    def _capacity(self) -> Whole | None:
        """Made anew only when what it was made of has changed."""
        self.cluster.recorder.begin(_CAPACITY)
        try:
            return whole(self.cluster)
        finally:
            self.cluster.recorder.end()

    def _tally(self, rule: Rule) -> Tally:
        subjects = _number(self.store, rule.subject) if rule.local else 1
        known = self._tallies.get(rule.code)
        if known is None or known.subjects != subjects or not subjects:
            known = self._tallies[rule.code] = self._counted(rule, subjects)
        return known

    def _counted(self, rule: Rule, subjects: int) -> Tally:
        outcomes = self._outcomes[rule.code].values()
        reasons = Counter(reason for one in outcomes for reason in _reasons(one))
        found = sum(bool(one.found) for one in outcomes)
        error = sum(bool(one.error) for one in outcomes)
        unknown = sum(bool(one.unknown) and not one.found for one in outcomes)
        word: Word = "found" if found else "error" if error else "unknown" if unknown else "clear"
        if not subjects:
            word, reasons = self._of_nobody(rule)
        common = tuple(reason for reason, _ in sorted(reasons.items(), key=lambda o: (-o[1], o[0])))
        return Tally(rule.code, word, subjects, found, unknown, error, common[:_MAX_REASONS])

    def _of_nobody(self, rule: Rule) -> tuple[Word, Counter[str]]:
        """Without subjects the question does not arise, unless they are only not known."""
        kinds = rule.reads if rule.subject == "Workload" else (rule.subject,)
        unread = [kind for kind in kinds if not self.cluster.complete(kind)]
        if unread:
            states = ((kind, self.cluster.evidence(kind)) for kind in unread)
            return "unknown", Counter(f"{kind}: {_why(one)}" for kind, one in states)
        return "notApplicable", Counter()


def _why(evidence: Evidence) -> str:
    return evidence.reason if evidence.state == "none" else "Partial"


def _reasons(outcome: Outcome) -> tuple[str, ...]:
    return (*outcome.unknown, outcome.error) if outcome.error else outcome.unknown


def _number(store: Store, kind: str) -> int:
    return len(store.workloads) if kind == "Workload" else len(store.tables[kind])


def in_order(subjects: Iterable[Ref]) -> Iterator[Ref]:
    """As `sorted` gives them, a kind of a namespace at a time.

    To sort those of a whole cluster at once keeps all threads waiting: 57,000 for 130 ms.
    """
    together: dict[tuple[str, str, str], list[Ref]] = {}
    for one in subjects:
        together.setdefault((one.api_version, one.kind, one.namespace), []).append(one)
    for key in sorted(together):
        yield from sorted(together[key])


def subject_kind(subject: Ref) -> str:
    """The kind as which an object is asked; what is none of ours is the owner of pods."""
    own = subject.kind in SUBJECTS and subject == ref(subject.kind, *subject.key)
    return subject.kind if own else "Workload"


def order(entry: Entry) -> tuple[int, str, str, str, str, str]:
    """Worst first, then by rule, then by object."""
    subject = entry.finding.subject
    names = (subject.kind, subject.namespace, subject.name, entry.finding.key)
    return (entry.severity.rank, entry.rule, *names)
