"""The session: every request to the API server goes through here."""

import asyncio
import random
import ssl
from asyncio import sslproto
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import metadata
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import msgspec

from clusteraudit.kube.credentials import Credentials
from clusteraudit.kube.errors import (
    BY_STATUS,
    UNREADABLE,
    ApiError,
    KubeConfigError,
    SlowError,
    UnauthorizedError,
    UnreachableError,
    UntrustedError,
)
from clusteraudit.kube.gate import Gate
from clusteraudit.kube.paced import Paced

T = TypeVar("T")
JSON = "application/json"
APPLY = "application/apply-patch+yaml"
_READ_BUFFER = 2**20
_AT_ONCE = 2**16
"""Bytes read of a socket of TLS at once. asyncio's 256 KiB stay with each connection for as long as
it lasts, and a third more in OpenSSL once as much has come; and they are no faster."""
_ANYBODY = "/version"
"""What every server answers by itself, and to everybody (`system:public-info-viewer`)."""
_PROBE = 10.0
"""Seconds for a connection to a server that is in doubt; half of that for its answer."""
_LONGEST_RETRY = 30.0
"""Seconds that a server may ask us to wait, at most: longer is an outage of our own making."""


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""


class Session:
    """Requests with credentials, typed errors and counts. Use it as an async context manager.

    While the server is down, requests wait for their turn at the gate.
    """

    def __init__(self, credentials: Credentials, *, timeout: float = 30) -> None:
        self.credentials = credentials
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.gate = Gate(random.Random(), self._probe)
        self.unmade = 0
        """Requests without an answer: a connection of TLS that fails leaves buffers in a cycle."""
        self.decoding = asyncio.Lock()
        """Of those who decode long answers: a few of them in one turn of the loop are a stall."""
        self._timeout = timeout
        self._http: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._renewing = asyncio.Lock()
        self._renewals = 0

    async def __aenter__(self) -> Self:
        self._tls = self.credentials.tls()
        self._http = _client(aiohttp.TCPConnector(limit=64))
        self._fresh = _client(aiohttp.TCPConnector(force_close=True))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in (self._http, self._fresh):
            if client is not None:
                await client.close()
        self._http = self._fresh = None

    async def get(
        self, path: str, shape: type[T], params: Mapping[str, str] | None = None, accept: str = JSON
    ) -> T:
        """The answer to GET, decoded; raises ApiError, UnreachableError."""
        body = await self.send("GET", path, params=params, accept=accept)
        return decoded(body, shape, f"GET {path}")

    async def send(
        self,
        verb: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content: str = JSON,
        accept: str = JSON,
        patience: float | None = None,
    ) -> bytes:
        """The body of the answer; raises ApiError, UnreachableError, after so many seconds too."""
        total = self._timeout if patience is None else patience
        headers = {"Accept": accept} | ({"Content-Type": content} if body is not None else {})
        async with self._answer(verb, path, params, body, headers, total) as answer:
            try:
                return await answer.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                await self.gate.doubt()
                raise UnreachableError(f"{verb} {path}: {_why(error)}") from None

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], *, silence: float, accept: str = JSON
    ) -> AsyncIterator[Paced]:
        """The body of a long answer as it comes; TimeoutError after so many seconds of silence.

        Its connection is its own and ends with it. What answers are read into stays with a
        connection, and those that go from hand to hand each come to hold what the longest takes.
        What breaks within the context, is raised once it is known whether the server is there.
        """
        headers = {"Accept": accept}
        async with self._answer("WATCH", path, params, None, headers, None, silence) as answer:
            try:
                yield Paced(answer)
            except (aiohttp.ClientError, TimeoutError, OSError):
                await self.gate.doubt()
                raise

    @asynccontextmanager
    async def body(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """The body of an answer to GET as it comes, for one that may be too large to hold whole.

        Raises ApiError and UnreachableError, which stands for what breaks within the context, too.
        """
        accept = {"Accept": JSON}
        async with self._answer("GET", path, None, None, accept, None, self._timeout) as answer:
            try:
                yield answer.content
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                await self.gate.doubt()
                raise UnreachableError(f"GET {path}: {_why(error)}") from None

    @asynccontextmanager
    async def _answer(
        self,
        verb: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        headers: dict[str, str],
        total: float | None,
        silence: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        limits = aiohttp.ClientTimeout(total=total, sock_connect=self._timeout, sock_read=silence)

        renewals = 0

        async def attempt() -> aiohttp.ClientResponse:
            nonlocal renewals
            renewals = self._renewals  # of now, not of when the wait at the gate began
            return await self._request(verb, path, params, body, headers, limits)

        try:
            answer = await self.gate.through(attempt, _resource(path))
        except UnauthorizedError:
            await self._renew(renewals)
            answer = await self.gate.through(attempt, _resource(path))
        except UnreachableError as error:
            if isinstance(error, UntrustedError):  # whoever asks next finds what there is by then
                await self._renew(renewals)
            raise
        try:
            yield answer
        finally:
            if answer.content.at_eof():
                answer.release()
            else:
                answer.close()

    async def _probe(self) -> None:
        """A cheap request, which tells by any answer that the server is there.

        Its connection is a new one: those that are open may be of a server that went.
        """
        seconds = min(_PROBE, self._timeout)
        limits = aiohttp.ClientTimeout(total=1.5 * seconds, sock_connect=seconds)
        accept = {"Accept": JSON}
        answer = await self._request("GET", _ANYBODY, None, None, accept, limits, self._fresh)
        answer.close()

    async def _renew(self, renewals: int) -> None:
        """Read credentials and certificates anew, once for all who were refused side by side."""
        async with self._renewing:
            if renewals == self._renewals:
                try:
                    await asyncio.to_thread(self.credentials.renew)
                    self._tls = await asyncio.to_thread(self.credentials.tls)
                except KubeConfigError as error:  # it may just be written anew
                    raise UnauthorizedError(401, f"no usable credentials: {error}") from None
                self._renewals += 1

    def _headers(self) -> dict[str, str]:
        try:
            return self.credentials.headers()
        except KubeConfigError as error:
            raise UnauthorizedError(401, f"no usable credentials: {error}") from None

    async def _request(
        self,
        verb: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        headers: dict[str, str],
        limits: aiohttp.ClientTimeout,
        client: aiohttp.ClientSession | None = None,
    ) -> aiohttp.ClientResponse:
        client = client or (self._fresh if verb == "WATCH" else self._http)
        if client is None:
            raise RuntimeError("the session is not open")
        method = "GET" if verb == "WATCH" else verb
        url = self.credentials.server + path
        sent, tls = headers | self._headers(), True if self._tls is None else self._tls
        try:
            answer = await client.request(
                method, url, params=params, data=body, headers=sent, timeout=limits, ssl=tls
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.unmade += 1
            raise _unreachable(self.credentials.server, error) from None
        self.requests[verb, _resource(path), answer.status] += 1
        if answer.status >= 400:
            raise await _refusal(verb, path, answer)
        return answer


def _client(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    sslproto.SSLProtocol.max_size = _AT_ONCE
    return aiohttp.ClientSession(
        headers={"User-Agent": f"cluster-audit/{metadata.version('cluster-audit')}"},
        connector=connector,
        trust_env=False,
        read_bufsize=_READ_BUFFER,
        auto_decompress=True,
    )


def decoded(body: bytes, shape: type[T], asked: str) -> T:
    """An answer's body as what it should be; raises ApiError where it is something else."""
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE as error:
        raise ApiError(200, f"{asked}: the answer is not what it should be: {error}") from None


async def _refusal(verb: str, path: str, answer: aiohttp.ClientResponse) -> ApiError:
    """The error of an answer, whatever its body is: a Status, an HTML page, nothing."""
    try:
        body = await answer.read()
        message = msgspec.json.decode(body, type=_Status).message
    except (aiohttp.ClientError, TimeoutError, OSError, *UNREADABLE):
        message = ""
    finally:
        answer.close()
    retry = answer.headers.get("Retry-After", "")
    said = message or answer.reason or "no reason given"
    kind = BY_STATUS.get(answer.status, ApiError)
    seconds = min(float(retry), _LONGEST_RETRY) if retry.isdecimal() else None
    return kind(answer.status, f"{verb} {path}: {said}", seconds)


def _unreachable(server: str, error: Exception) -> UnreachableError:
    kind = UnreachableError
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        kind = UntrustedError
    elif isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
        kind = SlowError
    return kind(f"{server} {_why(error)}")


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
        return f"has a certificate that does not verify: {error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot be reached: {error.os_error.strerror or error.os_error}"
    return f"broke the connection off: {str(error) or type(error).__name__}"


def _resource(path: str) -> str:
    """The last part that names a resource, for counting: bounded, whatever names there are."""
    parts = [part for part in path.split("/") if part]
    start = 2 if parts[:1] == ["api"] else 3 if parts[:1] == ["apis"] else 0
    rest = parts[start:]
    if rest[:1] == ["namespaces"] and len(rest) > len(("namespaces", "name")):
        rest = rest[2:]
    return rest[0] if rest else "/".join(parts[:1]) or "/"
