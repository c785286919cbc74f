"""A scripted API server on a loopback socket: it answers each path as it is told, in order."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
PROBE = "/version"


def says(body: object, status: int = 200, **headers: str) -> Answer:
    """A whole answer: an object as JSON, or bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=data, status=status, headers=headers)

    return answer


def refuses(status: int, message: str = "no", **headers: str) -> Answer:
    """A refusal as the API server words it."""
    return says({"kind": "Status", "message": message}, status, **headers)


async def aborts(request: web.Request) -> web.StreamResponse:
    """No answer: the connection breaks."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def streams(
    *events: object, chunk: int = 0, then: str = "end", before: asyncio.Event | None = None
) -> Answer:
    """A watch: events, and then its end, silence, or an abort in the middle of a line."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        if before is not None:
            await before.wait()
        data = b"".join(
            one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in events
        )
        step = chunk or max(1, len(data))
        for start in range(0, len(data), step):
            await response.write(data[start : start + step])
        if then == "silence":
            await asyncio.sleep(60)
        elif then == "abort" and request.transport is not None:
            await asyncio.sleep(0.01)
            request.transport.abort()
        return response

    return answer


@dataclass
class Server:
    """What was asked, and what is answered; the last answer of a path is repeated."""

    url: str = ""
    script: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    agents: Counter[str] = field(default_factory=Counter)
    written: list[tuple[str, str, Any]] = field(default_factory=list)
    """Verb, path and body of what was no GET."""
    probes: int = 0
    """How often it was asked whether it is there; it says so, unless told otherwise."""

    def on(self, path: str, *answers: Answer) -> None:
        """Script a path."""
        self.script.setdefault(path, []).extend(answers)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer with what is next for the path."""
        if request.path == PROBE:
            self.probes += 1
            return await self._next(request, says({"gitVersion": "v1.37.0"}))
        self.asked.append((request.path, dict(request.query)))
        self.agents[request.headers.get("User-Agent", "")] += 1
        if request.method != "GET":
            self.written.append((request.method, request.path, await request.json()))
        return await self._next(request, refuses(404))

    async def _next(self, request: web.Request, otherwise: Answer) -> web.StreamResponse:
        answers = self.script.get(request.path, [otherwise])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return await answer(request)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server for as long as the context lasts."""
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def pod(name: str, version: int = 6, **spec: object) -> dict[str, Any]:
    """A small pod."""
    meta = {"name": name, "namespace": "n", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": spec}


def event(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    """A watch event."""
    return {"type": kind, "object": item}


def mark(version: int, *, end: bool = False) -> dict[str, Any]:
    """A bookmark; `end` is the one after the initial events."""
    notes = {"annotations": {"k8s.io/initial-events-end": "true"}} if end else {}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version), **notes}})


def initial(*names: str, version: int = 5) -> list[dict[str, Any]]:
    """A whole streaming list."""
    return [*(event("ADDED", pod(name)) for name in names), mark(version, end=True)]


def page(names: Iterable[str], token: str = "", version: int = 5) -> dict[str, Any]:
    """A page of a list."""
    meta = {"resourceVersion": str(version), "continue": token}
    return {"metadata": meta, "items": [pod(name) for name in names]}


def lists(*names: str, version: int = 5) -> Answer:
    """A whole list, in a single page."""
    return says(page(names, version=version))
