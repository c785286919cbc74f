"""Mass writes into etcd, as the API server would have written them.

Through the API server a pod takes two requests (it drops the status of a new pod), and a large
cluster ten minutes of its CPU. Built-in kinds are read as JSON as well as protobuf, so the objects
go into etcd as JSON, a hundred at once. Who watches sees no difference.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterable

Put = tuple[str, bytes | None]
"""A key below the registry and the object's JSON; None deletes it."""

_ROOT = "/registry/"
_MOST = 100
"""Operations of a transaction: etcd takes 128."""
_BYTES = 1_000_000
"""Of a transaction: etcd takes 1.5 MiB."""
_AT_ONCE = 4
_PATIENCE, _AGAIN = 60.0, 1.0
"""Seconds for which a write is tried again that etcd could not take, and between: a machine that
stands still for some seconds, as virtual ones do, is no reason to lose an hour's run.
"""


class Etcd:
    """An etcd, by its gateway of JSON."""

    def __init__(self, port: int, patience: float = _PATIENCE) -> None:
        self._url = f"http://127.0.0.1:{port}/v3/kv/"
        self._patience = patience
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http:
            await self._http.close()

    async def load(self, puts: Iterable[Put]) -> int:
        """Write all of them, in no order; how many there were."""
        gate, count = asyncio.Semaphore(_AT_ONCE), 0
        async with asyncio.TaskGroup() as group:
            for batch in _batches(puts):
                await gate.acquire()
                group.create_task(self._then_release(batch, gate))
                count += len(batch)
        return count

    async def _then_release(self, batch: list[Put], gate: asyncio.Semaphore) -> None:
        try:
            await self.write(batch)
        finally:
            gate.release()

    async def write(self, batch: list[Put]) -> None:
        """Write a few in one transaction."""
        await self._ask("txn", {"success": [_operation(*put) for put in batch]})

    async def count(self, prefix: str) -> int:
        """How many keys begin so; what nobody cached, and no request is too large for."""
        start = (_ROOT + prefix).encode()
        end = start[:-1] + bytes([start[-1] + 1])
        asked = {"key": _text(start), "rangeEnd": _text(end), "countOnly": True}
        return int((await self._ask("range", asked)).get("count", 0))

    async def revision(self) -> int:
        """As of now."""
        told = await self._ask("range", {"key": _text(_ROOT.encode()), "countOnly": True})
        return int(told["header"]["revision"])

    async def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._http is None:
            raise RuntimeError("etcd is not open")
        data, until = json.dumps(body).encode(), time.monotonic() + self._patience
        while True:
            async with self._http.post(self._url + what, data=io.BytesIO(data)) as answer:
                text = await answer.text()
            if answer.status == HTTPStatus.OK:
                told: dict[str, Any] = json.loads(text)
                return told
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() >= until:
                raise RuntimeError(f"etcd: {answer.status} {text[:300]}")
            await asyncio.sleep(_AGAIN)


def _batches(puts: Iterable[Put]) -> Iterable[list[Put]]:
    batch: list[Put] = []
    size = 0
    for put in puts:
        more = len(put[1] or b"")
        if batch and (len(batch) == _MOST or size + more > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(put)
        size += more
    if batch:
        yield batch


def _operation(key: str, value: bytes | None) -> dict[str, Any]:
    where = _text((_ROOT + key).encode())
    if value is None:
        return {"requestDeleteRange": {"key": where}}
    return {"requestPut": {"key": where, "value": _text(value)}}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
