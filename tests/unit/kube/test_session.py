"""The session: what credentials, certificates and answers do that are not what they should be."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec
import pytest
from aiohttp import web

from clusteraudit.kube.credentials import InClusterCredentials
from clusteraudit.kube.errors import (
    ApiError,
    KubeConfigError,
    SlowError,
    UnauthorizedError,
    UnreachableError,
    UntrustedError,
)
from clusteraudit.kube.session import Session
from clusteraudit.publish.status import ROOT, apply_status
from support.apiserver import PROBE, Server, aborts, refuses, says, serving, streams
from support.credentials import Credentials

PODS = "/api/v1/pods"
T = TypeVar("T")


class Shape(msgspec.Struct):
    items: list[str] = []


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusteraudit.kube.gate.patience", lambda *_: 0.01)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"items": [', b"[1]", b'{"items": ["\xff"]}', b"[" * 100_000, b"null"],
)
async def test_an_answer_that_cannot_be_read_is_a_refusal(server: Server, body: bytes) -> None:
    server.on(PODS, says(body))
    server.on(f"{ROOT}/cluster/status", says(body))
    async with Session(Credentials(server.url)) as session:
        with pytest.raises(ApiError):
            await session.get(PODS, Shape)
        with pytest.raises(ApiError):
            await apply_status(session, "cluster", "1", {})


async def test_a_refusal_in_no_known_words_is_one_too(server: Server) -> None:
    server.on(PODS, says(b'{"message": "\xff"}', 500))
    async with Session(Credentials(server.url)) as session:
        with pytest.raises(ApiError, match="Internal Server Error"):
            await session.get(PODS, Shape)


@pytest.mark.parametrize(
    ("told", "waits"), [("7", 7), ("99999999999", 30), ("9" * 400, 30), ("soon", None)]
)
async def test_how_long_a_server_may_make_us_wait_is_bounded(
    server: Server, told: str, waits: float | None
) -> None:
    server.on(PODS, says({}, 429, **{"Retry-After": told}))
    async with Session(Credentials(server.url)) as session:
        with pytest.raises(ApiError) as refused:
            await session.get(PODS, Shape)
    assert refused.value.retry_after == waits


async def test_credentials_are_renewed_once_by_all_who_are_refused_together(server: Server) -> None:
    server.on(PODS, *[refuses(401)] * 8, says({"items": ["a"]}))
    async with Session(credentials := Credentials(server.url)) as session:
        found = await asyncio.gather(*(session.get(PODS, Shape) for _ in range(8)))
    assert all(one.items == ["a"] for one in found)
    assert credentials.renewed == 1


async def test_a_token_that_is_not_there_is_a_refusal_and_read_when_it_is_back(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InClusterCredentials, "tls", lambda _: None)
    monkeypatch.setattr(InClusterCredentials, "server", server.url)
    server.on(PODS, says({"items": ["a"]}))
    async with Session(InClusterCredentials("127.0.0.1", "1", tmp_path)) as session:
        with pytest.raises(UnauthorizedError, match="token cannot be read"):
            await session.get(PODS, Shape)
        (tmp_path / "token").write_text("t")
        assert (await session.get(PODS, Shape)).items == ["a"]


async def test_a_kubeconfig_that_is_just_written_is_a_refusal(server: Server) -> None:
    class Half(Credentials):
        def renew(self) -> None:
            raise KubeConfigError("not a kubeconfig")

    server.on(PODS, refuses(401))
    async with Session(Half(server.url)) as session:
        with pytest.raises(UnauthorizedError, match="not a kubeconfig"):
            await session.get(PODS, Shape)


async def test_certificates_are_read_anew_when_one_does_not_verify(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Rotated(Credentials):
        def tls(self) -> ssl.SSLContext:  # type: ignore[override]
            self.context = ssl.create_default_context()
            return self.context

    async with Session(credentials := Rotated(server.url)) as session:
        assert session._http is not None
        first = credentials.context
        shown: list[object] = []

        async def request(*_: object, ssl: object, **__: object) -> None:
            shown.append(ssl)
            raise aiohttp.ClientSSLError(_Key(), OSError("certificate verify failed"))  # type: ignore[arg-type]

        monkeypatch.setattr(session._http, "request", request)
        for _ in range(2):
            with pytest.raises(UntrustedError):
                await session.get(PODS, Shape)
    assert shown[0] is first
    assert shown[1] is not first
    assert credentials.renewed == 2


async def at_once(call: Callable[[], T]) -> T:
    return call()


async def test_who_waited_at_the_gate_renews_as_of_its_own_attempt(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many wait while the server is not trusted; each probe must read what there is by then."""
    monkeypatch.setattr(asyncio, "to_thread", at_once)  # a busy machine has no thread for long
    async with Session(credentials := Credentials(server.url)) as session:
        assert session._http is not None

        async def request(*_: object, **__: object) -> None:
            await asyncio.sleep(0.001)
            raise aiohttp.ClientSSLError(_Key(), OSError("certificate verify failed"))  # type: ignore[arg-type]

        monkeypatch.setattr(session._http, "request", request)
        with pytest.raises(UntrustedError):
            await session.get(PODS, Shape)
        waiting = (session.get(PODS, Shape) for _ in range(5))
        await asyncio.gather(*waiting, return_exceptions=True)
    assert credentials.renewed == 6


