"""What has changed since the last pulse: filled on the loop, handed to the audit as a whole."""

import asyncio
import time
from collections.abc import Iterator, Mapping

import structlog

from clusteraudit.model.kinds import KINDS, USAGE
from clusteraudit.model.printable import sentence
from clusteraudit.model.rows import Key, Row
from clusteraudit.model.store import COMPLETE, Change, Evidence
from clusteraudit.sources.feed import KindState

_log = structlog.get_logger(__name__)
_TOLD = 100
"""Objects that cannot be evaluated, at a time, up to which the log names them."""


Rows = Mapping[tuple[str, Key], Row | None]
"""Objects as they now are, by kind and key; None for what is gone."""


class Pending:
    """The sink of all informers: the last row of each object, and what is known of each kind."""

    def __init__(self) -> None:
        self.states: dict[str, KindState] = {}
        self.skips: dict[tuple[str, Key], str] = {}
        self.namespaces: set[str] = set()
        self.changed = asyncio.Event()
        self.since = 0.0
        """When the first of the changes came, by the monotonic clock."""
        self.settled = asyncio.Event()
        """Every kind was listed once, or refused."""
        self._rows: dict[tuple[str, Key], Row | None] = {}
        self._evidence: dict[str, Evidence] = {kind: _waiting() for kind in KINDS}
        self._stale: dict[str, int] = {}

    def wake(self) -> None:
        """Something is to be audited."""
        if not self.changed.is_set():
            self.since = time.monotonic()
            self.changed.set()

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        """An object as it is now; None when it is gone."""
        self._rows[kind, key] = row
        self.skips.pop((kind, key), None)
        if kind == "Namespace":
            (self.namespaces.discard if row is None else self.namespaces.add)(key[1])
        self.wake()

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        """An object that cannot be evaluated: counted, and the first of them told."""
        key, why = (kind, (namespace, name)), sentence(f"{reason}: {message}")
        if self.skips.get(key) != why and len(self.skips) < _TOLD:
            named = {"kind": kind, "namespace": namespace, "name": name}
            _log.warning("an object cannot be evaluated", **named, why=why)
        self.skips[key] = why

    def state(self, kind: str, state: KindState) -> None:
        """What is known of a kind has changed; a refusal, and its end, is told."""
        refused = self.states.get(kind, KindState()).forbidden
        self.states[kind] = state
        if state.forbidden and not refused:
            _log.warning("a kind may not be read", kind=kind, why=state.reason)
        elif refused and state.synced and state.served:
            _log.info("a kind may be read again", kind=kind)
        self._learn(kind)

    def heard(self, kind: str, *, stale: bool, silent: float) -> None:
        """Whether a kind was heard of lately, or not for so many seconds.

        What is stale is not known any more: since it was heard of last.
        """
        if stale and kind not in self._stale:
            self._stale[kind] = int(time.time() - silent)
        elif stale or not self._stale.pop(kind, 0):
            return
        self._learn(kind)

    def _learn(self, kind: str) -> None:
        evidence = self._judge(kind, self.states.get(kind, KindState()))
        self._evidence[kind] = evidence
        self.wake()
        if self.answered:
            self.settled.set()

    def _judge(self, kind: str, state: KindState) -> Evidence:
        if state.forbidden:
            return Evidence("none", "Forbidden", state.since)
        if not state.served:
            reason = state.reason or "NotServed"
            return Evidence("none", reason, state.since) if kind in USAGE else COMPLETE
        if not state.synced:
            return Evidence("none", "NotSynced", state.since or None)
        if kind in self._stale:
            return Evidence("none", "Stale", self._stale[kind])
        return COMPLETE

    @property
    def answered(self) -> bool:
        """Whether every kind was listed once, or refused."""
        return all(
            state.synced or state.forbidden or not state.served
            for kind in KINDS
            for state in (self.states.get(kind, KindState()),)
        )

    def take(self) -> tuple[Rows, dict[str, Evidence]]:
        """Hand out what has gathered, and begin anew."""
        rows, self._rows = self._rows, {}
        evidence, self._evidence = self._evidence, {}
        self.changed.clear()
        return rows, evidence


def changes(rows: Rows) -> Iterator[Change]:
    """What has gathered, as the audit takes it; off the loop, since it may be a whole cluster.

    What comes before what goes: labels that a pod takes over were not gone in between.
    """
    for gone in (False, True):
        there = (item for item in rows.items() if (item[1] is None) is gone)
        yield from (Change(kind, key, row) for (kind, key), row in there)


def _waiting() -> Evidence:
    return Evidence("none", "NotSynced")
