"""What was refused is tried again at the server's pace, whatever happens meanwhile."""

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from clusteraudit.handlers import publisher
from clusteraudit.handlers.publisher import Publisher
from clusteraudit.handlers.retries import Retries
from clusteraudit.kube.errors import ApiError, UnreachableError
from clusteraudit.kube.gate import LONGEST
from unit.handlers.test_herald import STORY, Api, Life


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def retries(clock: Clock) -> Retries:
    return Retries(clock, random.Random(1))


def test_what_never_failed_may_be_tried(retries: Retries) -> None:
    assert retries.wait("a") == 0


def test_pauses_grow_to_half_a_minute_and_end_with_a_success(retries: Retries) -> None:
    pauses = []
    for _ in range(10):
        retries.failed("a", ApiError(500, "no"))
        pauses.append(retries.wait("a"))
    assert 0.5 <= pauses[0] <= 1
    assert LONGEST / 2 <= pauses[-1] <= LONGEST
    assert pauses[5] > pauses[0]

    retries.succeeded("a")
    assert retries.wait("a") == 0
    retries.failed("a", ApiError(500, "no"))
    assert retries.wait("a") <= 1


def test_what_the_server_asks_for_is_kept(retries: Retries, clock: Clock) -> None:
    retries.failed("a", ApiError(429, "slow down", 20))
    assert retries.wait("a") == 20
    assert retries.wait("b") == 0
    clock.now += 19
    assert retries.wait("a") == 1
    clock.now += 2
    assert retries.wait("a") == 0


def test_a_server_that_is_away_does_not_make_pauses_grow(retries: Retries) -> None:
    for _ in range(10):
        retries.failed("a", UnreachableError("away"))
    assert 0.5 <= retries.wait("a") <= 1


class Busy(Api):
    """Asks for twenty seconds, each time that a status is written."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.busy = True

    def _status(self, body: dict[str, Any]) -> bytes:
        self.asked += 1
        if self.busy:
            raise ApiError(429, "slow down", 20)
        return super()._status(body)


async def test_news_do_not_make_a_publisher_ask_before_its_time(clock: Clock) -> None:
    api = Busy()
    life = Life(api)
    life.publisher._retries = Retries(clock)
    for number in range(10):
        await life.due(msgspec.structs.replace(STORY[0], now=STORY[0].now + number))
    assert api.asked == 1
    assert life.publisher.failures == 1

    clock.now += 21
    api.busy = False
    await life.due(STORY[1])
    assert len(api.statuses) == 1
    assert life.publisher.writes == 1


async def test_a_report_that_cannot_be_read_again_is_not_written_before_its_time(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(api := Api())
    life.publisher._retries = Retries(clock)
    await life.due(STORY[0])

    async def refused(*_: object) -> None:
        raise ApiError(429, "slow down", 20)

    monkeypatch.setattr(publisher, "stored_status", refused)
    life.publisher.touched("cluster", "99")
    life.publisher._last["cluster"] = replace(life.publisher._last["cluster"], at=-1e9)
    await life.due(STORY[1])
    assert len(api.statuses) == 1
    assert life.publisher._retries.wait("cluster") == 20


async def test_what_is_to_be_said_at_the_end_does_not_wait(clock: Clock) -> None:
    api = Busy()
    life = Life(api)
    life.publisher._retries = Retries(clock)
    await life.due(STORY[0])
    api.busy = False
    await finish(life.publisher)
    assert len(api.statuses) == 1


async def finish(publishing: Publisher) -> None:
    """As when the operator is stopped."""
    publishing._ending.set()
    await publishing._publish_due()
