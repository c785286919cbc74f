"""Candidates for one Lease: never two at once, whatever is lost, late or frozen."""

import asyncio
import json
import random
from typing import Any

import pytest

from clusteraudit.kube.elector import Election, Elector
from clusteraudit.kube.errors import ConflictError, ForbiddenError, NotFoundError, UnreachableError
from clusteraudit.kube.lease import Timing

TIMING = Timing(12)
STEPS = 400


class Api:
    """A Lease as the API server keeps it, and what becomes of requests."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.writers: list[str] = []
        self.fault: Exception | None = None
        self.lost = False
        """Whether the next reply gets lost after the write was done."""
        self.slow: asyncio.Event | None = None
        """Until it is set, the reply to a write that was done is on its way."""

    async def send(self, verb: str, path: str, *, body: bytes = b"", **_: object) -> bytes:
        if self.fault:
            raise self.fault
        if verb == "GET":
            return self._said(path)
        sent = json.loads(body)
        if verb == "POST":
            if self.lease:
                raise ConflictError(409, "already exists")
        elif self.lease is None:
            raise NotFoundError(404, path)
        elif sent["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ConflictError(409, "the object has been modified")
        self.version += 1
        self.lease = {**sent, "metadata": {**sent["metadata"], "resourceVersion": self.version}}
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        self.writers.append(sent["spec"]["holderIdentity"])
        if self.lost:
            self.lost = False
            raise UnreachableError("broke the connection off")
        if self.slow:
            await self.slow.wait()
        return self._said(path)

    def _said(self, path: str) -> bytes:
        if self.lease is None:
            raise NotFoundError(404, path)
        return json.dumps(self.lease).encode()

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        spec: dict[str, Any] = self.lease["spec"]
        return spec


class World:
    """Candidates that share an API server and a clock."""

    def __init__(self, number: int = 2) -> None:
        self.api = Api()
        self.now = 0.0
        self.gained: list[str] = []
        self.candidates = [self.candidate(chr(ord("a") + n)) for n in range(number)]

    def candidate(self, name: str) -> Elector:
        election = Election("ns", "lease", name, TIMING)
        gained = lambda: self.gained.append(name)  # noqa: E731 - told once
        return Elector(self.api, election, gained, lambda: self.now)  # type: ignore[arg-type]

    def holders(self) -> list[int]:
        return [n for n, one in enumerate(self.candidates) if one.held]


@pytest.fixture
def world() -> World:
    return World()


async def test_the_first_gets_it_and_keeps_it(world: World) -> None:
    first, second = world.candidates
    for world.now in range(0, 60, 2):
        await first._try()
        await second._try()
        assert world.holders() == [0]
    assert (first.term, second.term, world.gained) == (1, 0, ["a"])
    assert world.api.spec["leaseTransitions"] == 0


async def test_others_wait_by_their_own_clock_and_not_by_the_holder_s_times(world: World) -> None:
    first, second = world.candidates
    await first._try()
    for moment in ("1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"):
        world.api.spec["renewTime"] = moment
        await second._try()
        assert not second.held
    world.now = TIMING.deadline
    assert world.holders() == [], "the holder gives up before others may take it"
    world.now = TIMING.duration - 0.1
    await second._try()
    assert not second.held
    world.now = TIMING.duration
    await second._try()
    assert world.holders() == [1]
    assert world.api.spec["leaseTransitions"] == 1
    await first._try()
    assert world.holders() == [1]


async def test_what_is_released_is_taken_at_once(world: World) -> None:
    first, second = world.candidates
    await first._try()
    await first.release()
    assert world.api.spec["holderIdentity"] == ""
    assert world.holders() == []
    await second._try()
    assert world.holders() == [1]
    await first.release()
    assert world.holders() == [1], "who does not hold it has nothing to release"


async def test_it_is_released_though_the_last_renewal_lost_its_reply(world: World) -> None:
    first, _ = world.candidates
    await first._try()
    world.api.lost = True
    await first._try()
    await first.release()
    assert world.api.spec["holderIdentity"] == ""


async def test_what_another_took_meanwhile_is_not_released(world: World) -> None:
    first, second = world.candidates
    await first._try()
    await second._try()
    world.now = TIMING.deadline - 1
    stolen = json.loads(world.api._said(""))
    stolen["spec"]["holderIdentity"] = "b"
    await world.api.send("PUT", "", body=json.dumps(stolen).encode())
    await first.release()
    assert world.api.spec["holderIdentity"] == "b"


async def test_a_renewal_under_way_ends_before_the_lease_is_released(world: World) -> None:
    first, _ = world.candidates
    await first._try()
    world.api.slow = asyncio.Event()
    work = asyncio.create_task(first.run())
    while world.api.version < 2:
        await asyncio.sleep(0)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    ending = asyncio.create_task(first.release())
    await asyncio.sleep(0)
    world.api.slow.set()
    await ending
    assert world.api.writers == ["a", "a", ""]
    assert world.holders() == []


async def test_the_holder_renews_without_reading_and_finds_what_it_missed(world: World) -> None:
    first, _ = world.candidates
    await first._try()
    world.api.lost = True
    world.now = 2
    await first._try()  # done, but the reply is lost
    assert first.held
    world.now = 4
    await first._try()
    assert (first.held, first.term, world.api.version) == (True, 1, 3)


async def test_a_lease_that_is_deleted_is_made_anew(world: World) -> None:
    first, _ = world.candidates
    await first._try()
    world.api.lease = None
    world.now = 2
    await first._try()
    assert (first.held, first.term) == (True, 2)


async def test_what_others_wrote_into_it_stays(world: World) -> None:
    first, _ = world.candidates
    world.api.version = 1
    world.api.lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "lease", "resourceVersion": "1", "labels": {"team": "platform"}},
        "spec": {"strategy": "OldestEmulationVersion"},
    }
    await first._try()
    assert world.api.lease["metadata"]["labels"] == {"team": "platform"}
    assert world.api.spec["strategy"] == "OldestEmulationVersion"
    assert world.api.spec["holderIdentity"] == "a"


@pytest.mark.parametrize(
    "fault", [ForbiddenError(403, "no"), UnreachableError("no"), ConflictError(409, "no")]
)
async def test_faults_end_nothing(world: World, fault: Exception) -> None:
    first, _ = world.candidates
    world.api.fault = fault
    await first._try()
    assert world.holders() == []
    world.api.fault = None
    await first._try()
    assert world.holders() == [0]
    world.api.fault = fault
    assert await first.confirm() is True, "a server that does not answer takes no lease away"


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"spec": 1}', b"<html>"])
async def test_an_answer_that_is_no_lease_ends_nothing(world: World, body: bytes) -> None:
    first, _ = world.candidates
    await first._try()
    world.api._said = lambda path: body  # type: ignore[method-assign]
    world.now = 2
    await first._try()
    assert world.holders() == [0]


async def test_confirm_sees_another_holder(world: World) -> None:
    first, second = world.candidates
    await first._try()
    await second._try()
    world.now = TIMING.duration
    await second._try()
    assert await second.confirm()
    first._renewed = world.now  # as if it did not know
    assert not await first.confirm()


@pytest.mark.parametrize("seed", range(20))
async def test_there_are_never_two_at_once(seed: int) -> None:
    """Any of three may be frozen, cut off, or have a reply lost; they get by, one at a time."""
    rng, world = random.Random(seed), World(3)
    frozen_until, led = [0.0, 0.0, 0.0], set()
    for _ in range(STEPS):
        world.now += rng.uniform(0, TIMING.retry)
        turn = rng.randrange(3)
        if rng.random() < 0.1:
            frozen_until[turn] = world.now + rng.uniform(0, 4 * TIMING.duration)
        if world.now < frozen_until[turn]:
            continue
        world.api.fault = UnreachableError("cut off") if rng.random() < 0.1 else None
        world.api.lost = rng.random() < 0.1
        await world.candidates[turn]._try()
        assert len(world.holders()) <= 1
        led |= set(world.holders())
    assert len(led) > 1, "the lease went from one to another"
