"""The chart on a real API server: installed, upgraded, rolled back, removed in any order."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusteraudit.kube.lease import Timing
from clusteraudit.report.crd import crd
from clusteraudit.report.resource import GROUP, PLURAL
from clusteraudit.rules.catalogue import catalogue
from controlplane import ApiError, ControlPlane, Object
from controlplane.api import APPLY
from controlplane.helm import helm_command, helm_environment, run_helm
from controlplane.objects import has_condition
from demo import stage
from demo.apply import apply
from demo.operator import (
    CHART,
    HOME_VALUES,
    NAMESPACE,
    RELEASE,
    USER,
    Operator,
    install,
    prepare,
    status_of,
)
from support.charts import EVERYTHING
from support.replicas import ELECT, LEASE

CRD = f"{PLURAL}.{GROUP}"
RULE = next(one for one in catalogue() if one.name == "budget-blocks-drain")
DNS = next(one for one in catalogue() if one.name == "egress-cuts-dns")
GUARD_RAILS = next(one.code for one in catalogue() if one.name == "namespace-without-guard-rails")
"""What a namespace has besides is its owner's, not the chart's."""
SPEC = {"spec": {"publishInterval": 1}}
INSTALLED = 30.0
"""Seconds within which the first report must be there on an empty cluster; it takes about five."""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """One of its own: definitions and releases come and go here."""
    with ControlPlane() as started:
        yield started


@pytest.fixture(autouse=True)
def clean(plane: ControlPlane) -> Iterator[None]:
    """Nothing of the chart is left for the next test, even where this one failed."""
    yield
    plane.helm("uninstall", RELEASE, "-n", NAMESPACE, "--ignore-not-found")
    plane.kubectl("delete", "crd", CRD, "--ignore-not-found")
    plane.kubectl("delete", "clusterrole,clusterrolebinding", "-l", LABEL)


LABEL = f"app.kubernetes.io/instance={RELEASE}"


def conditions(plane: ControlPlane) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status_of(plane).get("conditions", [])}


def since(plane: ControlPlane) -> dict[str, str]:
    return {one["fingerprint"]: one["since"] for one in status_of(plane).get("findings", [])}


def test_install_waits_for_the_first_report_and_needs_no_metrics_server(
    plane: ControlPlane, tmp_path: Path
) -> None:
    prepare(plane)
    (tmp_path / "values.json").write_text(json.dumps({**HOME_VALUES, "report": SPEC}))
    command = ["install", RELEASE, str(CHART), "-n", NAMESPACE, "--wait", "--timeout", "90s"]
    start = time.monotonic()
    helm = subprocess.Popen(
        helm_command([*command, "-f", str(tmp_path / "values.json")]),
        env=helm_environment(tmp_path, plane.kubeconfig),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    kubeconfig = plane.wait(lambda: plane.kubeconfig_for(USER), 30, "the chart's ServiceAccount")
    with Operator(kubeconfig, tmp_path / "log") as operator:
        plane.wait(lambda: conditions(plane).get("Ready") == "True", INSTALLED, "the first report")
        took = time.monotonic() - start
        said, _ = helm.communicate(timeout=60)
        assert helm.returncode == 0, said
        assert operator.get("/readyz") == "ok\n"
        inputs = {one["kind"]: one.get("reason") for one in status_of(plane)["inputs"]}
    assert took < INSTALLED
    assert inputs["NodeMetrics"] == inputs["PodMetrics"] == "NotServed"
    assert "kubectl get car cluster" in said
    assert max(map(len, said.splitlines())) <= 80


def test_the_pod_is_admitted_where_restricted_is_enforced(plane: ControlPlane) -> None:
    install(plane)

    def runs() -> bool:
        pods = plane.api.items("v1", "Pod", NAMESPACE)
        return len(pods) == 1 and has_condition(pods[0], "Ready")

    plane.wait(runs, 30, "the operator's pod")
    other = {"name": "root", "image": "root:1"}
    with pytest.raises(ApiError, match="violates PodSecurity"):
        plane.create(
            [
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"namespace": NAMESPACE, "name": "root"},
                    "spec": {"containers": [other]},
                }
            ]
        )


def monitor(kind: str) -> Object:
    """A definition of the Prometheus Operator, of which only the kind counts here."""
    group, plural = "monitoring.coreos.com", f"{kind.lower()}s"
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": free},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_the_server_takes_every_template(plane: ControlPlane, values: dict[str, Any]) -> None:
    """A dry run on the server's side, every unknown or doubled field an error."""
    prepare(plane)
    plane.apply([crd(), monitor("ServiceMonitor"), monitor("PodMonitor")])
    text = run_helm(
        ["template", RELEASE, str(CHART), "-n", NAMESPACE, "-f", "-"], text=json.dumps(values)
    )
    for one in yaml.safe_load_all(text):
        query = "dryRun=All&fieldManager=test&fieldValidation=Strict"
        plane.api.request("PATCH", f"{plane.api.object_path(one)}?{query}", one, APPLY)


