"""Kopf's place: the life of our own resource, and rules as its handlers. It writes nothing.

Kopf runs in a thread with a loop of its own, since in ours it would swallow SIGTERM and cancel
tasks that are not its own. It is told of each audit, and delivers each rule's outcome in a handler
of that rule, where a failure is isolated and logged. Verified on kopf 1.45.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import cast

import aiohttp
import kopf
import structlog

from clusteraudit.audit.audit import AuditResult, Tally
from clusteraudit.handlers.reports import Seen
from clusteraudit.kube.credentials import Credentials
from clusteraudit.report.resource import GROUP, PLURAL, VERSION
from clusteraudit.rules.catalogue import catalogue

_RETRY = 5.0
_CLOSING = 0.25
"""Seconds that Kopf's connections get to close before its loop ends, as aiohttp advises."""
_GLANCE = 0.5
_log = structlog.get_logger(__name__)


async def _always() -> bool:
    return True


class _MemoryDiffBase(kopf.DiffBaseStorage):
    """What was last handled of each report: in memory, so that nothing is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[str, kopf.BodyEssence] = {}

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return self._held.get(str(body.metadata.uid))

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        self._held[str(body.metadata.uid)] = essence


class _NoProgress(kopf.ProgressStorage):
    """Handlers here take no time and are never retried: there is no progress to keep."""

    def fetch(self, *, key: str, body: kopf.Body) -> None:
        return None

    def store(self, *, key: str, record: object, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def purge(self, *, key: str, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class _Board:
    """The latest result, for every task that waits for it; lives on Kopf's loop."""

    def __init__(self) -> None:
        self._result: AuditResult | None = None
        self._news = asyncio.Event()

    def post(self, result: AuditResult) -> None:
        """A new result: whoever waits is woken."""
        self._result = result
        self._news.set()
        self._news = asyncio.Event()

    async def after(self, last: AuditResult | None) -> AuditResult:
        """The next result that is not `last`."""
        while self._result is None or self._result is last:
            await self._news.wait()
        return self._result


