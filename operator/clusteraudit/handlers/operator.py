"""The operator: what runs beside what, and how all of it ends."""

import asyncio
import contextlib
import gc
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import TypeVarTuple

import structlog

from clusteraudit.audit.audit import AuditResult
from clusteraudit.handlers import logs, memory
from clusteraudit.handlers.allowance import Allowance
from clusteraudit.handlers.arrangement import Arrangement
from clusteraudit.handlers.endpoints import Listening, endpoints
from clusteraudit.handlers.engine import Engine
from clusteraudit.handlers.herald import Herald
from clusteraudit.handlers.pending import Pending
from clusteraudit.handlers.publisher import Publisher
from clusteraudit.handlers.pulse import WINDOW, Pulse
from clusteraudit.handlers.reports import Reports, Seen
from clusteraudit.handlers.turns import Turns, share
from clusteraudit.kube.credentials import Credentials
from clusteraudit.kube.discovery import groups
from clusteraudit.kube.elector import Election, Elector
from clusteraudit.kube.errors import ApiError, NotFoundError, UnreachableError
from clusteraudit.kube.lease import Alone, Leader
from clusteraudit.kube.session import Session
from clusteraudit.model.kinds import API_GROUPS
from clusteraudit.model.rows import ApiGroupRow
from clusteraudit.publish import audited, itself
from clusteraudit.publish.audited import Audited
from clusteraudit.publish.itself import Figures, KindFigures
from clusteraudit.publish.metrics import render
from clusteraudit.publish.recorder import Recorder
from clusteraudit.publish.status import reports
from clusteraudit.publish.stored import Stored, entries, since, stored_report
from clusteraudit.report.resource import Spec
from clusteraudit.sources.followed import followed
from clusteraudit.sources.usage import EVERY, UsagePoller

_DISCOVERY = 600.0
_WATCHDOG = 10.0
_GLANCE = 0.5
_LITTER = 20
"""Connections that could not be made, after which cycles are looked for: each leaves a quarter of a
MiB in one (TLS buffers), and of its own accord the collector comes too rarely to see (`cli.main`).
It holds up all threads, so never for what a server that is there ends."""
_SURVEY = 30.0
"""Seconds between looks at which reports there are."""
_REHEARSAL = 1.0
_START = 1.0
"""Seconds over which watches begin, by lot: replicas that start together do not ask together."""
_LAST_REPORT = 4.0
_RELEASE = 2.0
"""Seconds for what is done at the end: a pod that is stopped has ten, with what Kopf needs."""
_STUCK = 300.0
"""Seconds after which an audit that does not end counts as stuck."""

_ATTEMPTS = 5
"""How often the report is asked for, until everything counts as new."""

_log = structlog.get_logger(__name__)
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True)
class Options:
    """How to run."""

    report: str = "cluster"
    listening: Listening = field(default_factory=Listening)
    pulse_window: float = WINDOW
    usage_interval: float = EVERY
    election: Election | None = None
    """None where there are no other replicas."""


def operate(credentials: Credentials, options: Options) -> None:
    """Run until SIGTERM or SIGINT; a server that cannot be reached is waited for."""
    memory.set_large_apart()
    turns = Turns()
    # The rules are imported before there is a loop, which that would hold up.
    with Engine(turns) as engine, asyncio.Runner(loop_factory=turns.loop) as runner:
        runner.run(_operate(credentials, options, engine, turns))


