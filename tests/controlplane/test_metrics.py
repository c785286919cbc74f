"""The operator's metrics as Prometheus takes them: promtool has nothing to say, a scrape works."""

import contextlib
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from clusteraudit.publish import audited, itself
from clusteraudit.report.resource import PLURAL
from controlplane import ControlPlane, node
from controlplane.binaries import provide
from demo.operator import Operator, free_port, install, report, status_of

ABSENT = {
    "cluster_audit_headroom_pods": "there is no workload",
    "cluster_audit_eviction_risk_nodes": "metrics.k8s.io is not served",
}
"""Metrics that have no sample on the cluster of this test, and why."""


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    kubeconfig = install(plane)
    plane.add_nodes([node("metrics-a")])
    plane.apply([report(publishInterval=1)])
    log = tmp_path_factory.mktemp("metrics") / "log"
    with Operator(kubeconfig, log) as running:
        plane.wait(lambda: status_of(plane).get("score"), 40, "the first published report")
        yield running
    plane.kubectl("delete", PLURAL, "cluster")
    plane.kubectl("delete", "node", "metrics-a")


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
    assert scraped() <= names
    assert names - scraped() <= ABSENT.keys()


def test_metrics_and_status_say_the_same(plane: ControlPlane, prometheus: str) -> None:
    def agree() -> bool:
        status = status_of(plane)
        score = query(prometheus, "cluster_audit_score")
        found = query(prometheus, "sum by (severity) (cluster_audit_findings)")
        counted = {one["metric"]["severity"]: int(one["value"][1]) for one in found}
        same = [int(one["value"][1]) for one in score] == [status["score"]]
        return same and counted == status["summary"]["bySeverity"]

    plane.wait(agree, 30, "metrics and status to agree")
