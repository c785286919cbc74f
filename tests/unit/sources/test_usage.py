"""Usage is polled namespace by namespace, and read as it comes: metrics-server has no pages."""

import asyncio
import json
import time
import tracemalloc
from collections.abc import Callable, Iterable

import pytest
from aiohttp import web

from clusteraudit.kube.session import Session
from clusteraudit.model.moments import epoch
from clusteraudit.model.rows import Key, Row, UsageRow
from clusteraudit.sources import usage as module
from clusteraudit.sources.feed import KindState
from clusteraudit.sources.payload import decode
from clusteraudit.sources.translate import translate
from clusteraudit.sources.usage import UsagePoller
from support.apiserver import Server, says, serving
from support.credentials import Credentials

BASE = "/apis/metrics.k8s.io/v1beta1"
NODES = {"kind": "NodeMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "items": []}
MANY = 2_000
AT = "2026-01-01T12:00:00Z"


class Held:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.states: dict[str, KindState] = {}
        self.seen = 0

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        self.seen += kind == "PodMetrics"
        if row is None:
            del self.rows[key]
        elif kind == "PodMetrics":
            self.rows[key] = row

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        raise AssertionError(message)

    def state(self, kind: str, state: KindState) -> None:
        self.states[kind] = state


class Counting(Held):
    """A sink that only counts."""

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        self.seen += row is not None


def sample(name: str, namespace: str, cpu: str = "250m") -> dict[str, object]:
    containers = [{"name": "app", "usage": {"cpu": cpu, "memory": "64Mi"}}]
    meta = {"name": name, "namespace": namespace, "creationTimestamp": AT}
    return {"metadata": meta, "timestamp": AT, "window": "20s", "containers": containers}


def listed(*items: object) -> dict[str, object]:
    return {"kind": "PodMetricsList", "metadata": {}, "items": list(items)}


def test_a_sample_is_the_sum_of_containers_rounded_up_once() -> None:
    used = [{"cpu": "250000001n", "memory": "64Mi"}, {"cpu": " 1m ", "example.com/gpu": "?"}]
    containers = [*({"usage": one} for one in used), {}]
    document = sample("web-0", "shop") | {"containers": containers}
    row = translate("PodMetrics", decode("PodMetrics", document))
    assert row == UsageRow("shop", "web-0", cpu=252, memory=2**26, at=epoch(AT))


def test_a_node_has_no_namespace_whatever_its_sample_says() -> None:
    meta = {"name": "node-1", "namespace": "shop"}
    usage = {"cpu": "1500u", "memory": None}
    document: dict[str, object] = {"metadata": meta, "timestamp": AT, "usage": usage}
    row = translate("NodeMetrics", decode("NodeMetrics", document))
    assert row == UsageRow("", "node-1", cpu=2, memory=0, at=epoch(AT))


async def polled(
    server: Server, sink: Held, until: Callable[[], bool], every: float, names: Iterable[str]
) -> list[str]:
    """What was asked for until something is so."""
    async with Session(Credentials(server.url)) as session:
        poller = UsagePoller(session, sink, lambda: names, every)
        task = asyncio.create_task(poller.run())
        try:
            async with asyncio.timeout(60):
                while not until():
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
    return [path.removeprefix(BASE) for path, _ in server.asked]


def scripted(server: Server, **of: object) -> None:
    server.on(f"{BASE}/nodes", says(NODES))
    for name, body in of.items():
        server.on(f"{BASE}/namespaces/{name}/pods", says(body))


async def test_namespaces_are_asked_one_after_the_other_and_in_turns() -> None:
    async with serving() as server:
        scripted(server, a=listed(sample("p", "a")), b=listed(sample("p", "b", "1500u")))
        sink = Held()
        asked = await polled(server, sink, lambda: sink.seen >= 4, 0.2, ["b", "a"])

    turn = ["/nodes", "/namespaces/a/pods", "/namespaces/b/pods"]
    assert asked[:6] == [*turn, *turn]
    rows = {key: row for key, row in sink.rows.items() if isinstance(row, UsageRow)}
    assert {key: (row.cpu, row.memory >> 20) for key, row in rows.items()} == {
        ("a", "p"): (250, 64),
        ("b", "p"): (2, 64),
    }
    assert sink.states["PodMetrics"].synced


async def test_a_large_answer_is_read_as_it_comes() -> None:
    """The answer has megabytes, what is held of it does not."""
    wide = {**sample("pod", "a"), "note": "x" * 5000}
    body = json.dumps(listed(*[wide] * 100)).encode()
    begin, _, rest = body.partition(b'"items": [')
    part = rest[: rest.rindex(b"]")]

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(begin + b'"items": [' + part)
        for _ in range(MANY // 100 - 1):
            await response.write(b"," + part)
        await response.write(b"]}")
        return response

    async with serving() as server:
        scripted(server)
        server.on(f"{BASE}/namespaces/a/pods", answer)
        sink = Counting()
        tracemalloc.start()
        await polled(server, sink, lambda: "PodMetrics" in sink.states, 60, ["a"])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert sink.seen == MANY
    assert len(part) * MANY // 100 > 10_000_000
    assert peak < 5_000_000


async def test_what_an_answer_does_not_name_any_more_is_gone() -> None:
    names = ["a", "b"]
    async with serving() as server:
        scripted(server, a=listed(sample("p", "a"), sample("q", "a")), b=listed(sample("p", "b")))
        sink = Held()

        def later() -> bool:
            if len(sink.rows) == 3:
                server.on(f"{BASE}/namespaces/a/pods", says(listed(sample("q", "a"))))
                names[:] = ["a"]
            return "PodMetrics" in sink.states and sink.states["PodMetrics"].objects == 1

        await polled(server, sink, later, 0.1, names)

    assert list(sink.rows) == [("a", "q")]


async def test_what_is_gone_of_a_namespace_is_known_though_another_fails() -> None:
    async with serving() as server:
        scripted(server, a=listed(sample("p", "a"), sample("q", "a")), b=listed())
        sink = Held()

        def later() -> bool:
            if len(sink.rows) == 2 and "PodMetrics" in sink.states:
                scripted(server, a=listed(sample("p", "a")), b=b"busy")
            return not sink.states["PodMetrics"].served if "PodMetrics" in sink.states else False

        await polled(server, sink, later, 0.1, ["a", "b"])

    assert list(sink.rows) == [("a", "p")]


async def test_many_samples_take_their_time_once_all_were_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "A_SECOND", 100)
    async with serving() as server:
        scripted(server, a=listed(*(sample(f"p-{n}", "a") for n in range(50))), b=listed())
        sink, began = Counting(), time.monotonic()
        await polled(server, sink, lambda: sink.seen >= 200, 0.1, ["a", "b"])

    assert 1.0 <= time.monotonic() - began < 5.0


async def test_until_there_are_namespaces_nodes_are_asked_of_no_more_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SOON", 0.01)
    names: list[str] = []
    async with serving() as server:
        scripted(server, a=listed(sample("p", "a")))
        sink, began = Held(), time.monotonic()

        def later() -> bool:
            if time.monotonic() - began > 1.0 and not names:
                names.append("a")
            return sink.seen > 0

        asked = await polled(server, sink, later, 0.4, names)

    assert asked[:3] == ["/nodes"] * 3
    assert asked.count("/nodes") <= 4


CUT = json.dumps(listed(sample("p", "a"))).encode()[:-2]


@pytest.mark.parametrize("body", [b"<html>busy</html>", CUT, b"[]" * 40_000, b""])
async def test_an_answer_that_is_no_list_makes_usage_unknown(body: bytes) -> None:
    async with serving() as server:
        scripted(server, a=body)
        sink = Held()
        await polled(server, sink, lambda: "PodMetrics" in sink.states, 60, ["a"])

    assert sink.states["PodMetrics"].reason == "Unavailable"
    assert not sink.states["PodMetrics"].served


async def test_a_list_without_items_is_empty() -> None:
    async with serving() as server:
        scripted(server, a={"kind": "PodMetricsList", "items": None})
        sink = Held()
        await polled(server, sink, lambda: "PodMetrics" in sink.states, 60, ["a"])

    assert sink.states["PodMetrics"].synced
    assert sink.rows == {}