class _Key:
    ssl, host, port, is_ssl = True, "localhost", 1, True


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def test_who_takes_too_long_is_slow(server: Server) -> None:
    server.on(PODS, never)
    async with Session(Credentials(server.url), timeout=0.1) as session:
        with pytest.raises(SlowError):
            await session.get(PODS, Shape)


async def test_what_breaks_in_the_middle_of_an_answer_puts_the_server_in_doubt(
    server: Server,
) -> None:
    """Once it is told, it is known whether the server is there."""
    server.on(PODS, streams(b'{"items": [', then="abort"))
    async with Session(Credentials(server.url)) as session:
        with pytest.raises(UnreachableError):
            await session.get(PODS, Shape)
        with pytest.raises(UnreachableError):
            async with session.body(PODS) as body:
                await body.read()
        with pytest.raises(aiohttp.ClientPayloadError):
            async with session.stream(PODS, {}, silence=5) as watch:
                [_ async for _ in watch.iter_any()]
        assert server.probes == 3
        assert not session.gate.shut
        server.on(PROBE, aborts)
        with pytest.raises(aiohttp.ClientPayloadError):
            async with session.stream(PODS, {}, silence=5) as watch:
                [_ async for _ in watch.iter_any()]
        assert session.gate.down


async def test_a_probe_that_is_not_answered_in_time_is_none(server: Server) -> None:
    server.on(PODS, aborts)
    server.on(PROBE, streams(then="silence", before=asyncio.Event()), says({}))
    async with Session(Credentials(server.url), timeout=0.1) as session:
        with pytest.raises(UnreachableError):
            await session.get(PODS, Shape)
        assert not session.gate.down, "who begins to answer is there"
    server.script[PROBE] = [never]
    async with Session(Credentials(server.url), timeout=0.1) as session:
        with pytest.raises(UnreachableError):
            await session.get(PODS, Shape)
        assert session.gate.down


async def test_a_watch_has_a_connection_of_its_own(server: Server) -> None:
    """Also one that was read to its end, which another request could go on with."""
    ports = list[int]()

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.json_response({"items": []})

    server.on(PODS, answer)
    async with Session(Credentials(server.url)) as session:
        for _ in range(2):
            async with session.stream(PODS, {}, silence=5) as watch:
                assert [piece async for piece in watch.iter_any()]
            await session.get(PODS, Shape)
    first, asked, second, again = ports
    assert asked == again
    assert len({first, asked, second}) == 3
