"""The Grafana dashboard, made of the panels: as Grafana reads it, and as a page for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.panels import ROWS, Panel, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE = "charts/cluster-audit/dashboards/cluster-audit.json"
PAGE = "docs/dashboard.md"
_HEAD = """# Dashboard

[cluster-audit.json](../charts/cluster-audit/dashboards/cluster-audit.json) is a Grafana dashboard
of the [metrics](metrics.md). Import it, or let the chart make a ConfigMap of it for Grafana's
sidecar ([values](values.md): `dashboard`). `$datasource` chooses a Prometheus, `$cluster` values of
the label `cluster`, where several clusters are scraped into one; all are shown at first, and series
without that label too.

No data in a panel is an answer: what cannot be told has no sample.
[What its queries cost](dashboard-figures.md) was measured.
"""
_WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "$datasource"}


def files() -> dict[str, str]:
    """The dashboard by its path."""
    return {FILE: json.dumps(dashboard(ROWS), indent=2, ensure_ascii=False) + "\n"}


def pages() -> dict[str, str]:
    """The page for people by its path."""
    return {PAGE: "\n".join([_HEAD, *_tables(ROWS)]) + "\n"}


def _tables(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield f"## {row.title}\n"
        yield "| panel | tells | when it moves |\n|---|---|---|"
        yield from (f"| {one.title} | {one.says} | {one.moves} |" for one in row.panels)
        yield ""
    yield "## Queries\n"
    yield "| panel | query |\n|---|---|"
    yield from (f"| {title} | `{query}` |" for title, query in queries(rows))


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
        "timezone": "browser",
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
        "current": {"text": ["All"], "value": ["$__all"]},
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
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(_coloured(panel))},
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


def _defaults(panel: Panel) -> dict[str, Any]:
    """Unit, and steps of colour: without these, Grafana paints red from 80 on."""
    steps = [
        {"color": colour, "value": value if index else None}
        for index, (value, colour) in enumerate(panel.steps)
    ]
    return {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}


def _coloured(panel: Panel) -> Iterator[dict[str, Any]]:
    for name, colour in panel.colours:
        fixed = {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}
        yield {"matcher": {"id": "byName", "options": name}, "properties": [fixed]}


def _expression(query: str) -> str:
    """The query with the label of the chosen clusters."""
    label = 'cluster=~"$cluster"'
    return query.replace("{C}", f"{{{label}}}").replace("{C,", f"{{{label},")
