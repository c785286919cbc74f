"""The informer's contract, fault by fault: what the sink holds is what the server holds."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import pytest

from clusteraudit.handlers.pending import Pending
from clusteraudit.kube.session import Session
from clusteraudit.model.rows import Key, Row
from clusteraudit.sources import pauses, wire
from clusteraudit.sources.feed import KindState
from clusteraudit.sources.informer import Informer
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.resources import WATCHED, path, resource
from support.apiserver import (
    PROBE,
    Answer,
    Server,
    aborts,
    event,
    initial,
    lists,
    mark,
    page,
    pod,
    refuses,
    says,
    serving,
    streams,
)
from support.credentials import Credentials

PODS = "/api/v1/pods"
NOBODY = "http://127.0.0.1:1"


class Sink:
    def __init__(self) -> None:
        self.held: dict[str, Row] = {}
        self.skips: list[tuple[str, str]] = []
        self.states: list[KindState] = []

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        if row is None:
            self.held.pop(key[1], None)
        else:
            self.held[key[1]] = row

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        self.skips.append((name, reason))

    def state(self, kind: str, state: KindState) -> None:
        self.states.append(state)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "backoff", lambda *_: 0.01)
    monkeypatch.setattr(pauses, "_APART", 0.01)
    monkeypatch.setattr("clusteraudit.kube.gate.patience", lambda *_: 0.01)
    monkeypatch.setattr(pauses, "SLOW_RETRY", 0.02)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


@contextlib.asynccontextmanager
async def following(server: Server, silence: float = 5.0) -> AsyncIterator[tuple[Sink, Informer]]:
    sink = Sink()
    async with Session(Credentials(server.url)) as session:
        informer = Informer(session, resource("Pod"), sink, silence=silence)
        task = asyncio.create_task(informer.run())
        try:
            yield sink, informer
            assert not task.done()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0.005)


def names(sink: Sink) -> set[str]:
    return set(sink.held)


async def test_a_list_in_pages_and_the_watch_goes_on_from_its_version(server: Server) -> None:
    server.on(PODS, says(page(["a"], "more")), says(page(["b"])))
    server.on(PODS, streams(event("ADDED", pod("c")), then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: names(sink) == {"a", "b", "c"})
    assert informer.state.synced
    assert server.asked[0][1] == {"limit": "500"}
    assert server.asked[1][1]["continue"] == "more"
    assert server.asked[2][1]["resourceVersion"] == "5"
    assert 240 <= int(server.asked[2][1]["timeoutSeconds"]) <= 300


def expired(server: Server) -> None:
    """The second page was asked for too late."""
    server.on(PODS, says(page(["a", "old"], "more")), refuses(410))


async def test_after_a_page_that_expired_the_list_is_a_stream(server: Server) -> None:
    expired(server)
    server.on(PODS, streams(*initial("a", "b")), streams(event("ADDED", pod("c")), then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: names(sink) == {"a", "b", "c"})
    assert informer.state.relists == 0
    assert server.asked[2][1]["sendInitialEvents"] == "true"
    assert server.asked[3][1]["resourceVersion"] == "5"


async def test_a_stream_cut_before_its_mark_begins_anew(server: Server) -> None:
    expired(server)
    half = [event("ADDED", pod("a")), event("ADDED", pod("ghost"))]
    server.on(PODS, streams(*half), streams(*initial("a")), streams(then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: informer.state.synced)
        assert names(sink) == {"a"}


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_cannot_stream_lists_is_asked_for_pages_again(
    server: Server, status: int
) -> None:
    expired(server)
    server.on(PODS, refuses(status), lists("a"), streams(then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: informer.state.synced)
        assert names(sink) == {"a"}


async def test_a_watch_that_is_too_old_is_no_reason_to_stream(server: Server) -> None:
    server.on(PODS, lists("a"), refuses(410), lists("a"), streams(then="silence"))
    async with following(server):
        await until(lambda: len(server.asked) == 4)
    assert server.asked[2][1] == {"limit": "500"}


@pytest.mark.parametrize("code", [410, 500, 504, 0])
async def test_any_error_event_means_a_new_list_and_what_is_gone_is_gone(
    server: Server, code: int
) -> None:
    error = event("ERROR", {"code": code, "message": "too old"})
    server.on(
        PODS,
        lists("a", "b"),
        streams(error),
        lists("b"),
        streams(then="silence"),
    )
    async with following(server) as (sink, informer):
        await until(lambda: informer.state.relists == 1)
        assert names(sink) == {"b"}


async def test_a_watch_that_is_gone_means_a_new_list(server: Server) -> None:
    server.on(
        PODS,
        lists("a", "b"),
        refuses(410),
        lists("b"),
        streams(then="silence"),
    )
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"b"})


async def test_a_silent_watch_is_taken_up_where_it_stopped(server: Server) -> None:
    server.on(
        PODS,
        lists("a"),
        streams(event("ADDED", pod("b", 8)), then="silence"),
        streams(event("ADDED", pod("c", 9)), then="silence"),
    )
    async with following(server, silence=0.1) as (sink, _):
        await until(lambda: "c" in sink.held)
    assert server.asked[2][1]["resourceVersion"] == "8"


async def test_a_line_cut_in_the_middle_is_not_taken(server: Server) -> None:
    server.on(
        PODS,
        lists("a"),
        streams(event("ADDED", pod("b", 8)), b'{"type": "DELETED", "obj', then="abort"),
        streams(event("DELETED", pod("a", 9)), then="silence"),
    )
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"b"})


async def test_what_is_no_event_means_a_new_list(server: Server) -> None:
    server.on(
        PODS,
        lists("a"),
        streams(b"<html>\n"),
        lists("a", "b"),
        streams(then="silence"),
    )
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"a", "b"})


async def test_an_object_that_cannot_be_read_is_skipped_and_no_longer_held(server: Server) -> None:
    bad = pod("a", containers="none")
    worse = pod("c", containers=[{"name": "x", "resources": {"requests": {"cpu": "1K"}}}])
    server.on(
        PODS,
        lists("a", "b"),
        streams(
            event("MODIFIED", bad),
            event("ADDED", worse),
            event("DELETED", pod("never")),
            event("ADDED", pod("d")),
            then="silence",
        ),
    )
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"b", "d"})
    assert sink.skips == [("a", "InvalidObject"), ("c", "InvalidQuantity")]


@pytest.mark.parametrize("odd", ["abc", "", "1", 7, None, "9" * 30])
async def test_a_bookmark_of_an_odd_version_means_a_new_list(server: Server, odd: object) -> None:
    server.on(
        PODS,
        lists("a", "b"),
        streams(event("BOOKMARK", {"metadata": {"resourceVersion": odd}}), then="silence"),
        lists("b"),
        streams(then="silence"),
    )
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"b"})


async def test_an_event_that_comes_late_means_a_new_list(server: Server) -> None:
    late = [event("MODIFIED", pod("a", 9)), event("DELETED", pod("b", 8))]
    server.on(
        PODS,
        lists("a", "b"),
        streams(*late, then="silence"),
        lists("a"),
        streams(then="silence"),
    )
    async with following(server) as (sink, informer):
        await until(lambda: informer.state.relists == 1)
        assert names(sink) == {"a"}


async def test_an_event_that_comes_twice_changes_nothing(server: Server) -> None:
    twice = event("ADDED", pod("b", 8))
    server.on(PODS, lists("a"), streams(twice, twice, then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: names(sink) == {"a", "b"})
        assert informer.state.relists == 0


async def test_a_watch_of_which_nothing_is_heard_at_all_means_a_new_list(server: Server) -> None:
    """A server that was restored takes a version that it never gave, and is silent for ever."""
    server.on(
        PODS,
        lists("a", "ghost", version=10**6),
        streams(then="silence"),
        lists("a"),
        streams(mark(7), then="silence"),
    )
    async with following(server, silence=0.1) as (sink, _):
        await until(lambda: names(sink) == {"a"})


async def test_a_server_that_was_gone_is_listed_anew(server: Server) -> None:
    server.on(PROBE, aborts)
    server.on(PODS, lists("a", "ghost"), aborts, aborts, lists("a"))
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"a"})


async def test_who_waited_while_the_server_was_gone_lists_anew_too(server: Server) -> None:
    server.on(PODS, lists("a", "ghost"), streams(mark(7)), streams(mark(8)))
    server.on(PODS, lists("a"), streams(then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: informer.state.synced)
        informer._source._session.gate.outages += 1
        await until(lambda: names(sink) == {"a"})


async def test_a_version_that_the_server_goes_on_to_refuse_means_a_new_list(
    server: Server,
) -> None:
    no = refuses(500, "resourceVersion: Invalid value")
    server.on(PODS, lists("a", "b"), no, no, lists("b"))
    server.on(PODS, streams(then="silence"))
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"b"})


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "MODIFIED", "object": 7}\n',
        b'{"type": "MODIFIED", "object": {"metadata": 7}}\n',
        b'{"type": "ADDED", "object": {"metadata": {"name": "\xff"}}}\n',
        b'{"type": "ADDED", "object": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b'{"type": "WAT", "object": {"metadata": {"resourceVersion": "7"}}}\n',
        b'{"type": "\xff"}\n',
    ],
)
async def test_no_line_of_a_watch_ends_it(server: Server, line: bytes) -> None:
    server.on(
        PODS,
        lists("a", "b"),
        streams(line),
        lists("b"),
        streams(then="silence"),
    )
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"b"})


async def test_a_line_without_an_end_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_LONGEST_LINE", 10_000)
    server.on(PODS, lists("a", "b"), streams(b"x" * 20_000, then="silence"))
    server.on(PODS, lists("b"), streams(then="silence"))
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"b"})


async def test_a_404_of_what_is_served_is_no_proof_that_there_is_none(server: Server) -> None:
    server.on("/api/v1", says({"resources": [{"name": "pods"}]}))
    server.on(PODS, lists("a"), refuses(404), refuses(404), refuses(404))
    async with following(server) as (sink, informer):
        await until(lambda: informer.state.reason.startswith("Refused"))
        assert names(sink) == {"a"}
        assert informer.state.served


async def test_since_when_is_that_of_what_is_known_not_of_why(server: Server) -> None:
    clock = iter(range(1000))
    server.on(PODS, refuses(500), refuses(503, "x"), refuses(500, "y"), refuses(403))
    sink = Sink()
    async with Session(Credentials(server.url)) as session:
        informer = Informer(session, resource("Pod"), sink, clock=lambda: next(clock))
        task = asyncio.create_task(informer.run())
        await until(lambda: informer.state.forbidden)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert [one.since for one in sink.states] == [0, 0, 0, 1]


async def test_what_could_not_be_read_and_is_gone_is_told_so(server: Server) -> None:
    bad = {"metadata": {"name": "a", "namespace": "n", "resourceVersion": "7"}, "spec": 1}
    gone: list[str] = []

    class Noting(Sink):
        def put(self, kind: str, key: Key, row: Row | None) -> None:
            super().put(kind, key, row)
            if row is None:
                gone.append(key[1])

    server.on(PODS, lists("b"))
    server.on(PODS, streams(event("ADDED", bad), event("DELETED", bad), then="silence"))
    sink = Noting()
    async with Session(Credentials(server.url)) as session:
        task = asyncio.create_task(Informer(session, resource("Pod"), sink).run())
        await until(lambda: gone == ["a"])
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert sink.skips == [("a", "InvalidObject")]


async def test_bookmarks_move_the_version_on(server: Server) -> None:
    server.on(PODS, lists("a"), streams(mark(77)), streams(then="silence"))
    async with following(server):
        await until(lambda: len(server.asked) == 3)
    assert server.asked[2][1]["resourceVersion"] == "77"


async def test_forbidden_is_said_and_tried_again(server: Server) -> None:
    server.on(PODS, refuses(403), lists("a"), streams(then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: informer.state.synced)
    assert [one.forbidden for one in sink.states] == [True, False]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_single_refusal_is_no_answer(server: Server, status: int) -> None:
    server.on(PODS, lists("a"), refuses(status), streams(then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: len(server.asked) == 3)
        assert names(sink) == {"a"}
        assert informer.state.synced
    assert [one.forbidden for one in sink.states] == [False]
    assert server.asked[2][1]["resourceVersion"] == "5"


async def test_a_right_that_is_taken_away_is_noticed(server: Server) -> None:
    server.on(PODS, lists("a"), refuses(403))
    async with following(server) as (_, informer):
        await until(lambda: informer.state.forbidden)
        assert not informer.state.synced


async def test_an_api_that_is_not_served_is_empty(server: Server) -> None:
    server.on(PODS, lists("a"), refuses(404))
    async with following(server) as (sink, informer):
        await until(lambda: not informer.state.served)
        assert names(sink) == set()


async def test_credentials_are_renewed_once_after_401(server: Server) -> None:
    server.on(PODS, refuses(401), lists("a"), streams(then="silence"))
    async with following(server) as (sink, informer):
        await until(lambda: names(sink) == {"a"})
        assert isinstance(informer._source._session.credentials, Credentials)
        assert informer._source._session.credentials.renewed == 1


@pytest.mark.parametrize(
    "fault",
    [
        refuses(500),
        refuses(503),
        says(b"<html>gateway</html>", 502),
        says(b"", 500),
        streams(b"\n\n"),
        streams(b"not json\n"),
    ],
)
async def test_whatever_is_answered_it_goes_on(
    server: Server, fault: Callable[..., object]
) -> None:
    server.on(PODS, fault, fault, lists("a"), streams(then="silence"))  # type: ignore[arg-type]
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"a"})


async def test_it_waits_as_long_as_it_is_told_to(server: Server) -> None:
    told = says({"message": "slow down"}, 429, **{"Retry-After": "1"})
    server.on(PODS, told, lists("a"), streams(then="silence"))
    start = time.monotonic()
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"a"})
    assert time.monotonic() - start >= 1


async def test_a_large_object_in_small_pieces_is_read_in_time(server: Server) -> None:
    large = pod("a")
    large["status"] = {"message": "x" * 3_000_000}
    server.on(PODS, lists(), streams(event("ADDED", large), chunk=4096, then="silence"))
    start = time.process_time()
    async with following(server) as (sink, _):
        await until(lambda: "a" in sink.held)
    assert time.process_time() - start < 2


class Counting(Session):
    """Counts what goes out, and how much of it at a time."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(credentials)
        self.sent: list[str] = []
        self.peak = 0
        self._waiting = 0

    async def _request(self, verb: str, path: str, *arguments: Any) -> aiohttp.ClientResponse:
        self.sent.append(path)
        self._waiting += 1
        self.peak = max(self.peak, self._waiting)
        try:
            return await super()._request(verb, path, *arguments)
        finally:
            self._waiting -= 1


