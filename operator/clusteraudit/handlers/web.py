"""Probes and metrics over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Check = Callable[[], list[str]]
"""What is wrong; nothing if the check passes."""


@asynccontextmanager
async def serve(host: str, port: int, routes: list[web.RouteDef]) -> AsyncIterator[None]:
    """Serve the routes for as long as the context lasts."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()


def probe(path: str, check: Check) -> web.RouteDef:
    """200 and `ok`, or 503 and what is wrong, a line each."""

    async def answer(_: web.Request) -> web.Response:
        wrong = check()
        return web.Response(status=503 if wrong else 200, text="\n".join(wrong or ["ok"]) + "\n")

    return web.get(path, answer)


def metrics(exposition: Callable[[], Callable[[], bytes]]) -> web.RouteDef:
    """The exposition text; what is so is looked up on the loop, its text is made off it."""

    async def answer(_: web.Request) -> web.Response:
        body = await asyncio.to_thread(exposition())
        return web.Response(body=body, headers={"Content-Type": _TEXT})

    return web.get("/metrics", answer)


_TEXT = "text/plain; version=0.0.4; charset=utf-8"
