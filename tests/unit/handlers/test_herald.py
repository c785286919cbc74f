"""The protocol of status and Events, crash by crash: none is lost, none is twice.

The server is a small one in memory with the rules that the protocol rests on: a write over an old
resourceVersion is refused, an Event of the same name is refused. A crash is tried before and after
each write of a whole story.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import msgspec
import pytest

from clusteraudit.audit.audit import Audit, AuditResult
from clusteraudit.handlers import herald as module
from clusteraudit.handlers import publisher
from clusteraudit.handlers.herald import ATTEMPTS, BURST, Herald
from clusteraudit.handlers.publisher import Publisher
from clusteraudit.handlers.reports import Reports, Seen
from clusteraudit.kube.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnreachableError,
)
from clusteraudit.kube.lease import Leader
from clusteraudit.model import build
from clusteraudit.model.build import NOW
from clusteraudit.model.rows import Ref
from clusteraudit.publish.recorder import Dropped, Recorder
from clusteraudit.report.resource import MAX_EVENTS, Spec, Status
from clusteraudit.report.status import status
from clusteraudit.report.tuning import Tuned, tune
from clusteraudit.rules.catalogue import Catalogue, catalogue
from clusteraudit.rules.kit import ACTIONS
from support.clusters import EVERYTHING, changes_of

T = TypeVar("T")
RULE = next(one for one in catalogue() if one.name == "budget-blocks-drain")
RULES = Catalogue([RULE])
REPORT = "/apis/clusteraudit.io/v1alpha1/clusterauditreports/cluster"


class Crash(BaseException):
    """The process is gone; nothing of it runs on, not even what handles errors."""


class Api:
    """What is stored, and the faults that are asked for."""

    def __init__(self) -> None:
        self.report: dict[str, Any] = {"metadata": {"uid": "r-1", "resourceVersion": "1"}}
        self.statuses: list[dict[str, Any]] = []
        self.events: dict[str, dict[str, Any]] = {}
        self.version = 1
        self.writes = 0
        self.crash: tuple[int, bool] | None = None
        """At which write, and whether before it is done."""
        self.answers: list[Exception] = []
        """What the next POSTs of Events meet."""

    async def get(self, path: str, shape: type[T], *_: Any, **__: Any) -> T:
        if path == REPORT:
            return msgspec.json.decode(json.dumps(self.report), type=shape)
        name = path.rpartition("/")[2]
        if "/events/" in path:
            if name not in self.events:
                raise NotFoundError(404, path)
            return msgspec.convert(self.events[name], shape)
        return msgspec.convert({"items": [{"metadata": {"uid": "u-1"}}]}, shape)

    async def send(self, verb: str, path: str, *, body: bytes, **_: Any) -> bytes:
        await asyncio.sleep(0)
        self.writes += 1
        self._crash(before=True)
        try:
            return self._write(verb, path, json.loads(body))
        finally:  # after a refusal too
            self._crash(before=False)

    def _crash(self, *, before: bool) -> None:
        if self.crash == (self.writes, before):
            raise Crash

    def _write(self, verb: str, path: str, body: dict[str, Any]) -> bytes:
        if path.startswith(REPORT):
            return self._status(body)
        name = path.rpartition("/")[2]
        if verb == "POST":
            if self.answers:
                raise self.answers.pop(0)
            name = body["metadata"]["name"]
            if name in self.events:
                raise ConflictError(409, name)
            self.events[name] = {**body, "metadata": {"resourceVersion": self._next()}}
            return b"{}"
        there = self.events[name]
        if there["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ConflictError(409, name)
        assert set(body) == {"metadata", "series"}
        self.events[name] = {
            **there,
            "series": body["series"],
            "metadata": {"resourceVersion": self._next()},
        }
        return b"{}"

    def _status(self, body: dict[str, Any]) -> bytes:
        if body["metadata"]["resourceVersion"] != self.report["metadata"]["resourceVersion"]:
            raise ConflictError(409, "the object has been modified")
        self.report = {
            "metadata": {**self.report["metadata"], "resourceVersion": self._next()},
            "status": body["status"],
        }
        self.statuses.append(body["status"])
        return json.dumps(self.report).encode()

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    def counts(self) -> Counter[str]:
        """How often each Event of a finding occurred."""
        return Counter(
            {
                name: one.get("series", {}).get("count", 1)
                for name, one in self.events.items()
                if one["action"] in ACTIONS.values()
            }
        )

    def called_for(self) -> Counter[str]:
        """What follows from the statuses that were accepted, one after the other."""
        names = []
        for before, after in pairwise(self.statuses):
            old, new = ({one["fingerprint"] for one in o["findings"]} for o in (before, after))
            names += [f"{mark}.opened" for mark in new - old]
            names += [f"{mark}.resolved" for mark in old - new]
        return Counter(names)


class Engine:
    catalogue = RULES
    result: AuditResult

    async def adopt(self, *_: object) -> AuditResult:
        return self.result

    def tune(self, spec: Spec) -> Tuned:
        return tune(RULES, spec.rules)


class Elected:
    """Whether a life leads: as a test says, and after a refused write as the Lease says."""

    def __init__(self, *, held: bool) -> None:
        self.term = int(held)
        self.held = held
        self.in_truth = held

    def gain(self) -> None:
        self.term += 1
        self.held = self.in_truth = True

    async def confirm(self) -> bool:
        self.held = self.in_truth
        return self.held


class Life:
    """One life of the operator's publishing side."""

    def __init__(
        self,
        api: Api,
        clock: Callable[[], float] = lambda: 0.0,
        leader: Leader | None = None,
    ) -> None:
        async def child_of(_: Ref) -> None:
            return None

        session: Any = api
        engine: Any = Engine()
        self.herald = Herald(session, Recorder(session, child_of), clock, leader)
        self.reports = Reports("cluster", engine)
        self.reports.see(Seen("cluster", "r-1", 1, "1", {}))
        self.publisher = Publisher(session, self.reports, engine, self.herald, leader)

    async def publish(self, result: AuditResult) -> None:
        self.publisher.result = result
        await self.publisher._publish(self.reports.known["cluster"], result)

    async def due(self, result: AuditResult) -> None:
        """As `publish`, whoever leads."""
        self.publisher.result = self.publisher._engine.result = result  # type: ignore[attr-defined]
        await self.publisher._publish_due()

    async def send(self) -> None:
        while self.herald._due:
            await self.herald._next()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "backoff", lambda *_: 0.0)


