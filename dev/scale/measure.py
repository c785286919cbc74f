"""One run: a cluster of one size, and all that is measured of the operator on it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controlplane.components import API_SERVER, ETCD
from demo.operator import USER, Operator
from scale import commands
from scale.churn import RATE, Life
from scale.cluster import Cluster
from scale.process import Sampler, cpu_of_threads, cpu_seconds, memory
from scale.sizes import Size
from scale.stand import Stand, stand
from scale.watched import Probes, percentile, published, report, scrape, total

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

Figures = dict[str, Any]
MIB = 2**20
_NAMESPACE = "team-000"
_PATIENCE = 900.0
_SHOWN = 15.0
"""Seconds after which the last change has shown."""
_VANISHED = 100
"""Pods: more than those of which, at any moment, one is gone and its successor not told yet."""
_TOLD = 300
"""Seconds after which the server has told the last of its watches everything, or a list anew."""


@dataclass(frozen=True)
class Plan:
    """What to do, and for how many seconds."""

    pods: int
    usage: bool = True
    settle: float = 45
    """After the start, until drills and usage were told."""
    idle: float = 60
    churn: float = 90
    probes: float = 45
    without: tuple[str, ...] = ()
    """Names of steps that are left out."""


@dataclass
class Run:
    """A run under way; `figures` grow with it."""

    plan: Plan
    cluster: Cluster
    stand: Stand
    operator: Operator
    life: Life
    figures: Figures

    @property
    def pid(self) -> int:
        """The operator's process."""
        if self.operator.process is None:
            raise RuntimeError("the operator does not run")
        return self.operator.process.pid


def measure(plan: Plan, say: Callable[[str], None], figures: Figures) -> None:
    """Make the cluster, run the operator beside it, and fill in all that is measured."""
    asyncio.run(_measure(plan, say, figures))


async def _measure(plan: Plan, say: Callable[[str], None], figures: Figures) -> None:
    cluster = Cluster(Size(plan.pods))
    say(f"{cluster.pods} pods on {cluster.size.nodes} nodes: loading")
    with tempfile.TemporaryDirectory(prefix="cluster-audit-scale-") as folder:
        async with stand(cluster, with_usage=plan.usage) as standing:
            log = Path(folder) / "operator.log"
            operator = Operator(standing.kubeconfig, log, ("--usage-interval", "60"))
            life = Life(cluster, standing.etcd, standing.now, standing.states)
            run = Run(plan, cluster, standing, operator, life, figures)
            run.figures |= {"asked": plan.pods, "cluster": _of_load(cluster, standing)}
            try:
                for name, step in _STEPS.items():
                    if name not in plan.without:
                        await standing.server.collect()  # none of it while a step is measured
                        say(name)
                        run.figures[name] = await step(run)
                        say(json.dumps(run.figures[name]))
            finally:
                if operator.process and operator.process.poll() is None:
                    operator.stop()
                run.figures["log_bytes"] = log.stat().st_size if log.exists() else 0


def _of_load(cluster: Cluster, standing: Stand) -> Figures:
    size = cluster.size
    return {
        "pods": cluster.pods,
        "nodes": size.nodes,
        "workloads": len(cluster.workloads),
        "claims": size.claims,
        "policies": size.policies,
        "oldReplicaSets": size.old_replicasets,
        "objects": standing.loaded,
        "loadSeconds": round(standing.load_seconds, 1),
    }


@contextlib.asynccontextmanager
async def _stirring(run: Run) -> AsyncIterator[None]:
    stirring = asyncio.create_task(run.life.stirring())
    try:
        yield
    finally:
        stirring.cancel()
        await asyncio.gather(stirring, return_exceptions=True)


async def _bare_list(run: Run) -> Figures:
    async with _stirring(run):
        bare = await run.stand.server.bare_list()
    return {
        "seconds": round(bare.seconds, 2),
        "mib": round(bare.size / MIB, 1),
        "byWay": {way: round(seconds, 2) for way, seconds in bare.by_way.items()},
    }


async def _start(run: Run) -> Figures:
    """From the start of the process to the first report that is published."""
    began, servers = time.monotonic(), _server_cpu(run)
    run.operator.start()
    async with _stirring(run):
        took = await published(run.stand.server, began, _PATIENCE)
    cpu, spent = cpu_seconds(run.pid), _difference(_server_cpu(run), servers)
    await asyncio.sleep(run.plan.settle)
    held, samples = memory(run.pid), await scrape(run.operator)
    return {
        "firstReportSeconds": round(took, 2),
        "beyondBareList": round(took - run.figures["bare_list"]["seconds"], 2),
        "cpuSeconds": round(cpu, 2),
        "serverCpuSeconds": spent,
        "peakMib": round(held.peak / MIB, 1),
        "rssMib": round(held.resident / MIB, 1),
        "pssMib": round(held.shared_out / MIB, 1),
        "series": len(samples),
        "serverMib": _server_memory(run),
        "stall": _stall(samples),
        "auditCpuSeconds": round(samples["cluster_audit_operator_last_audit_cpu_seconds"], 3),
    }