def test_what_is_switched_off_goes(plane: ControlPlane) -> None:
    plane.apply([monitor("ServiceMonitor"), monitor("PodMonitor")])
    on = {key: EVERYTHING[key] for key in ("dashboard", "networkPolicy", "podMonitor")}
    install(plane, **on, serviceMonitor={"enabled": True})
    optional = "configmap,networkpolicy,servicemonitor,podmonitor"
    made = plane.kubectl("get", optional, "-n", NAMESPACE, "-l", LABEL, "-o", "name").split()
    assert len(made) == 4

    install(plane)
    assert plane.kubectl("get", optional, "-n", NAMESPACE, "-l", LABEL, "-o", "name") == ""


def test_the_audit_finds_nothing_in_its_own_chart(plane: ControlPlane, tmp_path: Path) -> None:
    """With the DNS of a cluster there, and every rule at once."""
    prepare(plane)
    apply(plane, stage.broken(DNS))
    values = {"report": {"spec": {"publishInterval": 1, "rules": stage.eager(catalogue())}}}
    kubeconfig = install(plane, **values, networkPolicy={"enabled": True}, replicas=2)
    with Operator(kubeconfig, tmp_path / "log"):
        codes = plane.wait(lambda: found_in(plane, DNS.name), 60, "a finding in an example")
        assert DNS.code in codes
        assert found_in(plane, NAMESPACE) - {GUARD_RAILS} == set()
    apply(plane, stage.mended(DNS))


def found_in(plane: ControlPlane, namespace: str) -> set[str]:
    """Codes of the rules that find something in a namespace, or in how it is set up."""
    objects = ((one["rule"], one["object"]) for one in status_of(plane).get("findings", []))
    return {code for code, one in objects if namespace in {one.get("namespace"), one["name"]}}


def older(folder: Path) -> Path:
    """The chart as a version before this one might have been: with a CRD that knows less."""
    chart = folder / "older"
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    about |= {"version": "0.0.9", "appVersion": "0.0.9"}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    definition: Any = crd()
    status = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    for field in ("chains", "ledger"):
        del status["properties"][field]
        status["required"] = [one for one in status["required"] if one != field]
    (chart / "crds" / f"{PLURAL}.yaml").write_text(yaml.safe_dump(definition))
    return chart


def test_upgrade_and_rollback_keep_what_was_seen_first(plane: ControlPlane, tmp_path: Path) -> None:
    prepare(plane)
    apply(plane, stage.broken(RULE))
    values = json.dumps({**HOME_VALUES, "report": SPEC})
    release = (RELEASE, "-n", NAMESPACE)
    plane.helm("install", *release, str(older(tmp_path)), "-f", "-", input=values)
    kubeconfig = plane.kubeconfig_for(USER)
    operator = Operator(kubeconfig, tmp_path / "log")

    with operator:
        plane.wait(lambda: since(plane), 40, "a report in an older definition")
        told = {one["type"]: one for one in status_of(plane)["conditions"]}["SchemaCurrent"]
        assert told["status"] == "False"
    before, written = since(plane), status_of(plane)["lastAuditTime"]
    time.sleep(2)  # so that a finding that were seen anew would have another time

    plane.helm("upgrade", *release, str(CHART), "--reset-then-reuse-values")
    definition = subprocess.run(
        [sys.executable, "-m", "clusteraudit", "crd"], check=True, capture_output=True, text=True
    ).stdout
    with operator:
        plane.wait(lambda: status_of(plane)["lastAuditTime"] > written, 40, "a report after it")
        assert since(plane) == before
        _, _, applying = told["message"].partition("| kubectl ")
        plane.kubectl(*applying.strip("`").split(), input=definition)
        plane.wait(lambda: conditions(plane)["SchemaCurrent"] == "True", 60, "the new definition")
        assert since(plane) == before
        assert status_of(plane)["ledger"]
        written = status_of(plane)["lastAuditTime"]
    plane.helm("rollback", *release, "1")
    with operator:
        plane.wait(lambda: status_of(plane)["lastAuditTime"] > written, 40, "a report after it")
        assert since(plane) == before
        plane.kubectl(*applying.strip("`").split(), input=defined(tmp_path / "older"))
        plane.wait(lambda: conditions(plane)["SchemaCurrent"] == "False", 60, "the old definition")
        assert "ledger" not in status_of(plane)
        assert since(plane) == before
        written = status_of(plane)["lastAuditTime"]
    with operator:
        plane.wait(lambda: status_of(plane)["lastAuditTime"] > written, 40, "a report after it")
        assert since(plane) == before
    history = json.loads(plane.helm("history", *release, "-o", "json"))
    assert [one["chart"] for one in history] == [
        "cluster-audit-0.0.9",
        "cluster-audit-0.1.0-dev.0",
        "cluster-audit-0.0.9",
    ]
    apply(plane, stage.mended(RULE))


