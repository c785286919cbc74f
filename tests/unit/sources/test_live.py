"""What a command reads of a server that is busy."""

import msgspec
import pytest

from clusteraudit.kube.errors import ApiError, UnreachableError
from clusteraudit.kube.patience import RETRIES, patiently
from clusteraudit.kube.session import Session
from clusteraudit.model.store import Evidence
from clusteraudit.sources.gather import Gathering
from clusteraudit.sources.live import read
from clusteraudit.sources.resources import POLLED, WATCHED, path
from support.apiserver import (
    Answer,
    aborts,
    event,
    mark,
    page,
    pod,
    refuses,
    says,
    serving,
    streams,
)
from support.credentials import Credentials

LATER = {"Retry-After": "0"}


async def reading(*pods: Answer, usage: Answer | None = None) -> Gathering:
    """What is read of a server that has nothing but what it says of pods, and of their usage."""
    gathering = Gathering()
    async with serving() as server:
        server.on("/version", refuses(503, **LATER), says({"gitVersion": "v1.37.2"}))
        server.on("/apis", refuses(429, **LATER), says({"groups": [{"name": "apps"}]}))
        for one in WATCHED:
            answers = pods if one.kind == "Pod" else [says(page([]))]
            server.on(path(one.api_version, one.plural), *answers)
        if usage:
            for one in POLLED:
                server.on(path(one.api_version, one.plural), usage)
        async with Session(Credentials(server.url)) as session:
            await read(session, gathering, lambda _what, _number: None)
    return gathering


async def test_who_asks_for_time_gets_it() -> None:
    busy = refuses(429, **LATER)
    gathering = await reading(
        busy, says(page(["a"], "more")), busy, busy, says(page(["b"])), refuses(500)
    )
    assert gathering.read == 2
    assert gathering.header is not None
    assert gathering.header.version == "v1.37.2"
    assert gathering.header.groups == ["apps"]


async def test_who_goes_on_to_ask_for_time_is_told_of() -> None:
    busy = [refuses(429, f"slow down {number}", **LATER) for number in range(RETRIES + 2)]
    with pytest.raises(ApiError, match=f"slow down {RETRIES}"):
        await reading(*busy)


async def test_who_waits_hears_how_long_it_takes() -> None:
    left: list[float] = []
    answers = iter([ApiError(429, "slow down", 1.2)])

    async def ask() -> str:
        for error in answers:
            raise error
        return "fine"

    assert await patiently(ask, left.append) == "fine"
    assert 0 < left[0] <= 1.2
    assert left == sorted(left, reverse=True)


async def test_a_refusal_that_names_no_time_is_one() -> None:
    with pytest.raises(ApiError, match="broken"):
        await reading(refuses(500, "broken"), says(page([])))


async def test_after_a_page_that_expired_all_comes_as_a_stream() -> None:
    """Pages may expire again and again where they take longer than the server keeps versions."""
    late, first = refuses(410, "too late"), says(page(["a", "b"], "more"))
    changed = [event("MODIFIED", pod("a", 8)), event("DELETED", pod("b", 9))]
    whole = [*(event("ADDED", pod(name)) for name in "abc"), *changed, mark(9, end=True)]
    gathering = await reading(first, late, streams(*whole, then="silence"))
    assert gathering.counts["Pod"] == 3
    assert not gathering.skipped
    assert not gathering.duplicates


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (streams(event("ADDED", pod("a"))), "ended before its end mark"),
        (streams(event("ADDED", pod("a")), then="abort"), "the watch broke"),
        (streams(b"<html>\n"), "no event"),
    ],
)
async def test_a_stream_that_breaks_is_no_list(stream: Answer, why: str) -> None:
    with pytest.raises(UnreachableError, match=why):
        await reading(says(page(["a"], "more")), refuses(410), stream)


async def test_a_server_that_cannot_stream_is_asked_for_pages_again() -> None:
    first, late = says(page(["a"], "more")), refuses(410)
    gathering = await reading(first, late, refuses(422), says(page("ab")))
    assert gathering.counts["Pod"] == 2


async def test_of_a_page_with_an_odd_object_the_others_count() -> None:
    nameless = {"metadata": {"namespace": "n"}, "spec": {}}
    odd = [pod("a"), {"metadata": {"name": 5}}, pod("b"), nameless, pod("c", volumes=None)]
    gathering = await reading(says({"metadata": {"resourceVersion": "5"}, "items": odd}))
    assert gathering.counts["Pod"] == 3
    assert [one.reason for one in gathering.skipped] == ["InvalidObject", "NoName"]


@pytest.mark.parametrize("usage", [refuses(503, "no server"), says(b"<html>busy</html>"), aborts])
async def test_usage_that_cannot_be_had_is_unknown_and_all_else_is_told(usage: Answer) -> None:
    gathering = await reading(says(page(["a"])), usage=usage)
    assert gathering.counts["Pod"] == 1
    assert gathering.header is not None
    assert gathering.header.unavailable == ["NodeMetrics", "PodMetrics"]
    assert gathering.evidence()["PodMetrics"] == Evidence("none", "Unavailable")


async def test_usage_that_breaks_off_does_not_count_in_part() -> None:
    sampled = {"timestamp": "2026-01-01T12:00:00Z", "containers": []}
    items = [{"metadata": {"name": f"p-{n}", "namespace": "a"}, **sampled} for n in range(5000)]
    text = msgspec.json.encode({"kind": "PodMetricsList", "metadata": {}, "items": items})
    whole = await reading(says(page(["a"])), usage=says(text))
    broken = await reading(says(page(["a"])), usage=says(text[:-100]))
    assert whole.counts["PodMetrics"] == 5000
    assert broken.counts["PodMetrics"] == 0


async def test_an_object_is_read_as_its_kind_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it is, the list says, and when it was so, the header: a pass through it for each costs
    as much as to read it."""
    never = {"top": "what it is", "newest": "when it was so", "decode": "a second time"}
    for name, why in never.items():
        monkeypatch.setattr(f"clusteraudit.sources.intake.{name}", lambda *_, w=why: pytest.fail(w))
    gathering = await reading(says(page("ab")))
    assert gathering.counts["Pod"] == 2
