"""The ledger: which findings are open, since when, and what became of them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from clusteraudit.audit.run import Outcome
from clusteraudit.model.rows import Ref
from clusteraudit.rules.kit import Finding, Rule, Severity


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An open finding. `stale`: its rule cannot tell any more, so it is neither held nor denied."""

    rule: str
    finding: Finding
    severity: Severity
    message: str
    remedy: str
    fingerprint: str
    since: int
    stale: bool = False


class Transition(msgspec.Struct, frozen=True, gc=False):
    """A finding that opened (no `before`), changed, or closed (no `after`)."""

    before: Entry | None
    after: Entry | None


def fingerprint(code: str, finding: Finding) -> str:
    """16 hexadecimal digits; the same over restarts, re-creation, versions and clusters."""
    subject = finding.subject
    parts = (code, subject.group, subject.kind, subject.namespace, subject.name, finding.key)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


class Ledger:
    """Open findings by who was asked (rule, subject asked), and by fingerprint."""

    def __init__(self, first_seen: Mapping[str, int]) -> None:
        self.entries: dict[str, Entry] = {}
        self._of: dict[tuple[str, Ref], tuple[str, ...]] = {}
        self._first_seen = dict(first_seen)
        self._earlier: dict[str, Entry] = {}
        self._transitions: list[Transition] = []

    def enter(self, rule: Rule, asked: Ref, outcome: Outcome, now: int) -> None:
        """Take over what a rule said of a subject."""
        if not outcome.found and (rule.code, asked) not in self._of:
            return
        fresh = {fingerprint(rule.code, one): one for one in outcome.found}
        kept = []
        for mark in self._of.pop((rule.code, asked), ()):
            if mark in fresh:
                continue
            entry = self.entries[mark]
            stale = outcome.leaves_open(asked, entry.finding)
            self._set(mark, msgspec.structs.replace(entry, stale=True) if stale else None)
            kept += [mark] if stale else []
        for mark, one in fresh.items():
            self._set(mark, self._entry(rule, one, mark, now))
        if fresh or kept:
            self._of[rule.code, asked] = (*fresh, *kept)

    def transitions(self) -> tuple[Transition, ...]:
        """What changed since this was last asked."""
        made, self._transitions = tuple(self._transitions), []
        return made

    def remember(self, first_seen: Mapping[str, int], open_then: Iterable[Entry] = ()) -> None:
        """Take over since when findings of an earlier life are open, and what is known of them."""
        self._first_seen |= first_seen
        self._earlier |= {one.fingerprint: one for one in open_then}

    def adopt(self, first_seen: Mapping[str, int], open_then: Iterable[Entry]) -> None:
        """Take over from somebody else who has audited the same cluster: what that one saw counts.

        What is open here was first seen when that one says; what only that one holds is for
        `settle` to judge.
        """
        for known in (self.entries, self._earlier):
            for mark in first_seen.keys() & known.keys():
                known[mark] = msgspec.structs.replace(known[mark], since=first_seen[mark])
        others = (one for one in open_then if one.fingerprint not in self.entries)
        self._earlier |= {one.fingerprint: one for one in others}

    def settle(self, cannot_tell: Callable[[Entry], bool]) -> None:
        """All evidence is in: findings of an earlier life that were not seen again are over.

        Those whose rule cannot tell stay open, stale, until it can: nothing was denied.
        """
        self._first_seen.clear()
        for mark, earlier in list(self._earlier.items()):
            if cannot_tell(earlier):
                self._set(mark, msgspec.structs.replace(earlier, stale=True))
            else:
                del self._earlier[mark]
                self._set(mark, None)

    def _entry(self, rule: Rule, finding: Finding, mark: str, now: int) -> Entry:
        earlier = self._earlier.pop(mark, None)
        known = self.entries.get(mark) or earlier
        return Entry(
            rule=rule.code,
            finding=finding,
            severity=rule.severity_of(finding),
            message=rule.say(finding),
            remedy=rule.advise(finding),
            fingerprint=mark,
            since=known.since if known else self._first_seen.pop(mark, now),
        )

    def _set(self, mark: str, entry: Entry | None) -> None:
        before = self.entries.get(mark)
        if entry == before:
            return
        if entry is None:
            del self.entries[mark]
        else:
            self.entries[mark] = entry
        self._transitions.append(Transition(before, entry))
