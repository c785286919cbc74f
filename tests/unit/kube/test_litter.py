"""Which connections leave their buffers of TLS in a cycle: those alone are counted."""

import asyncio
import gc
import ssl
from asyncio import sslproto
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from clusteraudit.kube.errors import NotFoundError, UnreachableError
from clusteraudit.kube.session import Session
from support.apiserver import serving, streams
from support.credentials import Trusting, tls_of

PODS = "/api/v1/pods"
TIMES = 5


@pytest.fixture
def of_tls(tmp_path: Path) -> ssl.SSLContext:
    return tls_of(tmp_path)


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def litter() -> int:
    """Ends of connections that only the collector can find."""
    before = sum(isinstance(one, sslproto.SSLProtocol) for one in gc.get_objects())
    gc.collect()
    return before - sum(isinstance(one, sslproto.SSLProtocol) for one in gc.get_objects())


async def watched(session: Session) -> None:
    async with session.stream(PODS, {}, silence=0.2) as watch:
        async for _ in watch.iter_any():
            pass


async def left(session: Session) -> None:
    async with session.stream(PODS, {}, silence=5) as watch:
        async for _ in watch.iter_any():
            break


async def refused(session: Session) -> None:
    with pytest.raises(NotFoundError):
        await session.get("/api/v1/nothing", dict)


async def probed(session: Session) -> None:
    await session.gate.doubt()


@pytest.mark.parametrize(
    ("then", "act"),
    [
        ("end", watched),
        ("abort", watched),
        ("silence", watched),
        ("silence", left),
        ("end", refused),
        ("end", probed),
    ],
)
@pytest.mark.usefixtures("uncollected")
async def test_what_a_server_that_is_there_ends_leaves_none(
    of_tls: ssl.SSLContext, then: str, act: Callable[[Session], Awaitable[None]]
) -> None:
    async with serving(of_tls) as server, Session(Trusting(server.url)) as session:
        server.on(PODS, streams(*[b"x" * 1000] * 100, then=then))
        for _ in range(TIMES):
            try:
                await act(session)
            except (aiohttp.ClientError, TimeoutError):
                assert then != "end"
        await asyncio.sleep(0.2)

        assert (session.unmade, litter()) == (0, 0)


@pytest.mark.usefixtures("uncollected")
async def test_one_that_is_not_made_leaves_one_and_counts() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Session(Trusting(url), timeout=0.1) as session:
        with pytest.raises(UnreachableError):
            async with asyncio.timeout(0.5):
                await session.get(PODS, dict)
        await asyncio.sleep(0.2)

        assert session.unmade > 0
        assert litter() > 0