class Arrangement:
    """Runs Kopf until stopped; what it sees of reports it hands to `see`, `lose` and `touched`.

    All are called in Kopf's thread: they must only pass on. `there` is asked before each of Kopf's
    requests: they wait until the server is.
    """

    def __init__(
        self,
        credentials: Credentials,
        see: Callable[[Seen], None],
        lose: Callable[[str, str], None],
        touched: Callable[[str, str], None] = lambda _name, _version: None,
        there: Callable[[], Awaitable[bool]] = _always,
    ) -> None:
        self._credentials = credentials
        self._see = see
        self._lose = lose
        self._touched = touched
        self._there = there
        self._stopping = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._thread = threading.Thread(target=self._main, name="kopf", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_flag: asyncio.Event | None = None
        self._board: _Board | None = None
        self._pulses: dict[str, asyncio.Task[None]] = {}
        self._latest: AuditResult | None = None
        self._used: kopf.ConnectionInfo | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def tell(self, result: AuditResult) -> None:
        """A new result, from the main loop."""
        self._latest = result
        loop, board = self._loop, self._board
        if loop is not None and board is not None and not loop.is_closed():
            loop.call_soon_threadsafe(board.post, result)

    def pause(self, *, paused: bool) -> None:
        """End Kopf until it is to go on: it asks a server that is down in its own, quick pace."""
        if paused and self._going.is_set():
            self._going.clear()
            self.restart()
        elif not paused:
            self._going.set()

    def restart(self) -> None:
        """End Kopf, so that it begins anew and looks at what is served now."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._end)

    def stop(self, patience: float = 5.0) -> None:
        """End Kopf; its tasks of ours end first, or its loop would wait for them."""
        self._stopping.set()
        self._going.set()
        self.restart()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _end(self) -> None:
        for task in self._pulses.values():
            task.cancel()
        self._pulses.clear()
        if self._stop_flag is not None:
            self._stop_flag.set()

    def _main(self) -> None:
        """Run Kopf; if it ends unasked (it gives up on 403 and 5xx), again after a while."""
        while not self._stopping.is_set():
            try:
                asyncio.run(self._operate())
            except Exception as error:  # it gives up on 403 and 5xx
                _log.warning("kopf ended", error=str(error))
            self._stopping.wait(_RETRY)
            self._going.wait()

    async def _operate(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop_flag = asyncio.Event()
        self._used = None
        self._board = _Board()
        if self._latest is not None:
            self._board.post(self._latest)
        if self._stopping.is_set() or not self._going.is_set():
            return
        await kopf.operator(
            registry=self._registry(),
            settings=_settings(),
            standalone=True,
            clusterwide=True,
            stop_flag=self._stop_flag,
        )
        await asyncio.sleep(_CLOSING)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        resource = (GROUP, VERSION, PLURAL)
        kopf.on.login(registry=registry)(self._login)
        kopf.on.create(*resource, registry=registry, id="attend")(self._attend)
        kopf.on.resume(*resource, registry=registry, id="attend")(self._attend)
        kopf.on.update(*resource, registry=registry, field="spec", id="attend")(self._attend)
        kopf.on.event(*resource, registry=registry, id="deleted")(self._event)
        return registry

    async def _login(self, **_: object) -> kopf.AiohttpSession:
        """A client with the credentials of now; Kopf ends if they are those that were refused."""
        info = await asyncio.to_thread(self._connection)
        if info == self._used:
            raise kopf.PermanentError("there are no other credentials than those that were refused")
        self._used = info
        traces = aiohttp.TraceConfig()
        traces.on_request_start.append(self._wait)
        client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
            headers=info.as_http_headers(),
            trace_configs=[traces],
        )
        return kopf.AiohttpSession(server=info.server, aiohttp_session=client)

    async def _wait(self, client: aiohttp.ClientSession, *_: object) -> None:
        """Kopf takes up a watch that broke at once, and would ask a server that is gone."""
        while not await self._there():  # noqa: ASYNC110 - it is found out on another loop
            await asyncio.sleep(_GLANCE)
        if client.closed:  # meanwhile; Kopf takes another one then, if it goes on
            raise RuntimeError("Session is closed")

    def _connection(self) -> kopf.ConnectionInfo:
        self._credentials.renew()
        files = self._credentials.files()
        scheme, _space, token = self._credentials.headers().get("Authorization", "").partition(" ")
        return kopf.ConnectionInfo(
            server=self._credentials.server,
            ca_path=files.ca,
            certificate_path=files.certificate,
            private_key_path=files.key,
            insecure=files.insecure,
            scheme=scheme or None,
            token=token or None,
        )

    async def _attend(self, body: kopf.Body, **_: object) -> None:
        """A report is there, or wants something else: pass it on, and deliver audits to it."""
        seen = _seen(body)
        self._see(seen)
        task = self._pulses.get(seen.uid)
        if task is None or task.done():
            self._pulses[seen.uid] = asyncio.create_task(self._deliver(), name="pulses")

    async def _event(self, body: kopf.Body, type: str | None, **_: object) -> None:
        if type == "DELETED":
            uid = str(body.metadata.uid)
            task = self._pulses.pop(uid, None)
            if task:
                task.cancel()
            self._lose(str(body.metadata.name), uid)
        elif type == "MODIFIED":
            self._touched(str(body.metadata.name), _seen(body).version)

    async def _deliver(self) -> None:
        """Each audit's outcomes, each to the handler of its rule."""
        last: AuditResult | None = None
        while self._board is not None:
            last = await self._board.after(last)
            handlers = {_name(one): _handler(one) for one in last.tallies}
            # A mapping gives the ids; that it may be one is not in Kopf's types. All in one go:
            # Kopf's default is one handler at a time, with the object's next event in between.
            functions = cast("Iterable[Callable[..., object]]", handlers)
            await kopf.execute(fns=functions, lifecycle=kopf.lifecycles.all_at_once)


def _name(tally: Tally) -> str:
    rule = catalogue().get(tally.rule)
    return rule.name if rule else tally.rule


def _handler(tally: Tally) -> Callable[..., Coroutine[None, None, None]]:
    """The handler of a rule for this audit: its failure is its own, and is logged as such.

    Kopf gives each that is no coroutine a thread, which costs more than all that it does.
    """

    async def outcome(**_: object) -> None:
        if tally.error:
            raise kopf.PermanentError(f"{tally.rule}: {', '.join(tally.reasons)}")

    return outcome


def _seen(body: kopf.Body) -> Seen:
    spec = body.get("spec")
    status = body.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    return Seen(
        name=str(body.metadata.name),
        uid=str(body.metadata.uid),
        generation=int(cast("int", body["metadata"].get("generation", 0))),
        version=str(body["metadata"].get("resourceVersion", "")),
        spec=dict(spec) if isinstance(spec, Mapping) else {},
        conditions=tuple(one for one in conditions or () if isinstance(one, Mapping)),
    )


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _MemoryDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    logging.getLogger("kopf").setLevel(logging.WARNING)  # a line per handler says nothing new
    for name in ("running", "orchestration"):  # that it ended, and why, is said once: in `_main`
        logging.getLogger(f"kopf._core.reactor.{name}").setLevel(logging.CRITICAL)
    return settings