def defined(chart: Path) -> str:
    """The definition that a chart brings."""
    return (chart / "crds" / f"{PLURAL}.yaml").read_text()


def test_replicas_come_and_go_by_upgrades(plane: ControlPlane, tmp_path: Path) -> None:
    """The strategy of the Deployment changes with them, and the Lease stays its holder's."""
    kubeconfig = install(plane, report=SPEC)
    strategy = deployment(plane)["strategy"]
    assert strategy == {"type": "Recreate"}
    install(plane, report=SPEC, replicas=2)
    assert deployment(plane)["strategy"]["type"] == "RollingUpdate"
    with Operator(kubeconfig, tmp_path / "log", ELECT):
        plane.wait(lambda: conditions(plane).get("Ready") == "True", INSTALLED, "a report")
        held = plane.api.get(*LEASE)["spec"]
        install(plane, report=SPEC, replicas=3, podAnnotations={"example.com/again": "yes"})
        still = plane.api.get(*LEASE)["spec"]
        assert still["holderIdentity"] == held["holderIdentity"]
        assert still["leaseTransitions"] == held["leaseTransitions"]
    assert plane.api.get(*LEASE)["spec"].get("holderIdentity", "") == "", "it is released"
    install(plane, report=SPEC)
    assert deployment(plane)["strategy"] == strategy
    optional = "leases,roles,rolebindings,poddisruptionbudgets"
    assert plane.kubectl("get", optional, "-n", NAMESPACE, "-l", LABEL, "-o", "name") == ""


def deployment(plane: ControlPlane) -> dict[str, Any]:
    spec: dict[str, Any] = plane.api.get("apps/v1", "Deployment", RELEASE, NAMESPACE)["spec"]
    return spec


def remaining(plane: ControlPlane) -> set[str]:
    """All that the chart made, or the operator, and that is still there."""
    kinds = (
        "serviceaccounts,services,deployments,pods,configmaps,clusterroles,clusterrolebindings,"
        "roles,rolebindings,leases,poddisruptionbudgets,networkpolicies"
    )
    labelled = plane.kubectl("get", kinds, "-A", "-l", LABEL, "-o", "name").split()
    leases = plane.kubectl("get", "leases", "-n", NAMESPACE, "-o", "name").split()
    definition = plane.kubectl("get", "crd", CRD, "-o", "name", "--ignore-not-found").split()
    reports = plane.kubectl("get", PLURAL, "-o", "name").split() if definition else []
    return {*labelled, *leases, *definition, *reports}


def uninstall(plane: ControlPlane) -> None:
    plane.helm("uninstall", RELEASE, "-n", NAMESPACE, "--wait", "--timeout", "30s")


def delete_definition(plane: ControlPlane) -> None:
    plane.kubectl(*documented("kubectl delete crd"), "--timeout=30s")


def delete_namespace(plane: ControlPlane) -> None:
    plane.kubectl("delete", "namespace", NAMESPACE, "--timeout=60s")


def sweep(plane: ControlPlane) -> None:
    plane.kubectl(*documented("kubectl delete clusterrole"), "--timeout=30s")


def documented(start: str) -> list[str]:
    """The arguments of a command as the page has it."""
    lines = (CHART.parents[1] / "docs" / "install.md").read_text().splitlines()
    return next(line for line in lines if line.startswith(start)).split()[1:]


STEPS = {
    "release first": (uninstall, delete_definition),
    "definition first": (delete_definition, uninstall),
    "namespace first": (delete_namespace, sweep, delete_definition),
}
STEP_SECONDS = 20.0
"""Within which a step must be done; it takes less than one, and a namespace less than ten."""


@pytest.mark.parametrize("alive", [True, False], ids=["running", "dead"])
@pytest.mark.parametrize("order", STEPS)
def test_removal_in_any_order_leaves_nothing(
    plane: ControlPlane, tmp_path: Path, order: str, alive: bool
) -> None:
    kubeconfig = install(plane, report=SPEC, replicas=2)
    with Operator(kubeconfig, tmp_path / "log", ELECT) as operator:
        plane.wait(lambda: conditions(plane).get("Ready") == "True", INSTALLED, "a report")
        assert plane.api.get(*LEASE)["spec"]["holderIdentity"]
        if not alive:
            operator.stop()
        for step in STEPS[order]:
            start = time.monotonic()
            step(plane)
            assert time.monotonic() - start < STEP_SECONDS
        if alive:
            time.sleep(2 * Timing().retry)  # it would have made its Lease anew by now
        assert remaining(plane) == set()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_what_helm_leaves_is_the_definition_alone(plane: ControlPlane) -> None:
    install(plane)
    uninstall(plane)
    assert remaining(plane) == {f"customresourcedefinition.apiextensions.k8s.io/{CRD}"}
