"""Who may read the metrics: asked of the API server by TokenReview and SubjectAccessReview.

As controllers do it (controller-runtime's `filters.WithAuthenticationAndAuthorization`, with the
times of Kubernetes' delegated authentication): whoever holds a token that the API server knows, and
may `get` the path as a non-resource URL.
"""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import msgspec

from clusteraudit.kube.errors import ApiError, UnreachableError
from clusteraudit.kube.session import Session, decoded

ALLOWED_SECONDS, REFUSED_SECONDS = 60.0, 10.0
"""For how long an answer holds."""
_REMEMBERED = 128
"""Tokens at most, by their hash."""
_PATIENCE = 5.0
_REST = 0.05
"""Seconds after a refusal until the API server is asked of another token: 20 a second at most."""
_TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


T = TypeVar("T")


class Verdict(Enum):
    """What the API server says of a request, as HTTP status."""

    ALLOWED = 200
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    UNKNOWN = 503


class _User(msgspec.Struct, frozen=True):
    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, list[str]] = msgspec.field(default_factory=dict)


class _Token(msgspec.Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()


class _TokenReview(msgspec.Struct, frozen=True):
    status: _Token = _Token()


class _Access(msgspec.Struct, frozen=True):
    allowed: bool = False


class _AccessReview(msgspec.Struct, frozen=True):
    status: _Access = _Access()


@dataclass(frozen=True)
class _Known:
    verdict: Verdict
    until: float


class Reviewer:
    """Asks once for each token and path, one question at a time, and remembers for a while."""

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._turn = asyncio.Lock()

    async def review(self, authorization: str, path: str) -> Verdict:
        """Whether the holder of this `Authorization` header may `get` the path."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return Verdict.UNAUTHENTICATED
        key = hashlib.sha256(f"{path}\0{token.strip()}".encode()).digest()
        if verdict := self._recall(key):
            return verdict
        async with self._turn:
            if verdict := self._recall(key):
                return verdict
            verdict = await self._ask(token.strip(), path)
            self._remember(key, verdict)
            if verdict is not Verdict.ALLOWED:
                await asyncio.sleep(_REST)
        return verdict

    def _recall(self, key: bytes) -> Verdict | None:
        known = self._known.get(key)
        return known.verdict if known and self._clock() < known.until else None

    def _remember(self, key: bytes, verdict: Verdict) -> None:
        if verdict is Verdict.UNKNOWN:
            return
        seconds = ALLOWED_SECONDS if verdict is Verdict.ALLOWED else REFUSED_SECONDS
        self._known[key] = _Known(verdict, self._clock() + seconds)
        self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _ask(self, token: str, path: str) -> Verdict:
        """While the server is down nobody is asked: nothing else may go out, and nobody waits."""
        if self._session.gate.down:
            return Verdict.UNKNOWN
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._judge(token, path)
        except (ApiError, UnreachableError, TimeoutError):
            return Verdict.UNKNOWN

    async def _judge(self, token: str, path: str) -> Verdict:
        review = _review("authentication.k8s.io/v1", "TokenReview", {"token": token})
        said = await self._post(_TOKENS, review, _TokenReview)
        if not said.status.authenticated:
            return Verdict.UNAUTHENTICATED
        user = said.status.user
        about = {"nonResourceAttributes": {"path": path, "verb": "get"}, "user": user.username}
        more = {"uid": user.uid, "groups": user.groups, "extra": user.extra}
        review = _review("authorization.k8s.io/v1", "SubjectAccessReview", {**about, **more})
        access = await self._post(_ACCESS, review, _AccessReview)
        return Verdict.ALLOWED if access.status.allowed else Verdict.FORBIDDEN

    async def _post(self, path: str, body: bytes, shape: type[T]) -> T:
        reply = await self._session.send("POST", path, body=body, patience=_PATIENCE)
        return decoded(reply, shape, f"POST {path}")


def _review(version: str, kind: str, spec: dict[str, object]) -> bytes:
    return json.dumps({"apiVersion": version, "kind": kind, "spec": spec}).encode()
