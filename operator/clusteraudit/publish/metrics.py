"""The exposition text: what each metric is, is data; samples are made when it is asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

PREFIX = "cluster_audit_"
T = TypeVar("T")
Samples = Mapping[tuple[str, ...], float]
"""Values by those of the labels: a series cannot be there twice."""


@dataclass(frozen=True)
class Metric(Generic[T]):
    """A metric, without the prefix; `samples` are made of the figures of one moment."""

    name: str
    says: str
    samples: Callable[[T], Samples]
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    @property
    def exposed(self) -> str:
        """Its name as Prometheus has it."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")

    def family(self, figures: T) -> CounterMetricFamily | GaugeMetricFamily:
        """Its samples now."""
        shape = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = shape(PREFIX + self.name, self.says, labels=self.labels)
        for values, number in sorted(self.samples(figures).items()):
            family.add_metric(values, number)
        return family


class _Families(Collector):
    def __init__(self, families: Iterable[CounterMetricFamily | GaugeMetricFamily]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        return self._families


def render(metrics: Sequence[Metric[T]], figures: T) -> bytes:
    """The exposition text of these figures."""
    registry = CollectorRegistry()
    registry.register(_Families(one.family(figures) for one in metrics))
    return generate_latest(registry)
