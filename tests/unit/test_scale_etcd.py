"""Writes into an etcd that cannot take them for a moment."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from scale import etcd as module
from scale.etcd import Etcd, Put

POD: Put = ("pods/default/web", b"{}")
BUSY, WRONG, TAKEN = 503, 400, 200


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.001)


def asked(answers: list[int], patience: float) -> int:
    """How often an etcd was asked to write a pod, that answers so and then for ever as at last."""
    times = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal times
        times += 1
        said = answers[min(times, len(answers)) - 1]
        return web.json_response({"times": times}, status=said)

    async def write() -> None:
        app = web.Application()
        app.router.add_post("/v3/kv/txn", answer)
        async with TestServer(app) as server, Etcd(server.port or 0, patience) as etcd:
            await etcd.write([POD])

    asyncio.run(write())
    return times


def test_a_write_is_tried_again_that_etcd_could_not_take() -> None:
    assert asked([BUSY, BUSY, TAKEN], patience=60) == 3


def test_a_write_that_etcd_refuses_is_not() -> None:
    with pytest.raises(RuntimeError, match="etcd: 400"):
        asked([WRONG, TAKEN], patience=60)


def test_an_etcd_that_cannot_for_long_ends_it() -> None:
    with pytest.raises(RuntimeError, match="etcd: 503"):
        asked([BUSY], patience=0.05)