def _stall(samples: dict[str, float]) -> Figures:
    name = 'cluster_audit_operator_loop_stall_seconds{{time="{}"}}'
    return {one: round(samples[name.format(one)], 3) for one in ("wall", "process", "cpu")}


async def _idle(run: Run) -> Figures:
    """Nothing changes: what the operator asks of the API server, and what that costs."""
    before, began = await scrape(run.operator), datetime.now(tz=UTC)
    cpu, threads = cpu_seconds(run.pid), cpu_of_threads(run.pid)
    beats = asyncio.create_task(run.life.heartbeats())
    await asyncio.sleep(run.plan.idle)
    beats.cancel()
    after = await scrape(run.operator)
    return {
        "seconds": run.plan.idle,
        "cpuShare": round((cpu_seconds(run.pid) - cpu) / run.plan.idle, 4),
        "cpuByThread": _difference(cpu_of_threads(run.pid), threads),
        "statusWrites": _grown("cluster_audit_operator_status_writes_total", before, after),
        "requests": _requests(run.stand, began),
    }


def _requests(standing: Stand, since: datetime) -> dict[str, int]:
    """By verb and resource, as the API server's audit log has them."""
    found: Counter[str] = Counter()
    seen: set[str] = set()
    for event in standing.plane.audit_events(USER, since=since):
        if event["auditID"] not in seen:
            seen.add(event["auditID"])
            what = event.get("objectRef", {})
            name = "/".join(
                part for part in (what.get("resource"), what.get("subresource")) if part
            )
            found[f"{event['verb']} {name or event['requestURI'].partition('?')[0]}"] += 1
    return dict(sorted(found.items()))


def _server_cpu(run: Run) -> dict[str, float]:
    return {name: cpu_seconds(run.stand.pid(name)) for name in (ETCD, API_SERVER)}


def _server_memory(run: Run) -> dict[str, int]:
    names = (ETCD, API_SERVER)
    return {name: round(memory(run.stand.pid(name)).resident / MIB) for name in names}


def _difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    spent = {name: round(value - before.get(name, 0), 2) for name, value in after.items()}
    return {name: value for name, value in spent.items() if value > 0.05}


def _by_part(samples: dict[str, float]) -> dict[str, float]:
    """CPU time as the operator itself tells it."""
    name = "cluster_audit_operator_cpu_seconds_total"
    return {one: value for one, value in samples.items() if one.startswith(name)}


def _grown(name: str, before: dict[str, float], after: dict[str, float]) -> float:
    return total(after, name) - total(before, name)


async def _churn(run: Run) -> Figures:
    """200 changes a second: CPU, memory, stalls and writes, with a scrape every 15 seconds."""
    before, changes = await scrape(run.operator), run.life.changes
    cpu, threads, began = cpu_seconds(run.pid), cpu_of_threads(run.pid), time.monotonic()
    servers = _server_cpu(run)
    with Sampler(run.pid) as sampler:
        await _while(run.life.churn(run.plan.churn), lambda: scrape(run.operator), 15)
    took, after = time.monotonic() - began, await scrape(run.operator)
    size = len(json.dumps(await report(run.stand.server), separators=(",", ":")))
    slope = sampler.slope()
    return {
        "seconds": round(took),
        "changesPerSecond": round((run.life.changes - changes) / took, 1),
        "aim": RATE,
        "cpuShare": round((cpu_seconds(run.pid) - cpu) / took, 4),
        "cpuByThread": _difference(cpu_of_threads(run.pid), threads),
        "cpuByPart": _difference(_by_part(after), _by_part(before)),
        "serverCpuShare": {
            name: round(spent / took, 3)
            for name, spent in _difference(_server_cpu(run), servers).items()
        },
        "audits": _grown("cluster_audit_operator_audits_total", before, after),
        "auditCpuSeconds": round(after["cluster_audit_operator_last_audit_cpu_seconds"], 3),
        "stall": _stall(after),
        "statusWritesPerMinute": round(
            60 * _grown("cluster_audit_operator_status_writes_total", before, after) / took, 2
        ),
        "statusKib": round(size / 1024, 1),
        "slopeMibPerHour": round(slope.hourly / MIB, 1),
        "slopeErrorMibPerHour": round(slope.error / MIB, 1),
        "peakMib": round(memory(run.pid).peak / MIB, 1),
        "rssMib": _rss(sampler),
    }


