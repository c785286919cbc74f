"""Probes and metrics over real sockets: what is asked is answered, and nobody can hold them up."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web as aiohttp_web

from clusteraudit.handlers import web
from clusteraudit.handlers.certificate import Certificate, CertificateError, CertificateFiles
from clusteraudit.handlers.web import CONNECTIONS, REQUEST_BYTES, metrics, probe, serve
from controlplane.certificates import Authority
from demo.operator import free_port

HOST = "127.0.0.1"
LIFETIME = 1.0
MUCH = b"one 1\n" * 4_000_000
"""More than the buffers of two sockets hold."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LIFETIME", LIFETIME)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    wrong: list[str] = []
    routes = {
        "/healthz": probe(lambda: wrong),
        "/readyz": probe(lambda: ["not synced yet: Pod"]),
        "/metrics": metrics(lambda: lambda: MUCH),
    }
    number = free_port()
    async with serve(HOST, number, routes):
        yield number


async def ask(
    port: int, request: bytes = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", **more: object
) -> bytes:
    """All of the answer; empty if the connection is closed without one."""
    reader, writer = await asyncio.open_connection(HOST, port, **more)  # type: ignore[arg-type]
    try:
        writer.write(request)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            return await reader.read()
        return b""
    finally:
        await leave(writer)


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def status(answer: bytes) -> int:
    return int(answer.split()[1]) if answer else 0


@pytest.mark.parametrize(
    ("request_line", "code"),
    [
        ("GET /healthz HTTP/1.1", 200),
        ("HEAD /healthz HTTP/1.1", 200),
        ("GET /healthz?verbose HTTP/1.1", 200),
        ("GET /healthz HTTP/1.0", 200),
        ("GET /readyz HTTP/1.1", 503),
        ("GET /metrics HTTP/1.1", 200),
        ("GET / HTTP/1.1", 404),
        ("GET /../metrics HTTP/1.1", 404),
        ("POST /healthz HTTP/1.1", 405),
        ("GET", 400),
        ("\x00\x01", 400),
    ],
)
async def test_what_is_answered(port: int, request_line: str, code: int) -> None:
    answer = await ask(port, f"{request_line}\r\nHost: a\r\n\r\n".encode())
    assert status(answer) == code
    if code in {404, 405, 400}:
        assert len(answer) < 500
        assert b"Traceback" not in answer


async def test_a_connection_is_for_one_request(port: int) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    assert (await ask(port, one * 5)).count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost",
        b"POST /healthz HTTP/1.1\r\nContent-Length: 9\r\n\r\n1",
    ],
    ids=["nothing", "half a header", "half a body"],
)
async def test_who_says_too_little_is_left(port: int, sent: bytes) -> None:
    start = time.monotonic()
    await ask(port, sent)
    assert time.monotonic() - start < 2 * LIFETIME


async def test_who_is_slow_is_left(port: int) -> None:
    """A byte now and then, for ever (slow loris); others are answered meanwhile."""
    reader, writer = await asyncio.open_connection(HOST, port)
    start = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while not reader.at_eof() and time.monotonic() - start < 5 * LIFETIME:
            writer.write(b"G" if time.monotonic() == start else b"E")
            await asyncio.sleep(LIFETIME / 10)
            await writer.drain()
            assert status(await ask(port)) == 200
    assert time.monotonic() - start < 2 * LIFETIME
    await leave(writer)


async def test_who_does_not_read_is_left(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port, limit=1024)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(2 * LIFETIME)
    with contextlib.suppress(ConnectionError):
        assert len(await reader.read()) < len(MUCH)
    await leave(writer)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 2 * REQUEST_BYTES,
        b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * REQUEST_BYTES,
        b"POST /healthz HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n" + b"a" * 2 * REQUEST_BYTES,
    ],
    ids=["line", "headers", "body"],
)
async def test_who_says_too_much_is_not_heard(port: int, sent: bytes) -> None:
    start = time.monotonic()
    assert status(await ask(port, sent)) in {0, 400, 405}
    assert time.monotonic() - start < LIFETIME
    assert status(await ask(port)) == 200


async def test_idle_connections_keep_nobody_out(port: int) -> None:
    idle = [await asyncio.open_connection(HOST, port) for _ in range(3 * CONNECTIONS)]
    start = time.monotonic()
    for _ in range(10):
        assert status(await ask(port)) == 200
    assert time.monotonic() - start < LIFETIME / 2
    for _, writer in idle:
        await leave(writer)


async def test_a_failing_handler_is_a_500_and_the_next_request_is_answered() -> None:
    async def fail(_: aiohttp_web.BaseRequest) -> aiohttp_web.Response:
        raise ValueError("secret")

    number = free_port()
    async with serve(HOST, number, {"/": fail}):
        answer = await ask(number, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(answer) == 500
    assert b"secret" not in answer


async def test_many_who_ask_share_one_exposition() -> None:
    made: list[int] = []

    def text() -> bytes:
        made.append(1)
        time.sleep(0.05)
        return b"one 1\n"

    number = free_port()
    async with serve(HOST, number, {"/metrics": metrics(lambda: text)}):
        request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
        answers = await asyncio.gather(*(ask(number, request) for _ in range(20)))
    assert all(one.endswith(b"one 1\n") for one in answers)
    assert len(made) <= 2


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def issue(authority: Authority, into: CertificateFiles, *, half: bool = False) -> None:
    """A new certificate and key, one of the two if half."""
    certificate, key = authority.issue(f"user-{time.monotonic_ns()}")
    into.certificate.write_bytes(certificate.read_bytes())
    if not half:
        into.key.write_bytes(key.read_bytes())


async def served(port: int) -> bytes:
    """The certificate that is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(await reader.read()) == 200
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert isinstance(shown, bytes)
        return shown
    finally:
        await leave(writer)


async def test_a_certificate_is_renewed_while_it_serves(
    authority: Authority, tmp_path: Path
) -> None:
    files = CertificateFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    with pytest.raises(CertificateError, match=r"tls\.crt"):
        Certificate(files)
    issue(authority, files)
    number = free_port()
    async with serve(HOST, number, {"/healthz": probe(list)}, Certificate(files)):
        first = await served(number)
        assert await served(number) == first
        issue(authority, files, half=True)
        assert await served(number) == first, "half of it serves nobody"
        files.key.unlink()
        assert await served(number) == first
        issue(authority, files)
        assert await served(number) != first
        start = time.monotonic()
        assert status(await ask(number)) == 0, "no plain HTTP"
        await ask(number, b"")  # no handshake: it ends like any other
        assert time.monotonic() - start < 2 * LIFETIME
        assert await served(number)
