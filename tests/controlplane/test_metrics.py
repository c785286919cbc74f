"""The operator's metrics as Prometheus takes them: promtool has nothing to say, a scrape works."""

import contextlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusteraudit.publish import audited, itself
from controlplane import ControlPlane
from controlplane.binaries import provide
from demo import stage
from demo.apply import apply
from demo.operator import Operator, free_port, install, status_of
from tools import dashboard


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of its own: the broken examples of another suite would be in the way, and ours in its."""
    with ControlPlane() as started:
        yield started


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    plane.install_metrics()
    kubeconfig = install(plane, report={"spec": {"publishInterval": 1}})
    apply(plane, stage.everything())
    log = tmp_path_factory.mktemp("metrics") / "log"
    with Operator(kubeconfig, log) as running:
        plane.wait(lambda: "score" in status_of(plane), 40, "the first published report")
        yield running


@pytest.fixture(scope="module")
def prometheus(operator: Operator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes the operator each second."""
    folder = tmp_path_factory.mktemp("prometheus")
    target = {"targets": [f"127.0.0.1:{operator.metrics_port}"]}
    job = {"job_name": "cluster-audit", "static_configs": [target]}
    config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(yaml.dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(provide(("prometheus",))["prometheus"]),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)


def query(prometheus: str, text: str) -> list[dict[str, Any]]:
    """The vector that a query gives now; empty while the server is not there yet."""
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': text})}"
    with contextlib.suppress(urllib.error.URLError, ConnectionError):
        found: list[dict[str, Any]] = json.load(urllib.request.urlopen(url))["data"]["result"]
        return found
    return []


def test_promtool_has_nothing_to_say(operator: Operator) -> None:
    text = operator.get("/metrics", operator.metrics_port)
    promtool = str(provide(("promtool",))["promtool"])
    done = subprocess.run(
        [promtool, "check", "metrics", "--extended"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


def test_prometheus_knows_every_metric_of_the_page(plane: ControlPlane, prometheus: str) -> None:
    names = {one.exposed for one in audited.METRICS} | {one.exposed for one in itself.METRICS}

    def scraped() -> set[str]:
        every = query(prometheus, '{__name__=~"cluster_audit_.+"}')
        return {one["metric"]["__name__"] for one in every}

    plane.wait(lambda: "cluster_audit_score" in scraped(), 30, "the first scrape")
    plane.wait(lambda: scraped() == names, 30, "a sample of every metric and no other")


def test_every_query_of_the_dashboard_returns_data(plane: ControlPlane, prometheus: str) -> None:
    filled = [(title, one.replace("$cluster", ".*")) for title, one in dashboard.queries()]
    asked = [(title, one.replace("$__rate_interval", "10s")) for title, one in filled]

    def silent() -> list[tuple[str, str]]:
        return [(title, text) for title, text in asked if not query(prometheus, text)]

    plane.wait(lambda: not silent(), 30, "data for every panel")
    rows = [(title, text, *measured(prometheus, text)) for title, text in asked]
    write(rows)
    assert max(milliseconds for *_, milliseconds in rows) < 1000


def measured(prometheus: str, text: str) -> tuple[int, float]:
    """Series that a query gives, and the milliseconds of the median of five."""
    taken, series = [], 0
    for _ in range(5):
        start = time.perf_counter()
        series = len(query(prometheus, text))
        taken.append(1000 * (time.perf_counter() - start))
    return series, sorted(taken)[2]


def write(rows: list[tuple[str, str, int, float]]) -> None:
    """The table, as pytest shows it with -s; CLUSTER_AUDIT_FIGURES names a file to keep it in."""
    head = "| panel | query | series | ms |\n|---|---|---|---|"
    lines = [f"| {title} | `{text}` | {series} | {ms:.1f} |" for title, text, series, ms in rows]
    table = "\n".join([head, *lines])
    print(table)
    if kept := os.environ.get("CLUSTER_AUDIT_FIGURES"):
        Path(kept).write_text(table + "\n", encoding="utf-8")


def test_metrics_and_status_say_the_same(plane: ControlPlane, prometheus: str) -> None:
    def agree() -> bool:
        status = status_of(plane)
        score = query(prometheus, "cluster_audit_score")
        found = query(prometheus, "sum by (severity) (cluster_audit_findings)")
        counted = {one["metric"]["severity"]: int(one["value"][1]) for one in found}
        same = [int(one["value"][1]) for one in score] == [status["score"]]
        return same and counted == status["summary"]["bySeverity"]

    plane.wait(agree, 30, "metrics and status to agree")
