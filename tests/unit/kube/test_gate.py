"""The gate: one probe at a time while the server is down, in what pace, and what counts as down."""

import asyncio
import random

import pytest

from clusteraudit.kube import gate as module
from clusteraudit.kube.errors import ApiError, SlowError, UnreachableError
from clusteraudit.kube.gate import LONGEST, Gate, patience


class Server:
    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return "fine"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    monkeypatch.setattr(module, "patience", lambda *_: 0.001)
    return Gate(random.Random(1))


async def refused(gate: Gate, server: Server, about: str = "pods") -> None:
    with pytest.raises((UnreachableError, ApiError)):
        await gate.through(server, about)


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


async def test_an_outage_is_counted_once_whoever_meets_it(gate: Gate) -> None:
    server = Server()
    server.error = UnreachableError("gone")
    await asyncio.gather(*(refused(gate, server) for _ in range(9)))
    assert gate.down
    assert gate.outages == 1
    assert await gate.through(Server()) == "fine"
    await refused(gate, server)
    assert gate.outages == 2


async def test_who_is_slow_was_not_gone(gate: Gate) -> None:
    server = Server()
    server.error = SlowError("does not answer in time")
    await refused(gate, server)
    assert gate.down
    assert gate.outages == 0


async def test_one_resource_that_breaks_is_no_outage(gate: Gate) -> None:
    server = Server()
    server.error = ApiError(503, "no")
    for _ in range(20):
        await refused(gate, server, "nodes")
    assert not gate.down


async def test_nothing_but_5xx_for_whatever_is_asked_is_an_outage(gate: Gate) -> None:
    server = Server()
    server.error = ApiError(503, "no")
    for about in ("pods", "nodes", "services"):
        await refused(gate, server, about)
    assert gate.down
    await refused(gate, server)
    assert gate.lasting
    server.error = ApiError(403, "no")
    await refused(gate, server)
    assert not gate.down, "who refuses is there"
