"""A proxy in front of the API server that does, on command, what servers and networks do.

It runs in a thread with a loop of its own; its methods may be called from anywhere. What it does is
told by resource (`pods`, `metrics.k8s.io/pods`, `clusterauditreports/status`; `*` is all) and verb.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web

from .faults import Cut, Down, Fault, Stream
from .ports import LOOPBACK, free_port

T = TypeVar("T")
_HOP = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding"}
_KEPT = ("Content-Type", "Audit-Id", "Retry-After")
_LINGER_NOT = struct.pack("ii", 1, 0)
_PATIENCE = 30.0
_CLOSING = 0.5
"""Seconds for connections that were just being made or ended: TLS takes some turns for both."""
FOREVER = 10**9


@dataclass(frozen=True)
class Asked:
    """A request, or with the verb CONNECT a connection to a server that is down."""

    at: float
    """By the monotonic clock."""
    verb: str
    resource: str


class Proxy:
    """Stands before `server`, reached with the authority `ca`, and shows a certificate and key."""

    def __init__(self, server: str, ca: Path, certificate: Path, key: Path) -> None:
        self.port = free_port()
        self.asked: list[Asked] = []
        self._server = server
        self._upstream = ssl.create_default_context(cafile=ca)
        self._shown = (certificate, key)
        self._faults: dict[tuple[str, str], tuple[Fault, int]] = {}
        self._streams: set[Stream] = set()
        self._muted: set[str] = set()
        self._site: web.BaseSite | None = None
        self._dumb: asyncio.Server | None = None
        self._held: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"https://{LOOPBACK}:{self.port}"

    def kubeconfig(self, of: Path) -> Path:
        """A copy of a kubeconfig that leads through here."""
        path = of.with_name(f"{of.stem}-{self.port}.kubeconfig")
        path.touch(mode=0o600)
        path.write_text(of.read_text().replace(self._server, self.url))
        return path

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def _call(self, work: Callable[[], T]) -> T:
        async def do() -> T:
            return work()

        return self._do(do())

    # Commands

    def inject(
        self, fault: Fault, resource: str = "*", verb: str = "*", times: int = FOREVER
    ) -> None:
        """So many of the next requests meet a fault; another one for the same takes its place."""
        self._call(lambda: self._faults.__setitem__((resource, verb), (fault, times)))

    def heal(self) -> None:
        """No faults of answers any more, and streams speak again."""
        self._call(self._heal)

    def _heal(self) -> None:
        self._faults.clear()
        self._muted.clear()
        for one in self._streams:
            one.speaks.set()

    def cut(self, resource: str, how: Cut) -> int:
        """End the open watches of a resource; how many."""
        return self._call(lambda: self._put(resource, lambda _: how))

    def send(self, resource: str, event: Callable[[Stream], bytes | None]) -> int:
        """Put a line into open watches, made from what they sent before; into how many."""
        return self._call(lambda: self._put(resource, event))

    def _put(self, resource: str, what: Callable[[Stream], bytes | Cut | None]) -> int:
        made = [(one, what(one)) for one in self._of(resource)]
        for one, item in made:
            if item is not None:
                one.lines.put_nowait(item)
        return sum(item is not None for _, item in made)

    def mute(self, resource: str) -> int:
        """Half-open: open watches say nothing any more, nor do new ones, until `heal`.

        What they had to say is held back, as by a network that comes back in time.
        """

        def do() -> int:
            self._muted.add(resource)
            for one in self._of(resource):
                one.speaks.clear()
            return len(self._of(resource))

        return self._call(do)

    def streams(self, resource: str = "*") -> int:
        """How many watches are open."""
        return self._call(lambda: len(self._of(resource)))

    def down(self, how: Down) -> None:
        """End all connections; from now on there is no server."""
        self._do(self._go_down(how))

    def up(self, certificate: Path | None = None, key: Path | None = None) -> None:
        """The server is there again, with another certificate if one is given."""
        if certificate and key:
            self._shown = (certificate, key)
        self._do(self._go_up())

    def counted(self, since: float = 0.0) -> Counter[tuple[str, str]]:
        """Requests by verb and resource."""
        return Counter((one.verb, one.resource) for one in self.asked if one.at >= since)

    def _of(self, resource: str) -> list[Stream]:
        return [one for one in self._streams if resource in {"*", one.resource}]

    # The server

    async def _open(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._upstream, limit=0),
            skip_auto_headers=("Accept-Encoding",),  # lines are read here, not packed ones
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            read_bufsize=2**20,
        )
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await self._go_up()

    async def _close(self) -> None:
        await self._go_down(Down.REFUSES)
        await self._runner.cleanup()
        await self._http.close()
        await asyncio.sleep(_CLOSING)

    async def _go_up(self) -> None:
        await self._stop_listening()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._shown)
        self._site = web.TCPSite(
            self._runner, LOOPBACK, self.port, ssl_context=context, reuse_address=True
        )
        await self._site.start()

    async def _go_down(self, how: Down) -> None:
        await self._stop_listening()
        if how is not Down.REFUSES:
            self._dumb = await asyncio.start_server(
                lambda _, writer: self._refuse(writer, how), LOOPBACK, self.port
            )

    async def _stop_listening(self) -> None:
        if self._site is not None:
            await self._site.stop()
            self._site = None
        if self._dumb is not None:
            self._dumb.close()
            self._dumb = None
        for connection in list(self._runner.server.connections if self._runner.server else ()):
            _reset(connection.transport)
        for writer in self._held:
            _reset(writer.transport)
        self._held.clear()

    async def _refuse(self, writer: asyncio.StreamWriter, how: Down) -> None:
        self.asked.append(Asked(time.monotonic(), "CONNECT", ""))
        if how is Down.RESETS:
            _reset(writer.transport)
        else:
            self._held.add(writer)

    # A request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        verb, resource = _verb(request), _resource(request.path)
        self.asked.append(Asked(time.monotonic(), verb, resource))
        fault = self._fault(verb, resource)
        await asyncio.sleep(fault.delay)
        if fault.hangs:
            await asyncio.sleep(FOREVER)
        if fault.status:
            return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
        try:
            return await self._pass_on(request, verb, resource)
        except aiohttp.ClientError:
            _reset(request.transport)
            raise web.HTTPBadGateway from None

    def _fault(self, verb: str, resource: str) -> Fault:
        for key in ((resource, verb), (resource, "*"), ("*", verb), ("*", "*")):
            fault, times = self._faults.get(key, (Fault(), 0))
            if times > 0:
                self._faults[key] = (fault, times - 1)
                return fault
        return Fault()

    async def _pass_on(self, request: web.Request, verb: str, resource: str) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        url = self._server + request.raw_path
        body = await request.read() if request.can_read_body else None
        async with self._http.request(request.method, url, data=body, headers=headers) as answer:
            kept = {key: answer.headers[key] for key in _KEPT if key in answer.headers}
            if verb != "WATCH" or answer.status >= 400:  # noqa: PLR2004 - refusals
                text = await answer.read()
                return web.Response(status=answer.status, body=text, headers=kept)
            return await self._relay(request, resource, answer, kept)

    async def _relay(
        self,
        request: web.Request,
        resource: str,
        answer: aiohttp.ClientResponse,
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        """A watch, line by line, so that other lines can come in between."""
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        stream = Stream(resource)
        if not {"*", resource} & self._muted:
            stream.speaks.set()
        with self._registered(stream, answer):
            while True:
                item = await stream.lines.get()
                await stream.speaks.wait()
                if item is Cut.RESET:
                    _reset(request.transport)
                    return response
                if item is Cut.MIDLINE:
                    await response.write(b'{"type": "DELETED", "object": {"metadata": {"na')
                if isinstance(item, Cut):
                    return response
                await response.write(item)
                stream.noted(item)

    @contextlib.contextmanager
    def _registered(self, stream: Stream, answer: aiohttp.ClientResponse) -> Iterator[None]:
        reading = asyncio.create_task(_read(stream, answer))
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)
            reading.cancel()
            answer.close()


async def _read(stream: Stream, answer: aiohttp.ClientResponse) -> None:
    """Lines of the server, whole; its end is a clean cut, a broken connection a reset."""
    rest = b""
    try:
        async for chunk in answer.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                stream.lines.put_nowait(line + b"\n")
    except (aiohttp.ClientError, OSError):
        stream.lines.put_nowait(Cut.RESET)
    else:
        stream.lines.put_nowait(Cut.CLEAN)


def _reset(transport: asyncio.BaseTransport | None) -> None:
    """End a connection with RST."""
    if not isinstance(transport, asyncio.Transport):
        return
    try:
        raw = transport.get_extra_info("socket")
    except AttributeError:  # of TLS and closed twice: CPython 3.11 has let go of what is below it
        return
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()


def _verb(request: web.Request) -> str:
    watches = request.query.get("watch", "") in {"true", "1"}
    return "WATCH" if watches and request.method == "GET" else request.method


def _resource(path: str) -> str:
    """`pods`, `metrics.k8s.io/pods`, `clusterauditreports/status`; else the path itself."""
    parts = [one for one in path.split("/") if one]
    if parts[:1] == ["api"]:
        group, rest = "", parts[2:]
    elif parts[:1] == ["apis"]:
        group, rest = parts[1] if len(parts) > 1 else "", parts[3:]
    else:
        return path
    if rest[:1] == ["namespaces"] and len(rest) > 2:  # noqa: PLR2004 - namespaces, its name, more
        rest = rest[2:]
    if not rest:
        return path
    prefix = f"{group}/" if group == "metrics.k8s.io" else ""
    return prefix + "/".join([rest[0], *rest[2:]])