def locked(*names: str) -> list[build.Manifest]:
    return [build.budget(name, maxUnavailable=0) for name in names]


def loose(*names: str) -> list[build.Manifest]:
    return [build.budget(name, maxUnavailable=1) for name in names]


def results(steps: list[list[build.Manifest]], apps: tuple[str, ...]) -> list[AuditResult]:
    """What the audit says after each step, ten seconds apart."""
    pods = [one for app in apps for one in build.pods_of(app, on="node-a")]
    audit = Audit(RULES, NOW)
    audit.step(changes_of([build.node("node-a"), *pods]), evidence=EVERYTHING, now=NOW)
    return [audit.step(changes_of(each), now=NOW + 10 * i) for i, each in enumerate(steps, 1)]


STORY = results(
    [loose("a", "b"), locked("a"), locked("b"), loose("a"), locked("a"), loose("a", "b"), []],
    ("a", "b"),
)


async def tell(api: Api, story: list[AuditResult]) -> int:
    """Publish and send the story, with a new life after each crash; how many crashes there were."""
    life, crashes = Life(api), 0
    for result in story:
        for done in (False, True):
            try:
                await life.publish(result)
                await life.send()
                break
            except Crash:
                assert not done
                life, crashes = Life(api), crashes + 1
    for _ in range(2):
        await life.publish(story[-1])
        await life.send()
    return crashes


