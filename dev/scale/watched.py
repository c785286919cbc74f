"""The operator as its metrics and the API server show it, and how soon a change shows."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from clusteraudit.report.resource import GROUP, PLURAL, VERSION

if TYPE_CHECKING:
    from demo.operator import Operator
    from scale.server import Server

REPORT = f"/apis/{GROUP}/{VERSION}/{PLURAL}/cluster"
_SERIES = re.compile(r"^(cluster_audit_\w+)(?:\{(.*)\})? ([-+.\deE]+)$", re.MULTILINE)
_SHOWS = 'cluster_audit_findings{loop="network",rule="NET102",severity="low"}'
_LOOK = 0.2
"""Seconds between looks at the metrics."""
_PROBES = 4
"""Changes a second of which it is measured when they show."""


async def scrape(operator: Operator) -> dict[str, float]:
    """All samples by their series."""
    text = await _text(operator)
    return {
        name + (f"{{{labels}}}" if labels else ""): float(number)
        for name, labels, number in _SERIES.findall(text)
    }


async def _text(operator: Operator) -> str:
    url = f"http://127.0.0.1:{operator.metrics_port}/metrics"
    async with aiohttp.ClientSession(trust_env=False) as http, http.get(url) as answer:
        return await answer.text()


def total(samples: dict[str, float], name: str) -> float:
    """The sum of all series of a metric."""
    return sum(value for series, value in samples.items() if series.partition("{")[0] == name)


async def report(server: Server) -> dict[str, Any]:
    """The status of the report; empty while there is none."""
    async with server.http.get(REPORT) as answer:
        found: dict[str, Any] = await answer.json()
    status: dict[str, Any] = found.get("status") or {}
    return status


async def published(server: Server, since: float, patience: float) -> float:
    """Seconds since then until a report is published; raises TimeoutError."""
    async with asyncio.timeout(patience):
        while "score" not in await report(server):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(_LOOK)
    return time.monotonic() - since


class Probes:
    """Policies that select nothing: each is a finding more, and the metrics count them."""

    def __init__(self, operator: Operator, server: Server, namespace: str) -> None:
        self._operator = operator
        self._server = server
        self._namespace = namespace
        self._sent: list[float] = []
        self._base = 0
        self.latencies: list[float] = []
        """Seconds from a write to the metric that shows it."""

    @property
    def sent(self) -> int:
        """How many were written."""
        return len(self._sent)

    async def run(self, seconds: float, patience: float) -> None:
        """Write some each second, and look until the last has shown or patience is over."""
        self._base = await self._count()
        looking = asyncio.create_task(self._look(seconds + patience, round(seconds * _PROBES)))
        for number in range(round(seconds * _PROBES)):
            await self._write(number)
            await asyncio.sleep(1 / _PROBES)
        await looking

    async def _count(self) -> int:
        return int((await scrape(self._operator)).get(_SHOWS, 0))

    async def _write(self, number: int) -> None:
        meta = {"name": f"probe-{number:05}", "namespace": self._namespace}
        spec = {"podSelector": {"matchLabels": {"probe": f"nobody-{number}"}}}
        body = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": meta,
            "spec": spec,
        }
        url = f"/apis/networking.k8s.io/v1/namespaces/{self._namespace}/networkpolicies"
        self._sent.append(time.monotonic())
        async with self._server.http.post(url, json=body) as answer:
            answer.raise_for_status()

    async def _look(self, seconds: float, wanted: int) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and len(self.latencies) < wanted:
            shown = await self._count() - self._base
            now = time.monotonic()
            while len(self.latencies) < min(shown, len(self._sent)):
                self.latencies.append(now - self._sent[len(self.latencies)])
            await asyncio.sleep(_LOOK)


def percentile(values: list[float], share: float) -> float | None:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
