"""Asking again where the server asks for time: what a command does, which has no next round."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from clusteraudit.kube.errors import ApiError

T = TypeVar("T")
RETRIES = 10
"""As many as client-go makes (`rest.Request`, `maxRetries`)."""


async def patiently(ask: Callable[[], Awaitable[T]], told: Callable[[float], None]) -> T:
    """The answer; who answers with `Retry-After` is asked again then, whatever the refusal.

    `told` hears each second how many are left. Raises what the last attempt raises.
    """
    for _ in range(RETRIES):
        try:
            return await ask()
        except ApiError as error:
            if error.retry_after is None:
                raise
            await _pause(error.retry_after, told)
    return await ask()


async def _pause(seconds: float, told: Callable[[float], None]) -> None:
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        told(left)
        await asyncio.sleep(min(1.0, left))
