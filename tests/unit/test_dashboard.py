"""The dashboard: every metric in it is exposed, nothing is hard-wired, panels do not overlap."""

import itertools
import re

from clusteraudit.publish import audited, itself
from clusteraudit.rules.kit import Severity
from tools.dashboard import dashboard, pages, queries
from tools.panels import ROWS

BOARD = dashboard(ROWS)


def test_it_asks_for_metrics_that_there_are_and_for_all_that_the_audit_says() -> None:
    names = {one.exposed for one in audited.METRICS}
    asked = {name for _, text in queries() for name in re.findall(r"cluster_audit_\w+", text)}

    assert asked <= names | {one.exposed for one in itself.METRICS}
    assert names <= asked


def test_every_query_is_limited_to_the_chosen_clusters() -> None:
    for title, text in queries():
        assert text.count("cluster_audit_") == text.count('cluster=~"$cluster"'), title
        assert "{C" not in text


def test_every_panel_says_what_it_shows_and_asks_the_chosen_source() -> None:
    panels = [one for one in BOARD["panels"] if one["type"] != "row"]

    assert all(one["description"].endswith(".") for one in panels)
    assert {one["datasource"]["uid"] for one in panels} == {"$datasource"}
    assert len({one["id"] for one in BOARD["panels"]}) == len(BOARD["panels"])


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (one["gridPos"] for one in BOARD["panels"])
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_panel_has_what_grafana_needs() -> None:
    for panel in (one for one in BOARD["panels"] if one["type"] != "row"):
        assert panel["type"] in {"stat", "timeseries"}
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["thresholds"]["steps"][0]["value"] is None
        references = [one["refId"] for one in panel["targets"]]
        assert references == sorted(set(references))
    variables = {one["name"]: one for one in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["cluster"]["datasource"]["uid"] == "$datasource"


def test_colours_are_of_series_that_there_are() -> None:
    named = {name for row in ROWS for panel in row.panels for name, _ in panel.colours}
    assert named == {one.value for one in Severity}


def test_every_panel_says_on_the_page_what_to_do() -> None:
    (text,) = pages().values()
    for row in ROWS:
        for panel in row.panels:
            assert panel.moves.endswith(".")
            assert f"| {panel.title} | {panel.says} | {panel.moves} |" in text