async def test_the_story_without_a_crash() -> None:
    api = Api()
    await tell(api, STORY)
    mark = STORY[1].entries[0].fingerprint

    assert api.counts() == api.called_for()
    assert api.counts()[f"{mark}.opened"] == 2
    assert api.counts()[f"{mark}.resolved"] == 2
    assert api.report["status"]["events"] == []


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_crash_at_any_write_loses_nothing_and_doubles_nothing(*, before: bool) -> None:
    whole = Api()
    await tell(whole, STORY)
    for write in range(1, whole.writes + 1):
        api = Api()
        api.crash = (write, before)
        assert await tell(api, STORY) == 1, write
        assert api.counts() == api.called_for() == whole.counts(), write
        assert api.report["status"]["events"] == [], write


async def test_when_all_is_sent_the_status_is_looked_at_again() -> None:
    """An Event that was late would else stand in the status until something else is to be said."""
    api = Api()
    life = Life(api)
    for result in STORY[:2]:
        await life.publish(result)
    assert api.report["status"]["events"]
    life.publisher._news.clear()
    await life.send()

    assert life.publisher._news.is_set()
    await life.due(STORY[1])
    life.publisher._last["cluster"] = replace(life.publisher._last["cluster"], at=-1e9)
    await life.due(STORY[1])
    assert api.report["status"]["events"] == []


@pytest.mark.parametrize("listed", [False, True])
async def test_what_a_hand_writes_into_a_status_is_written_over(listed: bool) -> None:
    """Also if nobody was watching then, and it is found in a list."""
    api = Api()
    life = Life(api)
    for result in STORY[:2]:
        await life.due(result)
        life.publisher._last.clear()
        await life.due(result)
        await life.send()
    said, sent = api.report["status"], api.counts()
    api.report["status"] = {**said, "findings": [], "chains": []}
    api.report["metadata"]["resourceVersion"] = api._next()
    if listed:
        life.reports.see(Seen("cluster", "r-1", 1, str(api.version), {}))
    life.publisher.touched("cluster", str(api.version))
    for _ in range(3):
        await life.due(STORY[1])

    assert api.report["status"]["findings"] == said["findings"]
    await life.send()
    assert api.counts() == sent


async def test_our_own_writes_and_those_beside_the_status_are_no_hand_s() -> None:
    api = Api()
    life = Life(api)
    await life.due(STORY[0])
    written = api.writes
    life.publisher.touched("cluster", str(api.version))
    await life.due(STORY[0])
    api.report["metadata"]["resourceVersion"] = api._next()
    life.publisher.touched("cluster", str(api.version))
    await life.due(STORY[0])

    assert api.writes == written


