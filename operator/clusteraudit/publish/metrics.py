"""The operator's own metrics, rendered when asked from what it holds."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

PREFIX = "cluster_audit_"


@dataclass(frozen=True)
class KindFigures:
    """Of one kind: whether it is in sync, how much of it there is, how it is followed."""

    synced: bool
    objects: int
    relists: int
    skipped: int


@dataclass(frozen=True)
class Figures:
    """Everything that is measured of the operator, at one moment."""

    version: str
    kinds: Mapping[str, KindFigures]
    findings: Mapping[str, int]
    audits: int
    audit_cpu_seconds: float
    status_writes: int
    status_failures: int
    requests: Mapping[tuple[str, str, int], int]


class _Operator(Collector):
    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        figures = self._figures()
        yield from _gauges(figures)
        yield from _of_kinds(figures.kinds)
        yield _counter("audits", "Audits done.", figures.audits)
        yield _counter("status_writes", "Statuses of reports written.", figures.status_writes)
        yield _counter("status_failures", "Statuses that were refused.", figures.status_failures)
        requests = CounterMetricFamily(
            PREFIX + "api_requests",
            "Requests to the API server.",
            labels=["verb", "resource", "code"],
        )
        for (verb, resource, code), number in sorted(figures.requests.items()):
            requests.add_metric([verb, resource, str(code)], number)
        yield requests


def _gauges(figures: Figures) -> Iterable[Metric]:
    info = GaugeMetricFamily(PREFIX + "build_info", "Version, as a label.", labels=["version"])
    info.add_metric([figures.version], 1)
    yield info
    findings = GaugeMetricFamily(
        PREFIX + "findings", "Open findings by severity.", labels=["severity"]
    )
    for severity, number in figures.findings.items():
        findings.add_metric([severity], number)
    yield findings
    cpu = GaugeMetricFamily(PREFIX + "last_audit_cpu_seconds", "CPU time of the last audit.")
    cpu.add_metric([], figures.audit_cpu_seconds)
    yield cpu


def _of_kinds(kinds: Mapping[str, KindFigures]) -> Iterable[Metric]:
    synced = GaugeMetricFamily(PREFIX + "kind_synced", "1 if known in full.", labels=["kind"])
    objects = GaugeMetricFamily(PREFIX + "kind_objects", "Objects known.", labels=["kind"])
    skipped = GaugeMetricFamily(
        PREFIX + "kind_skipped", "Objects that cannot be evaluated.", labels=["kind"]
    )
    relists = CounterMetricFamily(PREFIX + "kind_relists", "Lists made again.", labels=["kind"])
    for kind, one in sorted(kinds.items()):
        synced.add_metric([kind], int(one.synced))
        objects.add_metric([kind], one.objects)
        skipped.add_metric([kind], one.skipped)
        relists.add_metric([kind], one.relists)
    yield from (synced, objects, skipped, relists)


def _counter(name: str, help_text: str, value: float) -> CounterMetricFamily:
    metric = CounterMetricFamily(PREFIX + name, help_text)
    metric.add_metric([], value)
    return metric


def renderer(figures: Callable[[], Figures]) -> Callable[[], bytes]:
    """A function that renders the exposition text of what is so now."""
    registry = CollectorRegistry()
    registry.register(_Operator(figures))
    return lambda: generate_latest(registry)