def _rss(sampler: Sampler) -> list[float]:
    """Ten moments of it."""
    step = max(1, len(sampler.samples) // 10)
    return [round(one.resident / MIB, 1) for one in sampler.samples[::step]]


async def _while(
    work: Coroutine[Any, Any, None], ask: Callable[[], Coroutine[Any, Any, Any]], every: float
) -> None:
    task = asyncio.create_task(work)
    while not task.done():
        await asyncio.wait([task], timeout=every)
        await ask()
    await task


async def _latency(run: Run) -> Figures:
    """From a write to the metric that shows it, while 200 other changes a second happen."""
    probes = Probes(run.operator, run.stand.server, _NAMESPACE)
    patience = 60.0
    async with asyncio.TaskGroup() as group:
        group.create_task(run.life.churn(run.plan.probes + patience))
        await probes.run(run.plan.probes, patience)
        run.life.rest()
    wanted = probes.latencies
    return {
        "probes": len(wanted),
        "sent": probes.sent,
        **{
            name: round(value, 2) if (value := percentile(wanted, share)) is not None else None
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
        },
    }


async def _restart(run: Run) -> Figures:
    """A rolling restart of everything; what is known afterwards, and what it left in memory."""
    before, ended = memory(run.pid), await run.stand.server.ended("pods")
    began, cpu, servers = time.monotonic(), cpu_seconds(run.pid), _server_cpu(run)
    await run.life.restart()
    await run.life.vanish(_VANISHED)
    took, cpu = time.monotonic() - began, cpu_seconds(run.pid) - cpu
    servers = _difference(_server_cpu(run), servers)
    revision = await run.stand.etcd.revision()
    behind = await run.stand.server.caught_up(revision, _PATIENCE)
    known = await _all_known(run)
    after, samples = memory(run.pid), await scrape(run.operator)
    return {
        "seconds": round(took),
        "podsPerSecond": round(run.cluster.pods / took, 1),
        "cpuShare": round(cpu / took, 4),
        "serverCpuShare": {name: round(spent / took, 3) for name, spent in servers.items()},
        "serverMib": _server_memory(run),
        "rssMibBefore": round(before.resident / MIB, 1),
        "rssMibAfter": round(after.resident / MIB, 1),
        "peakMib": round(after.peak / MIB, 1),
        "podsKnown": _pods_known(samples),
        "podsThere": await run.stand.etcd.count("pods/"),
        "podsServed": await _served(run),
        "serverBehindSeconds": round(behind, 1),
        "knownAfterSeconds": round(known, 1),
        "watchesEnded": await run.stand.server.ended("pods") - ended,
        "podsSkipped": int(samples['cluster_audit_operator_kind_skipped{kind="Pod"}']),
        "relists": int(samples['cluster_audit_operator_kind_relists_total{kind="Pod"}']),
        "stall": _stall(samples),
    }


async def _all_known(run: Run) -> float:
    """Seconds until the operator knows of the last pods that went, or those after which it should.

    A number of pods that stays the same would tell nothing: half a restart ago it was that, too.
    """
    began, there = time.monotonic(), await run.stand.etcd.count("pods/")
    while (past := time.monotonic() - began) < _TOLD:
        if abs(_pods_known(await scrape(run.operator)) - there) < _VANISHED // 2:
            break
        await asyncio.sleep(1)
    await asyncio.sleep(_SHOWN)
    return past


def _pods_known(samples: dict[str, float]) -> int:
    return int(samples['cluster_audit_operator_kind_objects{kind="Pod"}'])


async def _served(run: Run) -> int | str:
    try:
        return await run.stand.server.pods()
    except RuntimeError as error:
        return str(error)


async def _scan(run: Run) -> Figures:
    """The command line on the same cluster; and whether it finds what the operator tells."""
    await asyncio.sleep(_SHOWN)
    before = commands.told(await scrape(run.operator))
    async with _stirring(run):
        figures, found = await asyncio.to_thread(commands.measure, run.stand.kubeconfig)
    after = commands.told(await scrape(run.operator))
    return {**figures, "differs": commands.differing(found, before, after)}


_STEPS = {
    "bare_list": _bare_list,
    "start": _start,
    "idle": _idle,
    "churn": _churn,
    "latency": _latency,
    "scan": _scan,
    "restart": _restart,
}
"""In this order: to a restart of 150,000 pods the API server's cache adds what it keeps of them."""
