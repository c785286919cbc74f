"""Faults that a proxy can put between a client and the API server: data, told apart by kind."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

JSON = "application/json"
HTML = b"<html><body><h1>Bad gateway</h1></body></html>"


class Cut(StrEnum):
    """How an open watch ends."""

    CLEAN = "clean"
    MIDLINE = "mid-line"
    RESET = "reset"


class Down(StrEnum):
    """What a server does that is down, as its clients see it."""

    REFUSES = "refuses"
    """Nobody listens."""
    RESETS = "resets"
    """Every connection is reset at once; connections are counted."""
    SILENT = "silent"
    """Connections are taken and nothing is ever said; they are counted."""


@dataclass(frozen=True)
class Fault:
    """What happens to a request instead of, or before, its answer."""

    status: int = 0
    """Answered instead of asking the server; 0 asks it."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before anything else."""
    hangs: bool = False
    """Nothing is ever answered."""


def refusal(status: int, reason: str = "Injected", **headers: str) -> Fault:
    """A refusal as the API server words it."""
    said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
    body = json.dumps(said | {"reason": reason, "message": f"injected {status}"}).encode()
    return Fault(status, body, {"Content-Type": JSON, **headers})


def page(status: int = 502) -> Fault:
    """The page of a load balancer."""
    return Fault(status, HTML, {"Content-Type": "text/html"})


def said(body: bytes, status: int = 200) -> Fault:
    """Any body at all, as an answer that claims to be fine."""
    return Fault(status, body, {"Content-Type": JSON})


ANSWERS: Mapping[str, Fault] = {
    **{str(code): refusal(code) for code in (401, 403, 404, 409, 410, 429, 500, 503)},
    "429-retry-after": refusal(429, **{"Retry-After": "1"}),
    "429-retry-never": refusal(429, **{"Retry-After": "99999999999"}),
    "html": page(),
    "html-200": Fault(200, HTML, {"Content-Type": "text/html"}),
    "empty": said(b""),
    "wrong-json": said(b'{"kind": "List", "items": {"a": [1, '),
    "other-json": said(b'["a", 1, null]'),
    "not-utf-8": said(
        b'{"kind": "\xff\xfe", "items": [], "metadata": {"resourceVersion": "\xff"}}'
    ),
    "delay": Fault(delay=2.0),
}
"""Faults of an answer, by name."""

ERRORS = (410, 500, 403, 0)
"""Codes of ERROR events."""


def line(kind: str, item: object) -> bytes:
    """A watch event as a line."""
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def error(code: int) -> bytes:
    """An ERROR event."""
    return line("ERROR", {"kind": "Status", "code": code, "message": "injected"})


def bookmark(version: object) -> bytes:
    """A bookmark; of any version, as no server would send it."""
    return line("BOOKMARK", {"metadata": {"resourceVersion": version}})


def deleted(event: bytes) -> bytes:
    """The end of an object that nobody had heard of, at the moment of another event."""
    version = json.loads(event)["object"]["metadata"]["resourceVersion"]
    meta = {"name": "never-there", "namespace": "default", "resourceVersion": version}
    return line("DELETED", {"metadata": meta})


def grown(event: bytes, size: int = 3_000_000) -> bytes:
    """The same event with so many bytes more."""
    parsed = json.loads(event)
    meta = parsed["object"]["metadata"]
    meta["annotations"] = {**meta.get("annotations", {}), "padding": "x" * size}
    return json.dumps(parsed).encode() + b"\n"


@dataclass(eq=False)
class Stream:
    """A watch that a client has open through the proxy."""

    resource: str
    lines: "asyncio.Queue[bytes | Cut]" = field(default_factory=asyncio.Queue)
    sent: list[bytes] = field(default_factory=list)
    """The last events, oldest first; bookmarks are none."""
    speaks: asyncio.Event = field(default_factory=asyncio.Event)

    def noted(self, event: bytes) -> None:
        """An event was sent."""
        if b'"BOOKMARK"' not in event[:40]:
            self.sent = [*self.sent[-4:], event]
