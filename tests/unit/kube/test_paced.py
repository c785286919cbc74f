"""What a watch says is taken whole and in order, and seldom."""

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from clusteraudit.kube import paced
from clusteraudit.kube.session import Session
from support.apiserver import Answer, Server, aborts, serving, streams
from support.credentials import Credentials, Trusting, tls_of

PODS = "/api/v1/pods"
EVENTS = [b"event %d\n" % n for n in range(100)]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


def one_by_one(seconds: float) -> Answer:
    """Each event by itself, so many seconds apart."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for event in EVENTS:
            await response.write(event)
            await asyncio.sleep(seconds)
        return response

    return answer


async def pieces(server: Server) -> list[bytes]:
    async with (
        Session(Credentials(server.url)) as session,
        session.stream(PODS, {}, silence=5) as watch,
    ):
        return [piece async for piece in watch.iter_any()]


async def test_events_that_come_one_by_one_are_taken_together(server: Server) -> None:
    server.on(PODS, one_by_one(0.002))
    taken = await pieces(server)
    assert b"".join(taken) == b"".join(EVENTS)
    assert len(taken) < len(EVENTS) / 5


@pytest.fixture
def of_tls(tmp_path: Path) -> ssl.SSLContext:
    return tls_of(tmp_path)


async def test_the_loop_is_woken_seldom_by_tls_too(
    of_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transport of TLS that is paused reads on: what it reads is what wakes the loop."""
    reads, read = list[int](), sslproto.SSLProtocol.buffer_updated

    def noted(self: sslproto.SSLProtocol, size: int) -> None:
        if not vars(self)["_server_side"]:
            reads.append(size)
        read(self, size)

    monkeypatch.setattr(sslproto.SSLProtocol, "buffer_updated", noted)
    async with serving(of_tls) as server:
        server.on(PODS, one_by_one(0.002))
        async with (
            Session(Trusting(server.url)) as session,
            session.stream(PODS, {}, silence=5) as watch,
        ):
            taken = [piece async for piece in watch.iter_any()]
    assert b"".join(taken) == b"".join(EVENTS)
    assert len(taken) < len(EVENTS) / 5
    assert len(reads) < len(EVENTS) / 5


async def test_nobody_waits_for_more_where_there_is_much(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paced, "_LITTLE", 1)
    monkeypatch.setattr(paced, "PAUSE", 60)
    server.on(PODS, one_by_one(0))
    async with asyncio.timeout(5):
        assert b"".join(await pieces(server)) == b"".join(EVENTS)


async def test_much_comes_without_a_pause_and_without_large_buffers(
    of_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a pause after each piece, it would take ten seconds."""
    reads, read = list[int](), sslproto.SSLProtocol.buffer_updated

    def noted(self: sslproto.SSLProtocol, size: int) -> None:
        reads.append(0 if vars(self)["_server_side"] else size)
        read(self, size)

    monkeypatch.setattr(sslproto.SSLProtocol, "buffer_updated", noted)
    much = [bytes(2**20)] * 4
    async with serving(of_tls) as server, asyncio.timeout(5):
        server.on(PODS, streams(*much))
        async with (
            Session(Trusting(server.url)) as session,
            session.stream(PODS, {}, silence=5) as watch,
        ):
            taken = [piece async for piece in watch.iter_any()]
    assert b"".join(taken) == b"".join(much)
    assert 2**14 < max(reads) <= 2**16


async def test_a_watch_that_ends_is_taken_to_its_end_and_one_that_breaks_says_so(
    server: Server,
) -> None:
    server.on(PODS, streams(*EVENTS), streams(*EVENTS, then="abort"), aborts)
    assert b"".join(await pieces(server)) == b"".join(EVENTS)
    with pytest.raises(aiohttp.ClientPayloadError):
        await pieces(server)


async def test_several_watches_are_taken_at_the_same_moments(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paced, "PAUSE", 0.1)
    server.on(PODS, one_by_one(0.005), one_by_one(0.007))
    loop, moments = asyncio.get_running_loop(), list[float]()

    async def take() -> None:
        async with (
            Session(Credentials(server.url)) as session,
            session.stream(PODS, {}, silence=5) as watch,
        ):
            async for _ in watch.iter_any():
                moments.append(loop.time() % paced.PAUSE)

    async with asyncio.TaskGroup() as both:
        both.create_task(take())
        both.create_task(take())
    soon = [one for one in moments if one < paced.PAUSE / 4]
    assert len(soon) > 0.6 * len(moments), "but for the first, and the last, of each"


class Closed(asyncio.Transport):
    """Closed by whoever reads it while nothing is taken; then it can do nothing, as one of TLS."""

    closed = False

    def pause_reading(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def resume_reading(self) -> None:
        raise AttributeError("'NoneType' object has no attribute '_resume_reading'")


class Gone(asyncio.Transport):
    """Of TLS, whose connection was lost, and which does not say so yet."""

    def set_read_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        raise AttributeError("'NoneType' object has no attribute 'resume_reading'")

    def is_closing(self) -> bool:
        return False


@pytest.mark.parametrize("transport", [Closed(), Gone()])
async def test_a_connection_that_is_closed_meanwhile_is_left_alone(
    transport: asyncio.Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paced, "PAUSE", 0.01)

    async def iter_any() -> AsyncIterator[bytes]:
        yield EVENTS[0]

    content = SimpleNamespace(iter_any=iter_any)
    answer: Any = SimpleNamespace(content=content, connection=SimpleNamespace(transport=transport))
    assert [piece async for piece in paced.Paced(answer).iter_any()] == [EVENTS[0]]
