"""Who may read the metrics: what the API server is asked, how often, what its silence means."""

import json
from typing import Any

import pytest

from clusteraudit.kube import reviews
from clusteraudit.kube.errors import ApiError, ForbiddenError, UnreachableError
from clusteraudit.kube.reviews import ALLOWED_SECONDS, REFUSED_SECONDS, Reviewer, Verdict

USER = {"username": "prometheus", "uid": "u-1", "groups": ["a"], "extra": {"k": ["v"]}}


class Gate:
    down = False


class Api:
    """Knows one token, and lets its owner in as long as `allows`."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.asked: list[dict[str, Any]] = []
        self.allows = True
        self.fault: Exception | None = None

    async def send(self, _: str, path: str, *, body: bytes, **__: object) -> bytes:
        if self.fault:
            raise self.fault
        sent = json.loads(body)
        self.asked.append(sent)
        if sent["kind"] == "TokenReview":
            known = sent["spec"]["token"] == "good"
            return json.dumps({"status": {"authenticated": known, "user": USER}}).encode()
        return json.dumps({"status": {"allowed": self.allows}}).encode()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(reviews, "_REST", 0)
    return Api()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def reviewer(api: Api, clock: Clock | None = None) -> Reviewer:
    return Reviewer(api, clock or Clock())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer  ", "Basic Z29vZA==", "good", "Token good"]
)
async def test_without_a_bearer_token_nobody_is_asked(api: Api, header: str) -> None:
    assert await reviewer(api).review(header, "/metrics") is Verdict.UNAUTHENTICATED
    assert api.asked == []


async def test_all_that_is_known_of_the_owner_decides(api: Api) -> None:
    assert await reviewer(api).review("bearer good", "/metrics") is Verdict.ALLOWED
    token, access = api.asked
    assert token["spec"] == {"token": "good"}
    asked = {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}, "user": "prometheus"}
    assert access["spec"] == asked | {key: USER[key] for key in ("uid", "groups", "extra")}


async def test_unknown_and_forbidden_are_told_apart(api: Api) -> None:
    api.allows = False
    asks = reviewer(api)
    assert await asks.review("Bearer bad", "/metrics") is Verdict.UNAUTHENTICATED
    assert await asks.review("Bearer good", "/metrics") is Verdict.FORBIDDEN


async def test_an_answer_holds_for_a_while_and_no_longer(api: Api) -> None:
    clock = Clock()
    asks = reviewer(api, clock)
    for _ in range(3):
        await asks.review("Bearer good", "/metrics")
        await asks.review("Bearer bad", "/metrics")
    assert len(api.asked) == 3
    clock.now = REFUSED_SECONDS
    await asks.review("Bearer bad", "/metrics")
    assert len(api.asked) == 4
    api.allows = False
    assert await asks.review("Bearer good", "/metrics") is Verdict.ALLOWED
    clock.now = ALLOWED_SECONDS
    assert await asks.review("Bearer good", "/metrics") is Verdict.FORBIDDEN


async def test_an_answer_is_for_one_path(api: Api) -> None:
    asks = reviewer(api)
    await asks.review("Bearer good", "/metrics")
    api.allows = False
    assert await asks.review("Bearer good", "/other") is Verdict.FORBIDDEN


@pytest.mark.parametrize(
    "fault", [UnreachableError("no"), ApiError(500, "no"), ForbiddenError(403, "no")]
)
async def test_silence_lets_nobody_in_and_is_not_remembered(api: Api, fault: Exception) -> None:
    asks = reviewer(api)
    api.fault = fault
    assert await asks.review("Bearer good", "/metrics") is Verdict.UNKNOWN
    api.fault = None
    assert await asks.review("Bearer good", "/metrics") is Verdict.ALLOWED


async def test_a_server_that_is_down_is_not_asked(api: Api) -> None:
    api.gate.down = True
    assert await reviewer(api).review("Bearer good", "/metrics") is Verdict.UNKNOWN
    assert api.asked == []


async def test_what_is_remembered_is_bounded(api: Api) -> None:
    asks = reviewer(api)
    for number in range(1000):
        await asks.review(f"Bearer bad-{number}", "/metrics")
    assert len(asks._known) <= 128
    assert not any(b"bad" in key for key in asks._known), "by their hash only"
