"""The network between one client and the API server: TCP on loopback that can be cut and mended.

A cut is that of a network, not of a server: nothing is refused and nothing is closed, bytes are
only not carried any more. What was sent meanwhile arrives when it is mended, as TCP sends it again.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Self

from controlplane.ports import LOOPBACK

CHUNK = 2**16


class Relay:
    """Carries connections to a port, both ways, or only from the server, or not at all."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def cut(self) -> None:
        """Nothing passes any more."""
        self._call(self._let(up=False, down=False))

    def hold(self) -> None:
        """What the client says is kept; what the server says arrives."""
        self._call(self._let(up=False, down=True))

    def mend(self) -> None:
        """All passes, what was kept first."""
        self._call(self._let(up=True, down=True))

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _listen(self) -> None:
        await self._let(up=True, down=True)
        self._server = await asyncio.start_server(self._carry, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _let(self, *, up: bool, down: bool) -> None:
        for gate, passes in ((self._up, up), (self._down, down)):
            (gate.set if passes else gate.clear)()

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        await self._up.wait()  # a handshake does not pass a cut either
        far, forth = await asyncio.open_connection(LOOPBACK, self._target)
        for source, sink, gate in ((near, forth, self._up), (far, back, self._down)):
            task = asyncio.create_task(_pump(source, sink, gate))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, gate: asyncio.Event
) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                await gate.wait()
                sink.write(data)
                await sink.drain()
    finally:
        sink.close()
