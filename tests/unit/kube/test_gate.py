"""The gate: one probe finds out for all; while the server is down, one at a time, in what pace."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from clusteraudit.kube import gate as module
from clusteraudit.kube.errors import ApiError, SlowError, UnreachableError, UntrustedError
from clusteraudit.kube.gate import LONGEST, Gate, patience


class Server:
    """Whatever it is asked it answers alike; the probe is counted apart."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0
        self.probes = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return "fine"

    async def probe(self) -> None:
        self.probes += 1
        await asyncio.sleep(0.001)
        await self.answers.wait()
        if self.error:
            raise self.error


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "patience", lambda *_: 0.001)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def gate(server: Server) -> Gate:
    return Gate(random.Random(1), server.probe)


async def refused(gate: Gate, attempt: Callable[[], object], about: str = "pods") -> None:
    with pytest.raises((UnreachableError, ApiError)):
        await gate.through(attempt, about)  # type: ignore[arg-type]


async def breaks() -> str:
    """A connection that breaks, whatever others do."""
    await asyncio.sleep(0)
    raise UnreachableError("broke off")


async def settled(*waiting: asyncio.Future[Any]) -> None:
    """Give everybody some turns; none of these has ended by then."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)


def test_probes_come_in_a_doubling_pace_that_ends_at_one_in_thirty_seconds() -> None:
    for seed in range(50):
        waits = [patience(failures, random.Random(seed)) for failures in range(2000)]
        assert all(waits[i] <= LONGEST for i in range(5))
        assert all(LONGEST <= wait <= LONGEST * 1.1 for wait in waits[5:])
    assert len({patience(7, random.Random(seed)) for seed in range(50)}) > 40


def test_ten_minutes_of_outage_are_at_most_twenty_four_probes() -> None:
    for seed in range(200):
        rng, at, probes = random.Random(seed), 0.0, 0
        while at < 600:
            at += patience(probes, rng)
            probes += 1
        assert probes <= 24


async def test_one_probe_finds_out_for_all_that_the_server_is_gone(
    gate: Gate, server: Server
) -> None:
    server.error = UnreachableError("gone")
    await asyncio.gather(*(refused(gate, breaks) for _ in range(9)), gate.doubt(), gate.doubt())
    assert (server.probes, server.asked) == (1, 0)
    assert gate.down
    assert gate.outages == 1


async def test_one_probe_finds_out_for_all_that_the_server_is_there(
    gate: Gate, server: Server
) -> None:
    await asyncio.gather(*(refused(gate, breaks) for _ in range(9)), gate.doubt(), gate.doubt())
    assert server.probes == 1
    assert not gate.shut
    assert gate.outages == 0


@pytest.mark.parametrize("error", [None, UnreachableError("gone")])
async def test_while_the_server_is_in_doubt_all_others_wait(
    gate: Gate, server: Server, error: Exception | None
) -> None:
    server.answers.clear()
    server.error = error
    doubt = asyncio.ensure_future(gate.doubt())
    await settled(doubt)
    others = [asyncio.ensure_future(gate.through(server)) for _ in range(5)]
    await settled(*others)
    assert gate.shut
    assert (server.probes, server.asked) == (1, 0)
    server.answers.set()
    await doubt
    server.error = None
    assert await asyncio.gather(*others) == ["fine"] * 5
    assert server.probes == 1
    assert gate.outages == bool(error)


@pytest.mark.parametrize("status", [401, 403, 404, 429])
async def test_who_refuses_the_probe_is_there(gate: Gate, server: Server, status: int) -> None:
    server.error = ApiError(status, "no")
    await gate.doubt()
    assert not gate.shut


@pytest.mark.parametrize("status", [500, 503])
async def test_who_cannot_even_answer_the_probe_is_gone(
    gate: Gate, server: Server, status: int
) -> None:
    """A load balancer whose servers ended all watches when they went."""
    server.error = ApiError(status, "no")
    await gate.doubt()
    assert gate.down
    assert gate.outages == 1


async def test_a_probe_that_is_cancelled_leaves_the_doubt_to_the_next(
    gate: Gate, server: Server
) -> None:
    server.answers.clear()
    doubt = asyncio.ensure_future(gate.doubt())
    await settled(doubt)
    doubt.cancel()
    await asyncio.gather(doubt, return_exceptions=True)
    assert gate.shut
    server.answers.set()
    assert await gate.through(server) == "fine"
    assert server.probes == 2


async def test_in_an_outage_nobody_asks_beside_the_one_whose_turn_it_is(
    gate: Gate, server: Server
) -> None:
    server.error = UnreachableError("gone")
    await refused(gate, breaks)
    await asyncio.gather(*(refused(gate, server) for _ in range(4)), gate.doubt())
    assert (server.probes, server.asked) == (1, 4)
    assert gate.outages == 1


async def test_an_outage_is_counted_each_time(gate: Gate, server: Server) -> None:
    server.error = UnreachableError("gone")
    await refused(gate, server)
    server.error = None
    assert await gate.through(server) == "fine"
    assert not gate.down
    server.error = UnreachableError("gone")
    await refused(gate, server)
    assert gate.outages == 2


async def test_who_is_slow_was_not_gone(gate: Gate, server: Server) -> None:
    server.error = SlowError("does not answer in time")
    await refused(gate, server)
    assert gate.down
    assert gate.outages == 0


async def test_who_is_not_trusted_is_in_no_doubt(gate: Gate, server: Server) -> None:
    server.error = UntrustedError("has another certificate")
    await asyncio.gather(*(refused(gate, server) for _ in range(3)))
    assert (gate.down, gate.outages, server.probes) == (True, 1, 0)


async def test_one_resource_that_breaks_is_no_outage(gate: Gate, server: Server) -> None:
    server.error = ApiError(503, "no")
    for _ in range(20):
        await refused(gate, server, "nodes")
    assert not gate.down


async def test_nothing_but_5xx_for_whatever_is_asked_is_an_outage(
    gate: Gate, server: Server
) -> None:
    server.error = ApiError(503, "no")
    for about in ("pods", "nodes", "services"):
        await refused(gate, server, about)
    assert gate.down
    await refused(gate, server)
    assert gate.down
    server.error = ApiError(403, "no")
    await refused(gate, server)
    assert not gate.down, "who refuses is there"