@contextlib.asynccontextmanager
async def all_followed(session: Session) -> AsyncIterator[list[Informer]]:
    informers = [Informer(session, one, Sink()) for one in WATCHED]
    tasks = [asyncio.create_task(one.run()) for one in informers]
    try:
        yield informers
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def watches(server: Server, *then: Answer) -> None:
    """Each kind has an empty list, and then that."""
    for one in WATCHED:
        server.on(path(one.api_version, one.plural), lists(), *then)


@pytest.mark.parametrize("then", ["end", "abort"])
async def test_when_the_server_goes_a_single_probe_finds_out_for_all(
    server: Server, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr("clusteraudit.kube.gate.patience", lambda *_: 60)
    watches(server, streams(before=(gone := asyncio.Event()), then=then))
    async with Counting(credentials := Credentials(server.url)) as session:
        async with all_followed(session):
            await until(lambda: len(server.asked) == 2 * len(WATCHED))
            session.sent.clear()
            credentials.server = NOBODY
            gone.set()
            await until(lambda: session.gate.down)
            await asyncio.sleep(0.2)
        assert session.sent == [PROBE]
        assert session.gate.outages == 1


@pytest.mark.parametrize("then", ["end", "abort"])
async def test_when_the_server_was_there_all_the_time_nothing_is_listed_anew(
    server: Server, then: str
) -> None:
    cut = asyncio.Event()
    watches(server, streams(before=cut, then=then), streams(then="silence"))
    async with Counting(Credentials(server.url)) as session, all_followed(session) as informers:
        await until(lambda: len(server.asked) == 2 * len(WATCHED))
        assert server.probes == 0
        cut.set()
        await until(lambda: len(server.asked) == 3 * len(WATCHED))
        assert 1 <= server.probes <= len(WATCHED)
        assert session.gate.outages == 0
        assert not any(one.state.relists for one in informers)
    again = server.asked[-len(WATCHED) :]
    assert all(query["resourceVersion"] == "5" for _, query in again)


async def test_while_the_server_is_down_a_single_probe_goes_out() -> None:
    async with Counting(Credentials(NOBODY)) as session:
        async with all_followed(session):
            await until(lambda: session.gate.down)
            session.peak = session._waiting
            session.sent.clear()
            await until(lambda: len(session.sent) > 20)
        assert session.peak == 1


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Failures in a row for each pause, which is short."""
    asked: list[int] = []

    def backoff(failures: int, _: object) -> float:
        asked.append(failures)
        return 0.01

    monkeypatch.setattr(pauses, "backoff", backoff)
    return asked


async def test_a_connection_that_breaks_again_and_again_is_not_made_in_a_circle(
    server: Server, waits: list[int]
) -> None:
    """The server is there, by the probe: it is not the gate that makes it wait."""
    server.on(PODS, lists("a"), aborts)
    async with following(server) as (_, informer):
        await until(lambda: len(waits) >= 5)
        assert informer.state.reason.startswith("Unreachable")
    assert waits[:5] == [0, 1, 2, 3, 4]


async def test_everybody_knows_who_asks(server: Server) -> None:
    server.on(PODS, lists("a"), streams(then="silence"))
    async with following(server) as (sink, _):
        await until(lambda: names(sink) == {"a"})
    assert all(agent.startswith("cluster-audit/") for agent in server.agents)


async def test_a_watch_that_always_ends_at_once_is_not_asked_for_in_a_circle(
    server: Server, waits: list[int]
) -> None:
    server.on(PODS, lists("a"), streams())
    async with following(server):
        await until(lambda: len(waits) >= 5)
    assert waits[:5] == [0, 1, 2, 3, 4]


async def test_watches_that_end_and_told_something_are_taken_up_without_longer_pauses(
    server: Server, waits: list[int]
) -> None:
    """As a server ends them that cannot keep up: who waits has more to catch up with each time."""
    told = [streams(event("ADDED", pod(f"p{at}", version=6 + at))) for at in range(5)]
    server.on(PODS, lists("a"), *told, streams(then="silence"))
    async with following(server) as (sink, _):
        await until(lambda: len(sink.held) == 6)
    assert waits == []


@pytest.mark.parametrize(
    "item",
    [
        {"metadata": {"name": "n"}, "spec": {"drivers": [{"name": "disk"}]}},
        {"metadata": {"name": "n"}, "spec": {"drivers": None}},
        {"metadata": {"name": "n"}, "spec": {"drivers": 5}},
        {"metadata": {"name": "n", "labels": None}},
        {"metadata": 5},
    ],
)
def test_an_event_is_read_as_its_object_is(item: dict[str, Any]) -> None:
    """Also where the server writes null, and where it cannot be read."""
    by_event, by_object = Pending(), Pending()
    line = msgspec.json.encode({"type": "ADDED", "object": item})
    event = wire.Events(resource("CSINode").document).read(line)
    Reader(resource("CSINode"), by_event).take(event)
    Reader(resource("CSINode"), by_object).put(msgspec.json.encode(item))
    assert by_event.take()[0] == by_object.take()[0]
    assert by_event.skips == by_object.skips


async def test_a_long_list_keeps_nobody_waiting(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each object, if it took that long; not after so many objects."""
    monkeypatch.setattr(wire, "_PIECE", 0.0)
    others, seen = 0, list[int]()
    monkeypatch.setattr(Sink, "put", lambda *_: seen.append(others))

    async def beside() -> None:
        nonlocal others
        while True:
            await asyncio.sleep(0)
            others += 1

    server.on(PODS, lists(*(f"p{n}" for n in range(100))), streams(then="silence"))
    task = asyncio.create_task(beside())
    async with following(server):
        await until(lambda: len(seen) == 100)
    task.cancel()
    assert len(set(seen)) == 100
