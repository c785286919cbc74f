"""The API server as the yardstick: what a bare list takes, and what it was asked."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import aiohttp
import msgspec

from clusteraudit.kube.session import JSON
from clusteraudit.sources.resources import WATCHED, path

if TYPE_CHECKING:
    from clusteraudit.sources.feed import Resource
    from controlplane.api import Access

PAGES = (500, 5000)
_PARTIAL = "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1"
_CONTINUE = re.compile(rb'"continue":"([^"]+)"')
_END = b'"k8s.io/initial-events-end":"true"'
_SERIES = re.compile(r"^(\w+)\{(.*)\} ([\d.e+]+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Asked = Counter[tuple[str, str]]
"""Requests by verb and resource."""


@dataclass(frozen=True)
class BareList:
    """Listing everything and throwing it away, the best way that there is."""

    seconds: float
    size: int
    """Bytes of JSON."""
    by_way: dict[str, float]


class Server:
    """The API server, as its admin."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            base_url=self._access.server,
            headers={"Authorization": f"Bearer {self._access.token}"},
            connector=aiohttp.TCPConnector(ssl=self._access.context()),
            trust_env=False,
            read_bufsize=2**20,
            timeout=aiohttp.ClientTimeout(total=None, sock_read=120),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http:
            await self._http.close()

    @property
    def http(self) -> aiohttp.ClientSession:
        """The open session."""
        if self._http is None:
            raise RuntimeError("the server is not open")
        return self._http

    async def collect(self) -> None:
        """Have it look for its garbage, which at 150,000 pods takes it 12 to 16 s of CPU."""
        async with self.http.get("/debug/pprof/heap", params={"gc": "1"}) as answer:
            await answer.read()
            answer.raise_for_status()

    async def bare_list(self) -> BareList:
        """All kinds that the operator follows, one after the other, each way once."""
        ways: dict[str, float] = {}
        sizes: list[int] = []
        for page in PAGES:
            began = time.monotonic()
            sizes.append(sum([await self._pages(one, page) for one in WATCHED]))
            ways[f"pages of {page}"] = time.monotonic() - began
        began = time.monotonic()
        for one in WATCHED:
            await self._stream(one)
        ways["stream"] = time.monotonic() - began
        return BareList(min(ways.values()), sizes[0], ways)

    async def caught_up(self, revision: int, patience: float) -> float:
        """Until its cache knows what etcd knew then, which a storm of writes may take; seconds."""
        began = time.monotonic()
        params = {
            "fieldSelector": "metadata.name=none",  # of any other list the answer may be etcd's
            "resourceVersion": str(revision),
            "resourceVersionMatch": "NotOlderThan",
        }
        while time.monotonic() - began < patience:
            async with self.http.get("/api/v1/pods", params=params) as answer:
                await answer.read()
                if answer.status == 200:
                    break
        return time.monotonic() - began

    async def pods(self) -> int:
        """How many it serves, one by one; raises RuntimeError with what it says instead."""
        params, count = {"limit": str(max(PAGES))}, 0
        accept = {"Accept": _PARTIAL.format(list="List")}
        while True:
            async with self.http.get("/api/v1/pods", params=params, headers=accept) as answer:
                body = await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"pods after {count}: {answer.status} {body[:300]!r}")
            page = msgspec.json.decode(body)
            count += len(page["items"])
            if not (token := page["metadata"].get("continue")):
                return count
            params["continue"] = token

    async def _pages(self, resource: Resource, limit: int) -> int:
        params, size = {"limit": str(limit)}, 0
        accept = _PARTIAL.format(list="List") if resource.metadata_only else JSON
        while True:
            async with self._get(resource, params, accept) as answer:
                if answer.status == 404:
                    return 0
                body = await answer.read()
            size += len(body)
            token = _CONTINUE.search(body[:1000]) or _CONTINUE.search(body[-1000:])
            if token is None:
                return size
            params["continue"] = token[1].decode()

    async def _stream(self, resource: Resource) -> None:
        params = {
            "watch": "true",
            "sendInitialEvents": "true",
            "allowWatchBookmarks": "true",
            "resourceVersionMatch": "NotOlderThan",
            "timeoutSeconds": "600",
        }
        accept = _PARTIAL.format(list="") if resource.metadata_only else JSON
        async with self._get(resource, params, accept) as answer:
            before = b""
            async for chunk in answer.content.iter_any():
                if _END in before + chunk:
                    return
                before = chunk[-len(_END) :]

    def _get(
        self, resource: Resource, params: dict[str, str], accept: str
    ) -> aiohttp.client._RequestContextManager:
        where = path(resource.api_version, resource.plural)
        return self.http.get(where, params=params, headers={"Accept": accept})

    async def asked(self) -> Asked:
        """All requests that it has answered since it started, by its own metrics."""
        found: Asked = Counter()
        for labels, value in await self._series("apiserver_request_total"):
            found[labels["verb"], labels["resource"] or labels["subresource"]] += int(value)
        return found

    async def ended(self, resource: str) -> int:
        """Watches that it has ended so far because they could not be told at once."""
        series = await self._series("apiserver_terminated_watchers_total")
        return int(sum(value for labels, value in series if labels["resource"] == resource))

    async def _series(self, name: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of a metric of its own."""
        async with self.http.get("/metrics") as answer:
            lines = (await answer.text()).splitlines()
        series = (found for line in lines if (found := _SERIES.match(line)))
        return [(dict(_LABEL.findall(one[2])), float(one[3])) for one in series if one[1] == name]
