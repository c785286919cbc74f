"""Asking again where the server asks for time: what a command does, which has no next round."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from clusteraudit.kube.errors import ApiError

T = TypeVar("T")
RETRIES = 10
"""As many as client-go makes (`rest.Request`, `maxRetries`)."""


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer; who answers with `Retry-After` is asked again then, whatever the refusal.

    Raises what the last attempt raises.
    """
    for _ in range(RETRIES):
        try:
            return await ask()
        except ApiError as error:
            if error.retry_after is None:
                raise
            await asyncio.sleep(error.retry_after)
    return await ask()
