"""Probes and metrics over HTTP, for whoever can reach the port: bounded in all that it may cost.

A connection carries one request, lives for ten seconds, and may send 16 KiB. There are 64 at a
time; of more the oldest ends, so that who only holds connections open keeps nobody else out.
aiohttp reads requests and writes answers; who may come in, and for how long, is said here.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiohttp import web

from clusteraudit.handlers.certificate import Certificate
from clusteraudit.kube.reviews import Reviewer, Verdict

LIFETIME = 10.0
CONNECTIONS = 64
REQUEST_BYTES = 16 * 1024
_BACKLOG = 128
_FULL = 0.1
"""Seconds to wait where the process has no file left for a connection."""
_FRESH = 0.25
"""Seconds for which one exposition is good for all who ask."""
_TEXT = "text/plain; version=0.0.4; charset=utf-8"

Check = Callable[[], list[str]]
"""What is wrong; nothing if the check passes."""
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Routes = Mapping[str, Handler]


@asynccontextmanager
async def serve(
    host: str, port: int, routes: Routes, certificate: Certificate | None = None
) -> AsyncIterator[None]:
    """Serve the routes for as long as the context lasts; raises OSError if it cannot listen."""
    server = web.Server(partial(_answer, routes), handler_cancellation=True)
    listener = _Listener(server, certificate)
    with contextlib.ExitStack() as sockets:
        listening = [sockets.enter_context(one) for one in _bind(host, port)]
        tasks = [asyncio.create_task(listener.listen(one)) for one in listening]
        try:
            yield
        finally:
            await _end([*tasks, *listener.open])


def _bind(host: str, port: int) -> list[socket.socket]:
    """All addresses of both families if no host is named."""
    if host or not socket.has_dualstack_ipv6():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    else:
        bound = socket.create_server(
            ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG
        )
    bound.settimeout(0)
    return [bound]


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for one in tasks:
        one.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Listener:
    """Lets connections in, and ends them."""

    def __init__(self, server: web.Server, certificate: Certificate | None) -> None:
        self.open: dict[asyncio.Task[None], None] = {}
        """Oldest first."""
        self._server = server
        self._certificate = certificate

    async def listen(self, listening: socket.socket) -> None:
        """Accept, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError:
                await asyncio.sleep(_FULL)
                continue
            if len(self.open) >= CONNECTIONS:
                oldest = next(iter(self.open))
                del self.open[oldest]
                oldest.cancel()
            self._admit(connection)
            await asyncio.sleep(0)  # who must go is gone before many more come

    def _admit(self, connection: socket.socket) -> None:
        task = asyncio.create_task(self._attend(connection))
        self.open[task] = None

        def left(done: asyncio.Task[None]) -> None:
            self.open.pop(done, None)
            connection.close()

        task.add_done_callback(left)

    async def _attend(self, connection: socket.socket) -> None:
        """One connection, from the handshake to its end."""
        loop = asyncio.get_running_loop()
        tls = self._certificate.context() if self._certificate else None
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(LIFETIME):
                transport, protocol = await loop.connect_accepted_socket(
                    lambda: _Connection(self._server, loop=loop), connection, ssl=tls
                )
                try:
                    await protocol.closed.wait()
                finally:
                    transport.abort()


class _Connection(web.RequestHandler):
    """Bounded in what it takes; tells when it is closed."""

    def __init__(self, server: web.Server, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, lingering_time=0, keepalive_timeout=LIFETIME)
        self.closed = asyncio.Event()
        self._room = REQUEST_BYTES

    def data_received(self, data: bytes) -> None:
        """What is too much is not read."""
        self._room -= len(data)
        if self._room >= 0:
            super().data_received(data)
        elif self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is over."""
        super().connection_lost(exc)
        self.closed.set()


async def _answer(routes: Routes, request: web.BaseRequest) -> web.StreamResponse:
    handler = routes.get(request.path)
    if handler is None:
        response: web.StreamResponse = web.Response(status=404, text="not found\n")
    elif request.method not in {"GET", "HEAD"}:
        response = web.Response(status=405, headers={"Allow": "GET, HEAD"})
    else:
        response = await handler(request)
    response.force_close()
    return response


def probe(check: Check) -> Handler:
    """200 and `ok`, or 503 and what is wrong, a line each."""

    async def answer(_: web.BaseRequest) -> web.Response:
        wrong = check()
        return web.Response(status=503 if wrong else 200, text="\n".join(wrong or ["ok"]) + "\n")

    return answer


def metrics(exposition: Callable[[], Callable[[], bytes]]) -> Handler:
    """The exposition text; what is so is looked up on the loop, its text is made off it."""
    turn = asyncio.Lock()
    made: list[Any] = [0.0, b""]

    async def answer(_: web.BaseRequest) -> web.Response:
        async with turn:
            if time.monotonic() - made[0] > _FRESH:
                made[1] = await asyncio.to_thread(exposition())
                made[0] = time.monotonic()
        return web.Response(body=made[1], headers={"Content-Type": _TEXT})

    return answer


def guarded(handler: Handler, reviewer: Reviewer) -> Handler:
    """Only for those whom the API server allows to `get` this path."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        header = request.headers.get("Authorization", "")
        verdict = await reviewer.review(header, request.path)
        if verdict is Verdict.ALLOWED:
            return await handler(request)
        unknown = verdict is Verdict.UNAUTHENTICATED
        headers = {"WWW-Authenticate": "Bearer"} if unknown else {}
        return web.Response(status=verdict.value, text=f"{verdict.name.lower()}\n", headers=headers)

    return answer
