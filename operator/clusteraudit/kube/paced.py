"""The body of a watch, read some times a second instead of once for each event.

To be woken for an event costs as much as to read it. What gathers in the meantime comes together.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol, runtime_checkable

import aiohttp

PAUSE = 0.2
"""Seconds from one moment at which pieces are taken to the next, the same for all watches: who is
woken for several at once is woken once."""
_LITTLE = 2**15
"""Bytes of a piece from which on pieces are large enough as they come: half of what is read of a
socket at once."""


@runtime_checkable
class _Buffering(Protocol):
    """A transport of TLS."""

    def set_read_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """How much may be read of the socket that is not told yet; by default, as much as usual."""


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
        _hold(transport)
        try:
            await asyncio.sleep(PAUSE - asyncio.get_running_loop().time() % PAUSE)
        finally:
            _go_on(transport)


def _hold(transport: asyncio.Transport) -> None:
    """Read no more of the socket.

    One of TLS that is paused would read on, into its own buffer, and wake the loop for each piece;
    it does not where no buffer is allowed.
    """
    if isinstance(transport, _Buffering):
        with suppress(AttributeError):  # as below
            transport.set_read_buffer_limits(high=0)
    else:
        transport.pause_reading()


def _go_on(transport: asyncio.Transport) -> None:
    """Read again, unless it was closed meanwhile."""
    if transport.is_closing():
        return
    if isinstance(transport, _Buffering):
        with suppress(AttributeError):  # it has let go of what is below it, and does not say so yet
            transport.set_read_buffer_limits()
    else:
        transport.resume_reading()
