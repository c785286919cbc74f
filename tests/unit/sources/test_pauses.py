"""How long an informer waits: by what happened, and how often in a row."""

import random

import pytest

from clusteraudit.kube.errors import ApiError, ForbiddenError
from clusteraudit.sources.pauses import SLOW_RETRY, Pauses


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    monkeypatch.setattr("clusteraudit.sources.pauses.backoff", lambda failures, _: 2.0**failures)
    return Pauses(random.Random(1))


def test_a_watch_that_lasted_is_begun_anew_at_once(pauses: Pauses) -> None:
    assert [pauses.ended(0, relist=True) for _ in range(3)] == [1, 2, 4]
    assert pauses.ended(240, relist=False) == 0
    assert pauses.ended(0, relist=True) == 1, "what was before it does not count"


def test_to_take_a_watch_up_where_it_stopped_costs_little(pauses: Pauses) -> None:
    assert [pauses.ended(0, relist=False) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_a_watch_that_told_something_is_no_failure(pauses: Pauses) -> None:
    """Who waits for longer each time never catches up with a server that ends watches."""
    assert [pauses.ended(0.25, relist=False, told=True) for _ in range(5)] == [0.75] * 5
    assert pauses.ended(3, relist=False, told=True) == 0
    assert pauses.ended(0, relist=False) == 1, "what was before it does not count"
    assert pauses.ended(0, relist=True, told=True) == 2, "a list costs much"


def test_what_is_forbidden_is_asked_for_less_and_less_and_not_for_ever_less(
    pauses: Pauses,
) -> None:
    waits = [pauses.refused(ForbiddenError(403, "no")) for _ in range(8)]
    assert waits == [2, 4, 8, 16, 32, SLOW_RETRY, SLOW_RETRY, SLOW_RETRY]


def test_the_server_may_ask_for_more_and_not_for_less(pauses: Pauses) -> None:
    assert pauses.refused(ApiError(429, "no", 20)) == 20
    assert pauses.refused(ApiError(429, "no", 1)) == 4
    assert pauses.failed() == 8