async def test_audits_that_say_nothing_new_are_not_made_into_statuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At 150,000 pods that took a quarter of what the loop took."""
    made: list[AuditResult] = []

    def counted(result: AuditResult, *rest: Any) -> Status:
        made.append(result)
        return status(result, *rest)

    monkeypatch.setattr(publisher, "status", counted)
    api = Api()
    life = Life(api)
    again = [msgspec.structs.replace(STORY[1], now=STORY[1].now + 10 * i) for i in range(4)]
    for result in STORY[:2]:
        await life.publish(result)
    await life.send()
    for result in again[:2]:  # of what was called for is told that it was sent; then nothing is new
        await life.publish(result)
    written, known = api.writes, len(made)

    for result in again[2:]:
        await life.publish(result)
    assert (api.writes, len(made)) == (written, known)

    await life.publish(STORY[2])
    assert api.writes == written + 1
    assert [one["name"] for one in api.report["status"]["events"]]


async def test_what_is_not_new_is_written_as_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = Api()
    life = Life(api)
    for _ in range(3):
        await life.publish(STORY[0])
    written = api.writes
    monkeypatch.setattr(publisher, "HEARTBEAT", 0.0)
    await life.publish(STORY[0])
    assert api.writes == written + 1


async def test_a_crash_at_any_two_writes_too() -> None:
    whole = Api()
    await tell(whole, STORY)
    for first in range(1, whole.writes, 2):
        for second in range(first + 1, whole.writes, 3):
            api = Api()
            api.crash = (first, False)
            life = Life(api)
            index = 0
            while index < len(STORY):
                try:
                    await life.publish(STORY[index])
                    await life.send()
                except Crash:
                    api.crash = (second, True)
                    life = Life(api)
                else:
                    index += 1
            await life.publish(STORY[-1])
            await life.send()
            assert api.counts() == api.called_for() == whole.counts(), (first, second)


async def test_what_closed_between_two_lives_is_resolved() -> None:
    api = Api()
    life = Life(api)
    for result in STORY[:2]:
        await life.publish(result)
        await life.send()
    later = Life(api)
    await later.publish(STORY[-1])
    await later.send()

    assert set(api.counts()) == {
        f"{STORY[1].entries[0].fingerprint}.{turn}" for turn in ("opened", "resolved")
    }


@pytest.mark.parametrize("seed", range(20))
async def test_two_at_once_are_one(seed: int) -> None:
    """Each with results of its own pace; who is too late reads again."""
    api = Api()
    one, other = Life(api), Life(api)
    await one.publish(STORY[0])
    pace = [(seed >> bit) & 1 for bit in range(5)]
    for index, result in enumerate(STORY[1:]):
        lives = [one, other] if pace[index % 5] else [other, one]
        await asyncio.gather(*(life.publish(result) for life in lives))
        await asyncio.gather(*(life.send() for life in lives))
    for life in (one, other, one):
        await life.publish(STORY[-1])
        await life.publish(STORY[-1])
        await life.send()

    assert api.counts() == api.called_for()
    assert api.report["status"]["events"] == []


async def test_who_was_overtaken_does_not_trust_a_version_that_it_has_not_read() -> None:
    """Kopf tells of a new version with a spec; what the status said meanwhile it does not tell."""
    api = Api()
    one, other = Life(api), Life(api)
    await one.publish(STORY[0])
    await other.publish(STORY[1])
    await other.send()
    version = api.report["metadata"]["resourceVersion"]
    one.reports.see(Seen("cluster", "r-1", 2, version, {}))
    later = msgspec.structs.replace(STORY[1], now=STORY[1].now + 60)
    for _ in range(3):
        await one.publish(later)
        await one.send()

    assert set(api.counts().values()) == {1}
    assert api.counts() == api.called_for()


async def test_who_does_not_lead_writes_nothing_and_who_begins_to_goes_on() -> None:
    api = Api()
    first, second = Elected(held=True), Elected(held=False)
    one, other = Life(api, leader=first), Life(api, leader=second)
    await one.publish(STORY[0])
    await one.publish(STORY[1])
    await one.send()
    before = (api.writes, api.counts())
    await other.due(STORY[1])
    assert (api.writes, api.counts()) == before

    second.gain()
    await other.due(STORY[1])
    assert len(api.statuses) == 3, "it writes, though it says nothing new"
    await other.send()
    assert api.counts() == before[1]


async def test_who_does_not_know_that_it_was_followed_is_refused_and_asks() -> None:
    """A status on its way while another takes over: it meets a conflict, and is not repeated."""
    api = Api()
    first, second = Elected(held=True), Elected(held=False)
    one, other = Life(api, leader=first), Life(api, leader=second)
    await one.publish(STORY[0])
    first.in_truth = False
    second.gain()
    await other.due(STORY[1])
    written = len(api.statuses)
    await one.publish(STORY[2])
    assert (len(api.statuses), first.held) == (written, False)
    await one.publish(STORY[2])
    assert len(api.statuses) == written


async def test_a_view_is_not_written_over_another_leader_s() -> None:
    """A view calls for no Events, and is written again after a conflict: by who leads only."""
    api = Api()
    elected = Elected(held=True)
    life = Life(api, leader=elected)
    life.publisher._reports.main = "another"
    life.reports.see(Seen("cluster", "r-1", 1, "0", {}))  # a version that is not the last
    elected.in_truth = False
    await life.publish(STORY[0])
    assert api.statuses == []
    elected.gain()
    life.publisher._term = elected.term
    await life.publish(STORY[0])
    assert len(api.statuses) == 1


async def test_a_changed_spec_is_no_other_writer() -> None:
    api = Api()
    life = Life(api)
    await life.publish(STORY[0])
    api.report["metadata"]["resourceVersion"] = api._next()
    await life.publish(STORY[1])
    await life.send()

    assert len(api.statuses) == 2
    assert sum(api.counts().values()) == 1


async def test_what_is_over_the_rate_is_dropped_and_counted() -> None:
    apps = tuple(f"app-{number}" for number in range(BURST + 20))
    first, second, third = results([loose(*apps), locked(*apps), loose(*apps)], apps)
    api, now = Api(), [0.0]
    life = Life(api, lambda: now[0])
    await life.publish(first)
    await life.publish(second)
    await life.send()

    assert life.herald.dropped[Dropped.RATE] == len(second.entries) + 1 - BURST
    assert len(api.events) == BURST
    now[0] = 10
    await life.publish(third)
    await life.send()
    assert len(api.events) == BURST + 10


async def test_what_waits_is_bounded_while_no_event_can_be_sent() -> None:
    apps = tuple(f"app-{number}" for number in range(30))
    steps = [loose(*apps), *(locked(*apps) if i % 2 else loose(*apps) for i in range(1, 7))]
    api, now = Api(), [0.0]
    life = Life(api, lambda: now[0])
    for result in results(steps, apps):
        now[0] += 100
        await life.publish(result)

    assert life.herald.waiting == MAX_EVENTS
    assert len(api.report["status"]["events"]) == MAX_EVENTS
    assert life.herald.dropped[Dropped.RATE] > 100


async def test_a_server_that_refuses_for_now_is_asked_some_times() -> None:
    api = Api()
    life = Life(api)
    await life.publish(STORY[0])
    await life.publish(STORY[1])
    number = life.herald.waiting
    api.answers = [ApiError(503, "no")] * (ATTEMPTS * number - 1)
    await life.send()

    assert life.herald.dropped[Dropped.UNAVAILABLE] == number - 1
    assert len(api.events) == 1


async def test_what_happened_twice_meanwhile_is_counted_in_its_order() -> None:
    api = Api()
    life = Life(api)
    for result in STORY[:5]:
        await life.publish(result)
    api.answers = [ApiError(500, "no")]
    await life.send()
    mark = STORY[1].entries[0].fingerprint

    assert api.counts() == api.called_for()
    assert api.counts()[f"{mark}.opened"] == 2


async def test_one_that_is_refused_does_not_hold_up_the_others() -> None:
    api = Api()
    life = Life(api)
    await life.publish(STORY[0])
    await life.publish(STORY[1])
    assert life.herald.waiting > 1
    api.answers = [ForbiddenError(403, "n because it is being terminated")]
    await life.send()

    assert life.herald.dropped[Dropped.NAMESPACE] == 1
    assert api.events


async def test_a_server_that_is_away_is_waited_for() -> None:
    api = Api()
    life = Life(api)
    await life.publish(STORY[0])
    await life.publish(STORY[1])
    number = life.herald.waiting
    api.answers = [UnreachableError("away")] * 30
    await life.send()

    assert life.herald.dropped.total() == 0
    assert len(api.events) == number


async def test_without_a_ledger_the_first_audit_is_the_baseline() -> None:
    api = Api()
    life = Life(api)
    await life.publish(STORY[1])
    await life.send()

    assert api.events == {}
    again = Life(api)
    await again.publish(STORY[1])
    await again.send()
    assert api.events == {}


@pytest.mark.parametrize("field", [{"ledger": 7}, {"findings": [{"since": 7}]}, {"events": [1]}])
async def test_a_status_that_makes_no_sense_is_none(field: dict[str, Any]) -> None:
    api = Api()
    await Life(api).publish(STORY[0])
    api.report["status"] = {**api.report["status"], **field}
    life = Life(api)
    await life.publish(STORY[1])
    await life.send()

    assert len(api.statuses) == 2
    assert api.events == {}


async def test_the_main_report_says_of_whom_events_tell() -> None:
    api = Api()
    life = Life(api)
    await life.publish(STORY[0])
    life.reports.see(Seen("cluster", "r-1", 2, "1", {"namespaces": ["elsewhere"]}))
    await life.publish(STORY[1])
    await life.send()

    assert api.counts() == Counter()
