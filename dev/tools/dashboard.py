"""The Grafana dashboard, made of the panels below: what each shows, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE = "charts/cluster-audit/dashboards/cluster-audit.json"
_WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "$datasource"}


@dataclass(frozen=True)
class Panel:
    """A panel: its queries by what their series are called; `C` stands for the cluster's label."""

    title: str
    says: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 7


@dataclass(frozen=True)
class Row:
    """A headline and its panels."""

    title: str
    panels: tuple[Panel, ...]


def _one(title: str, says: str, query: str, unit: str = "short") -> Panel:
    return Panel(title, says, ((query, ""),), "stat", unit, width=4, height=4)


ROWS: tuple[Row, ...] = (
    Row(
        "Findings",
        (
            _one("Score", "100 less 25, 10, 3, 1 for each rule found.", "cluster_audit_score{C}"),
            _one(
                "Critical",
                "Open findings of critical severity.",
                'sum(cluster_audit_findings{C,severity="critical"})',
            ),
            _one(
                "High",
                "Open findings of high severity.",
                'sum(cluster_audit_findings{C,severity="high"})',
            ),
            _one("Chains", "Causes with what follows from them.", "cluster_audit_chains{C}"),
            _one(
                "Rules that cannot tell",
                "Their silence is no all-clear.",
                "sum(cluster_audit_rule_cannot_tell{C})",
            ),
            _one(
                "Last audit",
                "Seconds since the last one; grows when nothing changes.",
                "time() - cluster_audit_last_audit_timestamp_seconds{C}",
                "s",
            ),
            Panel(
                "By severity",
                "Open findings and their history.",
                (("sum by (severity) (cluster_audit_findings{C})", "{{severity}}"),),
            ),
            Panel(
                "By control loop",
                "Where the findings lie.",
                (("sum by (loop) (cluster_audit_findings{C})", "{{loop}}"),),
            ),
            Panel(
                "By rule",
                "Rules with open findings, by name.",
                (
                    (
                        (
                            "topk(10, (sum by (rule) (cluster_audit_findings{C}) > 0)"
                            " * on (rule) group_left (name)"
                            " max by (rule, name) (cluster_audit_rule_info{C}))"
                        ),
                        "{{rule}} {{name}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        "Capacity",
        (
            Panel(
                "Fragmentation",
                "Share of what is free that the expected pod cannot use.",
                (("cluster_audit_fragmentation_ratio{C}", "{{resource}} {{pool}}"),),
                unit="percentunit",
            ),
            Panel(
                "Headroom",
                "How many more pods fit, of the most frequent shapes.",
                (("cluster_audit_headroom_pods{C}", "{{shape}}"),),
            ),
            Panel(
                "Limits by allocatable",
                "Above 100%, pods may together use more than there is.",
                (("cluster_audit_overcommit_ratio{C}", "{{resource}} {{pool}}"),),
                unit="percentunit",
            ),
            Panel(
                "Largest CPU that fits",
                "A pod that requests more stays Pending, whatever is free in all.",
                (('cluster_audit_largest_fit{C,resource="cpu"}', "{{pool}}"),),
                unit="cores",
            ),
            Panel(
                "Largest memory that fits",
                "A pod that requests more stays Pending, whatever is free in all.",
                (('cluster_audit_largest_fit{C,resource="memory"}', "{{pool}}"),),
                unit="bytes",
            ),
            Panel(
                "Stranded CPU",
                "Free on nodes that take no pod of the cluster's own mix.",
                (('cluster_audit_stranded{C,resource="cpu"}', "{{pool}}"),),
                unit="cores",
            ),
        ),
    ),
    Row(
        "Risks, and what cannot be told",
        (
            Panel(
                "Nodes at risk of eviction",
                "Memory pressure is near. No line: usage is not known.",
                (("cluster_audit_eviction_risk_nodes{C}", "nodes"),),
            ),
            Panel(
                "Volumes out of reach",
                "No node that could run their pods reaches them.",
                (("cluster_audit_stranded_volumes{C}", "volumes"),),
            ),
            Panel(
                "Objects of which a rule cannot tell",
                "Evidence is missing, or the rule failed.",
                (("cluster_audit_rule_unknown_subjects{C}", "{{rule}}"),),
            ),
        ),
    ),
    Row(
        "The operator",
        (
            Panel(
                "Kinds in sync",
                "0: the kind is not known in full, and rules that need it cannot tell.",
                (("cluster_audit_operator_kind_synced{C}", "{{kind}}"),),
            ),
            Panel(
                "Requests to the API server",
                "By verb and code; watches are counted when they begin.",
                (
                    (
                        (
                            "sum by (verb, code)"
                            " (rate(cluster_audit_operator_api_requests_total{C}"
                            "[$__rate_interval]))"
                        ),
                        "{{verb}} {{code}}",
                    ),
                ),
                unit="reqps",
            ),
            Panel(
                "Audits and writes",
                "How often it audits, writes a status, or may not.",
                tuple(
                    (f"rate(cluster_audit_operator_{name}_total{{C}}[$__rate_interval])", name)
                    for name in ("audits", "status_writes", "status_failures")
                ),
                unit="ops",
            ),
            Panel(
                "CPU of the last audit",
                "Grows with the change, not with the cluster.",
                (("cluster_audit_operator_last_audit_cpu_seconds{C}", "audit"),),
                unit="s",
            ),
            Panel(
                "Objects",
                "Known, by kind.",
                (("cluster_audit_operator_kind_objects{C}", "{{kind}}"),),
            ),
            Panel(
                "Rules that fail",
                "Faults of ours: please report them.",
                (("rate(cluster_audit_rule_errors_total{C}[$__rate_interval])", "{{rule}}"),),
                unit="ops",
            ),
        ),
    ),
)


def files() -> dict[str, str]:
    """The dashboard by its path."""
    return {FILE: json.dumps(dashboard(ROWS), indent=2, ensure_ascii=False) + "\n"}


def queries(rows: Sequence[Row] = ROWS) -> Iterator[tuple[str, str]]:
    """Every query with its variables, by the title of its panel."""
    for row in rows:
        for panel in row.panels:
            for query, _ in panel.queries:
                yield panel.title, _expression(query)


def dashboard(rows: Sequence[Row]) -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    return {
        "uid": "cluster-audit",
        "title": "Cluster Audit",
        "description": "What is wrong with the cluster, and what the actual cause is.",
        "tags": ["kubernetes", "cluster-audit"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_datasource(), _cluster()]},
        "panels": list(_placed(rows)),
    }


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
    }


def _cluster() -> dict[str, Any]:
    """All by default: matches series without the label too."""
    return {
        "name": "cluster",
        "label": "Cluster",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": "label_values(cluster_audit_score, cluster)", "refId": "cluster"},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _placed(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Panels from left to right; a row begins a new line."""
    number, top = 0, 0
    for row in rows:
        number += 1
        place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
        yield {"id": number, "type": "row", "title": row.title, "gridPos": place, "panels": []}
        left, top, height = 0, top + 1, 0
        for panel in row.panels:
            if left + panel.width > _WIDTH:
                left, top = 0, top + height
            number, height = number + 1, panel.height
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield _panel(number, panel, place)
            left += panel.width
        top += height


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": _expression(query),
                "legendFormat": legend,
            }
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }


def _expression(query: str) -> str:
    """The query with the label of the chosen clusters."""
    label = 'cluster=~"$cluster"'
    return query.replace("{C}", f"{{{label}}}").replace("{C,", f"{{{label},")
