"""Random lists and watches that end anywhere: what is held in the end is what there is.

The server is one of data: a history in which each write has a version of its own, as the API
server's has. What is sent of it is cut into pieces, ends at any byte in any way, and is taken up by
what the informer asks for next.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.handlers import pending
from clusteraudit.handlers.pending import Pending, changes
from clusteraudit.kube.errors import ApiError, GoneError, UnreachableError
from clusteraudit.model.rows import PodRow
from clusteraudit.sources import pauses, source
from clusteraudit.sources.informer import Informer
from clusteraudit.sources.resources import resource
from support.apiserver import event, mark

NAMES = ("a", "b", "c", "d")
BAD = "bad"
"""The node of a pod that cannot be evaluated."""
Held = dict[str, str]


class History:
    """Writes, each with the next version; pods are told apart by the node that they are on."""

    def __init__(self, rng: random.Random) -> None:
        self.writes: list[tuple[int, str, dict[str, Any]]] = []
        self.there: dict[str, dict[str, Any]] = {}
        self.version = 10
        self.compacted = 0
        self._rng = rng

    def write(self) -> None:
        """A pod comes, changes, goes, or goes and comes back at once under its name."""
        name = self._rng.choice(NAMES)
        if name in self.there and self._rng.random() < 0.4:
            gone = self.there.pop(name)
            self._say("DELETED", gone)
            if self._rng.random() < 0.5:
                return
        kind = "MODIFIED" if name in self.there else "ADDED"
        self.there[name] = self._say(kind, {"metadata": {"name": name, "namespace": "n"}})

    def _say(self, kind: str, pod: dict[str, Any]) -> dict[str, Any]:
        self.version += self._rng.choice((1, 1, 1, 7))  # other kinds are written, too
        meta = {**pod["metadata"], "resourceVersion": str(self.version)}
        spec: dict[str, Any] = {"nodeName": f"node-{self.version}", "containers": []}
        if self._rng.random() < 0.1:
            spec = {"nodeName": BAD, "containers": 7}
        said = {"metadata": meta, "spec": pod.get("spec", spec)}
        self.writes.append((self.version, kind, said))
        return said

    def truth(self) -> Held:
        """Pods that can be evaluated, and where they are."""
        nodes = {name: pod["spec"]["nodeName"] for name, pod in self.there.items()}
        return {name: node for name, node in nodes.items() if node != BAD}


class Body:
    """What a stream has to say, piece by piece, and how it ends."""

    def __init__(self, data: bytes, end: Exception | None, rng: random.Random) -> None:
        self._data, self._end, self._rng = data, end, rng

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Pieces of any length."""
        rest = self._data
        while rest:
            size = self._rng.choice((1, 7, 60, 300, 10_000))
            yield rest[:size]
            rest = rest[size:]
        if self._end:
            raise self._end


