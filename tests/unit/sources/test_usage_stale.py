"""Usage while the server is down: polls wait at the gate, and what they said is not for ever."""

import asyncio
from collections.abc import Callable

import pytest

from clusteraudit.kube.session import Session
from clusteraudit.model.rows import Key, Row
from clusteraudit.sources import usage as module
from clusteraudit.sources.feed import KindState
from clusteraudit.sources.usage import UsagePoller
from support.apiserver import says, serving
from support.credentials import Credentials

NODES = "/apis/metrics.k8s.io/v1beta1/nodes"


class Sink:
    def __init__(self) -> None:
        self.states: dict[str, KindState] = {}

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        pass

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        pass

    def state(self, kind: str, state: KindState) -> None:
        self.states[kind] = state


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0.005)


async def test_usage_of_which_nothing_is_heard_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALE", 0.1)
    sink = Sink()
    async with serving() as server:
        server.on(NODES, says({"items": []}))
        async with Session(Credentials(server.url)) as session:
            poller = UsagePoller(session, sink, lambda: (), every=0.02)
            task = asyncio.create_task(poller.run())
            await until(lambda: sink.states["NodeMetrics"].synced if sink.states else False)
            assert not poller.stale("NodeMetrics")

            async def waiting(*_: object) -> None:
                await asyncio.sleep(60)

            monkeypatch.setattr(session.gate, "through", waiting)
            await until(lambda: poller.stale("NodeMetrics"))
            assert poller.silent("NodeMetrics") > 0.1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_usage_that_is_out_of_reach_is_unavailable_at_once() -> None:
    sink = Sink()
    async with Session(Credentials("http://127.0.0.1:1")) as session:
        poller = UsagePoller(session, sink, lambda: (), every=0.02)
        assert not await poller._round("NodeMetrics", {NODES: poller._nodes})
    assert sink.states["NodeMetrics"].reason == "Unavailable"
