"""The page of all metrics, made of their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusteraudit.publish import audited, itself

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clusteraudit.publish.metrics import Metric

PAGE = "docs/metrics.md"
_HEAD = f"""# Metrics

The operator serves them at `/metrics` (port 8080). They follow the main report: its `namespaces`
and `minSeverity` limit what is counted. What cannot be told has no sample, since 0 would be an
answer: alert on `cluster_audit_rule_cannot_tell`, or on `absent()`.

No label names a workload, so the number of series does not grow with the cluster: at most 1,000,
and {audited.MAX_POOLS} pools (those with most allocatable CPU) and 20 shapes of pods on top.
A pool is what the label of its maker names (Karpenter, EKS, GKE, AKS and others), else the instance
type.
"""


def pages() -> dict[str, str]:
    """The page by its path."""
    parts = [
        _HEAD,
        *_section("What the audit says", audited.METRICS),
        *_section("The operator itself", itself.METRICS),
    ]
    return {PAGE: "\n".join(parts)}


def _section(title: str, metrics: Iterable[Metric[Any]]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| metric | type | labels | meaning |\n|---|---|---|---|"
    for one in metrics:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| `{one.exposed}` | {one.kind} | {labels} | {one.says} |"
    yield ""