class Server:
    """In place of a session: answers as an API server, and fails as one until it is `quiet`."""

    def __init__(self, history: History, rng: random.Random, *, streams: bool) -> None:
        self.history = history
        self.quiet = False
        self.caught_up = asyncio.Event()
        self.decoding = asyncio.Lock()
        self.gate = SimpleNamespace(outages=0, down=False, doubt=self._doubt)
        self.asked: Counter[str] = Counter()
        self._rng = rng
        self._streams = streams
        self._paged: dict[str, tuple[int, list[dict[str, Any]]]] = {}

    async def _doubt(self) -> None:
        pass

    def _happens(self, chance: float) -> bool:
        return not self.quiet and self._rng.random() < chance

    def _change(self) -> None:
        while self._happens(0.6):
            self.history.write()
        if self._happens(0.1):
            self.history.compacted = self.history.version

    def _fail(self) -> None:
        if self._happens(0.1):
            raise UnreachableError("broke off")
        if self._happens(0.05):
            raise ApiError(self._rng.choice((401, 403, 429, 500, 503)), "no")

    async def send(self, _: str, __: str, *, params: Mapping[str, str], accept: str) -> bytes:
        """A page of the list as of one version, two pods at a time."""
        self._change()
        self._fail()
        self.asked["page"] += 1
        token = params.get("continue", "")
        version, rest = self._paged.pop(token, (0, []))
        if token and not version:
            raise GoneError(410, "too old")
        if not token:
            version, rest = self.history.version, list(self.history.there.values())
        items, rest = rest[:2], rest[2:]
        more = f"{version}-{len(rest)}" if rest else ""
        if rest and not self._happens(0.2):
            self._paged[more] = (version, rest)
        meta = {"resourceVersion": str(version), "continue": more}
        return msgspec.json.encode({"kind": "PodList", "metadata": meta, "items": items})

    @asynccontextmanager
    async def stream(self, _: str, asked: Mapping[str, str], **__: object) -> AsyncIterator[Body]:
        """A watch, or a list as one."""
        self._change()
        self._fail()
        if "sendInitialEvents" in asked:
            self.asked["stream"] += 1
            if not self._streams:
                raise ApiError(400, "unknown field")
            lines, version = self._initial(), self.history.version
        else:
            self.asked["watch"] += 1
            lines, version = [], int(asked["resourceVersion"])
            if version < self.history.compacted:
                if self._rng.random() < 0.5:
                    raise GoneError(410, "too old")
                lines = [event("ERROR", {"code": 410, "message": "too old"})]
        self._change()
        quiet = self.quiet
        yield self._body([*lines, *self._since(version)])
        if quiet:
            self.caught_up.set()
            await asyncio.sleep(60)

    def _initial(self) -> list[dict[str, Any]]:
        there = [event("ADDED", pod) for pod in self.history.there.values()]
        self._rng.shuffle(there)
        return [*there, mark(self.history.version, end=True)]

    def _since(self, version: int) -> list[dict[str, Any]]:
        """Events after a version, bookmarks between them: of what was told, or of other kinds."""
        lines, told = [], version
        for at, kind, pod in self.history.writes:
            if at <= version:
                continue
            if self._rng.random() < 0.3:
                lines.append(mark(self._rng.choice((told, at - 1))))
            lines.append(event(kind, pod))
            told = at
        if self._rng.random() < 0.5:
            lines.append(mark(self.history.version))
        return lines

    def _body(self, lines: list[dict[str, Any]]) -> Body:
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        if self.quiet:
            return Body(data, None, self._rng)
        if self._rng.random() < 0.3:  # at the end of a line
            data = b"".join(data.splitlines(keepends=True)[: self._rng.randint(0, len(lines))])
        elif self._rng.random() < 0.6:
            data = data[: self._rng.randint(0, len(data))]
        broken = aiohttp.ClientPayloadError("cut"), ConnectionResetError(), TimeoutError()
        return Body(data, self._rng.choice((None, None, *broken)), self._rng)


class Model:
    """What the pulse hands on, put together: rows by name."""

    def __init__(self) -> None:
        self.pending = Pending()
        self.rows: dict[str, PodRow] = {}

    def pulse(self) -> None:
        """Take over what has gathered."""
        for change in changes(self.pending.take()[0]):
            if change.row is None:
                self.rows.pop(change.key[1], None)
            else:
                assert isinstance(change.row, PodRow)
                self.rows[change.key[1]] = change.row

    @property
    def held(self) -> Held:
        """As the server's truth is told."""
        return {name: row.node for name, row in self.rows.items()}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "backoff", lambda *_: 0.0)
    monkeypatch.setattr(pauses, "_APART", 0.0)
    monkeypatch.setattr(source, "serves", _served)
    monkeypatch.setattr(pending, "_TOLD", 0)


async def _served(*_: object) -> bool:
    return True


async def follow(seed: int, *, streams: bool) -> tuple[Server, Model, Informer]:
    """Faults and changes for a while, then quiet."""
    rng = random.Random(seed)
    server, model = Server(History(rng), rng, streams=streams), Model()
    for _ in range(rng.randint(0, 6)):
        server.history.write()
    informer = Informer(server, resource("Pod"), model.pending, rng=rng)  # type: ignore[arg-type]
    task = asyncio.create_task(informer.run())
    for _ in range(rng.randint(1, 60)):
        await asyncio.sleep(0)
        if rng.random() < 0.2:
            model.pulse()
    server.quiet = True
    told = asyncio.create_task(server.caught_up.wait())
    await asyncio.wait([task, told], timeout=20, return_when=asyncio.FIRST_COMPLETED)
    assert told.done()
    assert not task.done()
    model.pulse()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return server, model, informer


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), streams=st.booleans())
def test_whatever_ends_where_nothing_is_lost_and_nothing_too_many(seed: int, streams: bool) -> None:
    server, model, informer = asyncio.run(follow(seed, streams=streams))
    assert model.held == server.history.truth()
    assert informer.objects == len(model.held)
