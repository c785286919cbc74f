"""The body of a watch, read some times a second instead of once for each event.

To be woken for an event costs as much as to read it. What gathers in the meantime comes together.
"""

import asyncio
from collections.abc import AsyncIterator

import aiohttp

PAUSE = 0.2
"""Seconds from one moment at which pieces are taken to the next, the same for all watches: who is
woken for several at once is woken once."""
_LITTLE = 2**16
"""Bytes of a piece from which on pieces are large enough as they come."""


class Paced:
    """What an answer has to say; its server never waits for longer than a pause."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Pieces as they come."""
        async for piece in self._answer.content.iter_any():
            yield piece
            if len(piece) < _LITTLE:
                await self._gather()

    async def _gather(self) -> None:
        connection = self._answer.connection
        transport = connection.transport if connection else None
        if transport is None:  # all has come
            return
        transport.pause_reading()
        try:
            await asyncio.sleep(PAUSE - asyncio.get_running_loop().time() % PAUSE)
        finally:
            if not transport.is_closing():  # one of TLS may have let go of what is below it
                transport.resume_reading()