async def _operate(
    credentials: Credentials, options: Options, engine: Engine, turns: Turns
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    share()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Session(credentials) as session:
        await _Operator(session, engine, options, turns).run(stop)
    _log.info("stopped")


class _Operator:
    def __init__(self, session: Session, engine: Engine, options: Options, turns: Turns) -> None:
        self._turns = turns
        self._session = session
        self._engine = engine
        self._options = options
        self._pending = Pending()
        self._reports = Reports(options.report, engine)
        self._warm = asyncio.Event()
        self._elector = Elector(session, one, self._lead) if (one := options.election) else None
        leader: Leader = self._elector or Alone()
        self._leader = leader
        self._herald = Herald(session, Recorder(session, engine.child_of), leader=leader)
        self._publisher = Publisher(session, self._reports, engine, self._herald, leader)
        self._pulse = Pulse(self._pending, engine, self._told, options.pulse_window)
        self._informers, names = followed(session, self._pending)
        pods = next(one for one in self._informers if one.kind == "Pod")
        self._usage = UsagePoller(
            session,
            self._pending,
            lambda: self._pending.namespaces if pods.settled else (),
            options.usage_interval,
            names,
        )
        loop = asyncio.get_running_loop()
        self._kopf = Arrangement(
            session.credentials,
            lambda seen: _post(loop, self._see, seen),
            lambda name, uid: _post(loop, self._lose, name, uid),
            lambda name, version: _post(loop, self._publisher.touched, name, version),
            lambda: asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._there(), loop)),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Answer probes, and work until asked to stop."""
        how, session = self._options.listening, self._session
        async with endpoints(how, session, self._unhealthy, self._unready, self._exposition):
            asked, work = asyncio.create_task(stop.wait()), asyncio.create_task(self._work())
            try:
                await asyncio.wait([asked, work], return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    work.result()
            finally:
                asked.cancel()
                await self._end(work)

    async def _end(self, work: asyncio.Task[None]) -> None:
        """The last report, then the lease; bounded, whatever the server does."""
        kopf = asyncio.create_task(asyncio.to_thread(self._kopf.stop))
        if not work.done():
            await _within(_LAST_REPORT, self._publisher.finish())
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        if self._elector:
            await _within(_RELEASE, self._elector.release())
        await kopf

    async def _work(self) -> None:
        """Everything side by side, for ever; raises what the first of them raises."""
        said = await _earlier(self._session, self._options.report)
        self._engine.remember(since(said), entries(said))
        self._kopf.start()
        _log.info("started", version=metadata.version("cluster-audit"))
        try:
            async with asyncio.TaskGroup() as group:
                for one in self._tasks():
                    group.create_task(one)
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def _tasks(self) -> Iterator[Coroutine[None, None, None]]:
        yield from (_some_time_soon(one.run) for one in self._informers)
        yield self._usage.run()
        yield self._pulse.run()
        yield self._publisher.run()
        yield self._herald.run()
        yield self._campaign()
        yield self._discover()
        yield self._rehearse()
        yield self._watch_over()
        yield self._watch_kopf()
        yield self._pace_kopf()

    # Reports

    def _see(self, seen: Seen) -> None:
        if self._reports.see(seen):
            self._pending.wake()
        self._publisher.touched(seen.name, seen.version)  # perhaps while Kopf was not looking

    def _lose(self, name: str, uid: str) -> None:
        self._reports.lose(name, uid)
        self._publisher.look()

    def _told(self, result: AuditResult) -> None:
        self._publisher.tell(result)
        self._kopf.tell(result)
        self._warm.set()

    def _lead(self) -> None:
        self._publisher.look()

    # Beside

    async def _campaign(self) -> None:
        """Stand for election once there is something to publish: a warm replica takes over."""
        await self._warm.wait()
        if self._elector:
            await self._elector.run()

    async def _discover(self) -> None:
        """Which API groups are served: some change what policies mean."""
        known: set[str] = set()
        while True:
            try:
                served = set(await groups(self._session))
            except (ApiError, UnreachableError):
                await asyncio.sleep(_WATCHDOG)
                continue
            for name in served ^ known:
                row = ApiGroupRow("", name) if name in served else None
                self._pending.put(API_GROUPS, ("", name), row)
            known = served
            await asyncio.sleep(_DISCOVERY)

    async def _rehearse(self) -> None:
        """Lose nodes and zones in the model, while there is nothing more urgent to do."""
        allowance = Allowance()
        while True:
            seconds = 0.0
            if self._pending.answered and self._pulse.last is not None:
                seconds, ended = await self._engine.rehearse()
                if ended:  # an audit without changes tells of it
                    self._pending.wake()
            share = allowance.share(time.thread_time() + self._engine.spent["audit"])
            await asyncio.sleep(max(_REHEARSAL, seconds / share - seconds))

    async def _watch_over(self) -> None:
        """What was not heard of for long is not known any more; what is of no use is given up."""
        cleared = 0
        while True:
            await asyncio.sleep(_WATCHDOG)
            if self._session.unmade - cleared >= _LITTER:
                cleared = self._session.unmade
                gc.collect()
            await asyncio.to_thread(memory.give_back)
            for one in self._informers:
                one.tighten()
                self._pending.heard(one.kind, stale=one.stale, silent=one.silent)
            for kind in self._usage.kinds:
                stale, silent = self._usage.stale(kind), self._usage.silent(kind)
                self._pending.heard(kind, stale=stale, silent=silent)

    async def _pace_kopf(self) -> None:
        """While the server is down Kopf, which waits at the gate, has nothing to do."""
        while True:
            await asyncio.sleep(_GLANCE)
            self._kopf.pause(paused=self._session.gate.down)

    async def _there(self) -> bool:
        """Whether the server answers, as of now."""
        await self._session.gate.doubt()
        return not self._session.gate.down

    async def _watch_kopf(self) -> None:
        """Kopf looks at what is served when a CRD changes, which can be too early to see it.

        So the server is asked now and then; if it goes on to hold a report that Kopf has not
        told of, Kopf begins anew.
        """
        missed = False
        while True:
            await asyncio.sleep(_WATCHDOG if missed or not self._reports.known else _SURVEY)
            unseen = await self._unseen()
            if missed and unseen:
                _log.warning("there are reports that Kopf does not see: it begins anew")
                self._kopf.restart()
            missed = unseen and not missed

    async def _unseen(self) -> bool:
        """Whether there is a report that is not known; known ones that are gone are dropped."""
        try:
            there = await reports(self._session)
        except (ApiError, UnreachableError):
            return False
        known = {report.uid: report.name for report in self._reports.known.values()}
        for uid in known.keys() - there.keys():
            self._lose(known[uid], uid)
        return not there.keys() <= known.keys()

    # Probes and metrics

    def _unhealthy(self) -> list[str]:
        stuck = self._pending.changed.is_set() and time.monotonic() - self._pulse.beat > _STUCK
        return ["the audit does not end"] if stuck else []

    def _unready(self) -> list[str]:
        if not self._pending.answered or self._pulse.last is None:
            behind = (one.kind for one in self._informers if not one.settled)
            return ["not synced yet: " + ", ".join(behind)]
        stale = [one.kind for one in self._informers if one.stale]
        return ["stale: " + ", ".join(stale)] if stale else []

    def _exposition(self) -> Callable[[], bytes]:
        """What is so now, to be rendered off the loop."""
        own, said = self._figures(), self._audited() if self._leader.held else None

        def text() -> bytes:
            told = render(audited.METRICS, said) if said else b""
            return told + render(itself.METRICS, own)

        return text

    def _audited(self) -> Audited | None:
        result, main = self._publisher.result, self._reports.known.get(self._options.report)
        spec = main.view.spec if main else Spec()
        return Audited(result, self._engine.catalogue, spec) if result else None

    def _figures(self) -> Figures:
        return Figures(
            version=metadata.version("cluster-audit"),
            leader=self._leader.held,
            kinds=self._kinds(),
            tasks=len(asyncio.all_tasks()),
            audits=self._engine.audits,
            audit_cpu_seconds=self._engine.cpu_seconds,
            status_writes=self._publisher.writes,
            status_failures=self._publisher.failures,
            events_sent=dict(self._herald.sent),
            events_dropped=dict(self._herald.dropped),
            events_waiting=self._herald.waiting,
            requests=dict(self._session.requests),
            stalls=asdict(self._turns.longest),
            cpu_seconds={"loop": time.thread_time(), **self._engine.spent},
            log_dropped=logs.dropped(),
        )

    def _kinds(self) -> Mapping[str, KindFigures]:
        skipped, states = Counter(kind for kind, _ in self._pending.skips), self._pending.states
        followed = [(one.kind, one.stale, one.silent, one.objects) for one in self._informers]
        use = self._usage
        polled = [(one, use.stale(one), use.silent(one), use.objects(one)) for one in use.kinds]
        return {
            kind: KindFigures(
                synced=states[kind].synced and not stale,
                objects=objects,
                relists=states[kind].relists,
                skipped=skipped[kind],
                silent=silent,
            )
            for kind, stale, silent, objects in (*followed, *polled)
            if kind in states
        }


def _post(loop: asyncio.AbstractEventLoop, call: Callable[[*Ts], None], *arguments: *Ts) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call, *arguments)


async def _some_time_soon(work: Callable[[], Coroutine[None, None, None]]) -> None:
    await asyncio.sleep(random.uniform(0, _START))
    await work()


async def _within(seconds: float, last: Coroutine[None, None, None]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await last


async def _earlier(session: Session, name: str) -> Stored:
    """What the report said last; waits for the server."""
    refusals = 0
    while refusals < _ATTEMPTS:
        try:
            return (await stored_report(session, name)).status or Stored()
        except UnreachableError as error:
            _log.warning("waiting for the API server", error=str(error))
            await asyncio.sleep(_GLANCE)
        except NotFoundError:  # no such report yet: everything is new
            break
        except ApiError as error:  # a server that has just started refuses for a while
            refusals += 1
            _log.warning("the report cannot be read", error=str(error))
            await asyncio.sleep(refusals)
    return Stored()
