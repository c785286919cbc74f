"""What helm makes of the chart."""

import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from clusteraudit.cli.run import run
from clusteraudit.report.rights import granted
from controlplane.helm import run_helm
from demo.operator import CHART
from support.charts import EVERYTHING
from tools.values import PRESETS

Objects = list[dict[str, Any]]
Render = Callable[..., Objects]
GUARDED = {"tlsSecretName": "tls", "authentication": True}
READS, WRITES = {"get", "list", "watch"}, {"create", "patch", "update"}


def of(kind: str, objects: Objects) -> dict[str, Any]:
    found = [one for one in objects if one["kind"] == kind]
    assert len(found) == 1, [one["kind"] for one in objects]
    return found[0]


def container(objects: Objects) -> dict[str, Any]:
    found: dict[str, Any] = of("Deployment", objects)["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_lint_has_nothing_to_say(values: dict[str, Any]) -> None:
    said = run_helm(["lint", "--strict", str(CHART), "-f", "-"], text=json.dumps(values))

    assert "0 chart(s) failed" in said
    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


def test_a_plain_install_is_what_is_needed_and_no_more(render: Render) -> None:
    assert sorted(one["kind"] for one in render()) == [
        "ClusterAuditReport",
        "ClusterRole",
        "ClusterRole",
        "ClusterRoleBinding",
        "Deployment",
        "Service",
        "ServiceAccount",
    ]


def test_the_pod_is_restricted(render: Render) -> None:
    spec = of("Deployment", render())["spec"]["template"]["spec"]

    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert [list(one) for one in spec["volumes"]] == [["name", "emptyDir"]]


def test_rights_are_few_and_write_nothing_that_is_audited(render: Render) -> None:
    roles = [one for one in render(**EVERYTHING) if one["kind"] in {"ClusterRole", "Role"}]
    rules = [rule for one in roles for rule in one["rules"]]
    pairs = granted(one for one in rules if "apiGroups" in one)
    urls = [one for one in rules if "apiGroups" not in one]

    assert not any("*" in pair for pair in pairs)
    assert "secrets" not in {resource for _, _, resource in pairs}
    assert {verb for verb, _, _ in pairs} <= READS | WRITES
    written = {(group, resource) for verb, group, resource in pairs if verb in WRITES}
    assert written <= {
        ("clusteraudit.io", "clusterauditreports/status"),
        ("events.k8s.io", "events"),
        ("coordination.k8s.io", "leases"),
        ("authentication.k8s.io", "tokenreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
    }
    assert urls == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]


def test_more_than_one_replica_elect_and_are_kept_apart(render: Render) -> None:
    objects = render(release="audit", replicas=2)
    spec = of("Deployment", objects)["spec"]
    lease, role = of("Lease", objects), of("Role", objects)
    spread = spec["template"]["spec"]["topologySpreadConstraints"]

    assert spec["strategy"]["type"] == "RollingUpdate"
    assert {"--leader-elect", "--leader-elect-resource-name=audit-cluster-audit"} <= set(
        container(objects)["args"]
    )
    assert lease["metadata"]["name"] == "audit-cluster-audit"
    assert "spec" not in lease, "it is the holder's"
    named = [one for one in role["rules"] if "resourceNames" in one]
    assert [(one["resourceNames"], one["verbs"]) for one in named] == [
        (["audit-cluster-audit"], ["get", "update"])
    ]
    assert [one["verbs"] for one in role["rules"] if one not in named] == [["create"]]
    assert of("RoleBinding", objects)["roleRef"]["name"] == role["metadata"]["name"]
    assert of("PodDisruptionBudget", objects)["spec"]["maxUnavailable"] == 1
    assert {one["whenUnsatisfiable"] for one in spread} == {"ScheduleAnyway"}
    assert all(one["labelSelector"] == spec["selector"] for one in spread)


def test_metrics_are_guarded_where_that_is_wanted_and_rights_come_with_it(render: Render) -> None:
    reader = {"kind": "ServiceAccount", "namespace": "monitoring", "name": "prometheus"}
    objects = render(metrics={**GUARDED, "readers": [reader]}, podMonitor={"enabled": True})
    roles = {one["metadata"]["name"]: one for one in objects if one["kind"] == "ClusterRole"}
    bound = {
        one["roleRef"]["name"]: one["subjects"]
        for one in objects
        if one["kind"] == "ClusterRoleBinding"
    }

    assert granted(roles["cluster-audit-reviews"]["rules"]) == {
        ("create", "authentication.k8s.io", "tokenreviews"),
        ("create", "authorization.k8s.io", "subjectaccessreviews"),
    }
    assert bound["cluster-audit-reviews"][0]["name"] == "cluster-audit"
    assert bound["cluster-audit-metrics-reader"] == [reader]
    mounted = container(objects)["volumeMounts"]
    assert {"name": "tls", "mountPath": "/etc/cluster-audit/tls", "readOnly": True} in mounted
    assert of("PodMonitor", objects)["spec"]["podMetricsEndpoints"][0]["scheme"] == "https"
    assert "https://localhost" in run_helm(
        ["install", "a", str(CHART), "--dry-run=client", "--set", "metrics.tlsSecretName=tls"]
    )

    plain = {one["metadata"]["name"] for one in render() if one["kind"] == "ClusterRole"}
    assert plain == {"cluster-audit", "cluster-audit-view"}
    only_tls = render(metrics={"tlsSecretName": "tls"})
    assert "--metrics-auth" not in container(only_tls)["args"]
    assert not any("reviews" in one["metadata"]["name"] for one in only_tls)


def test_a_token_is_not_asked_for_without_tls(render: Render) -> None:
    with pytest.raises(RuntimeError, match=r"metrics.authentication needs metrics.tlsSecretName"):
        render(metrics={"authentication": True})


def test_one_replica_elects_only_where_that_is_wanted(render: Render) -> None:
    objects = render(leaderElection={"enabled": True, "leaseDuration": 30})
    kinds = {one["kind"] for one in objects}

    assert {"Lease", "Role", "RoleBinding"} <= kinds
    assert "PodDisruptionBudget" not in kinds
    assert "--leader-elect-lease-duration=30" in container(objects)["args"]
    plain = render()
    assert of("Deployment", plain)["spec"]["strategy"] == {"type": "Recreate"}
    assert not any("leader" in one for one in container(plain)["args"])


def test_reports_may_be_read_by_whoever_may_view_the_cluster(render: Render) -> None:
    view = next(one for one in render() if one["metadata"]["name"] == "cluster-audit-view")

    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert [one["kind"] for one in render(rbac={"create": False, "viewReports": False})].count(
        "ClusterRole"
    ) == 0


NO_VALUE = {
    "host": "a pod listens on all of its addresses",
    "kubeconfig": "a pod has the credentials of its ServiceAccount",
    "context": "a context is of a kubeconfig",
    "leader_elect_resource_namespace": "a pod's Lease is in its own namespace",
}


def test_every_option_of_the_operator_is_a_value(render: Render) -> None:
    args = container(render(operator={"verbose": True}, replicas=2, metrics=GUARDED))["args"]
    given = {one.removeprefix("--").partition("=")[0].replace("-", "_") for one in args[1:]}

    assert args[0] == "run"
    assert given == set(inspect.signature(run).parameters) - NO_VALUE.keys()


def test_options_and_ports_follow_their_values(render: Render) -> None:
    objects = render(**EVERYTHING)
    made = container(objects)

    assert {"--pulse-window=0.5", "--metrics-port=9090", "--verbose"} <= set(made["args"])
    assert {one["name"]: one["containerPort"] for one in made["ports"]} == {
        "metrics": 9090,
        "health": 8081,
    }
    assert of("Service", objects)["spec"]["ports"][0]["port"] == 9090
    assert {made[f"{name}Probe"]["httpGet"]["port"] for name in ("liveness", "readiness")} == {
        "health"
    }


@pytest.mark.parametrize(("nodes", "preset"), [(1, 0), (100, 0), (101, 1), (1000, 1), (1001, 2)])
def test_resources_follow_the_number_of_nodes(render: Render, nodes: int, preset: int) -> None:
    assert container(render(nodes=nodes))["resources"] == PRESETS[preset]["resources"]


def test_resources_that_are_given_stand_over_the_preset(render: Render) -> None:
    made = container(render(nodes=100, resources={"limits": {"memory": "300Mi", "cpu": "1"}}))

    assert made["resources"]["limits"] == {"memory": "300Mi", "cpu": "1"}
    assert made["resources"]["requests"] == PRESETS[0]["resources"]["requests"]


def test_the_image_is_by_digest_before_tag_before_version(render: Render) -> None:
    digest = "sha256:" + "a" * 64
    image = {"repository": "example.com/audit"}

    assert container(render(image=image))["image"] == f"example.com/audit:{app_version()}"
    assert container(render(image={**image, "tag": "1.2"}))["image"] == "example.com/audit:1.2"
    both = {**image, "tag": "1.2", "digest": digest}
    assert container(render(image=both))["image"] == f"example.com/audit@{digest}"


def app_version() -> str:
    version: str = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    return version


def test_the_selector_does_not_change_with_version_or_values(render: Render) -> None:
    """It is immutable: an upgrade that changed it would be refused."""
    for objects in (render(), render(**EVERYTHING)):
        deployment = of("Deployment", objects)["spec"]
        selector = {
            "app.kubernetes.io/name": "cluster-audit",
            "app.kubernetes.io/instance": "cluster-audit",
        }
        assert deployment["selector"]["matchLabels"] == selector
        assert of("Service", objects)["spec"]["selector"] == selector
        assert selector.items() <= deployment["template"]["metadata"]["labels"].items()


def test_labels_and_annotations_are_on_everything(render: Render) -> None:
    for one in render(**EVERYTHING):
        meta = one["metadata"]
        assert meta["labels"]["team"] == "platform", one["kind"]
        assert meta["labels"]["app.kubernetes.io/managed-by"] == "Helm", one["kind"]
        assert meta["annotations"]["example.com/owner"] == "platform", one["kind"]


def test_labels_of_the_chart_cannot_be_taken_over(render: Render) -> None:
    for one in render(labels={"app.kubernetes.io/name": "other"}):
        assert one["metadata"]["labels"]["app.kubernetes.io/name"] == "cluster-audit"


def test_names_follow_the_release(render: Render) -> None:
    names = {one["metadata"]["name"] for one in render(release="prod")}
    assert names == {"prod-cluster-audit", "prod-cluster-audit-view", "cluster"}


def test_an_account_that_is_there_already_is_bound_and_used(render: Render) -> None:
    objects = render(serviceAccount={"create": False, "name": "ours"})

    assert "ServiceAccount" not in {one["kind"] for one in objects}
    assert of("ClusterRoleBinding", objects)["subjects"][0]["name"] == "ours"
    spec = of("Deployment", objects)["spec"]["template"]["spec"]
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("ours", True)


def test_the_dashboard_is_the_generated_one(render: Render) -> None:
    made = of("ConfigMap", render(dashboard={"enabled": True, "namespace": "monitoring"}))
    file = CHART / "dashboards/cluster-audit.json"

    assert made["data"]["cluster-audit.json"].strip() == file.read_text().strip()
    assert made["metadata"]["namespace"] == "monitoring"
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_a_service_monitor_without_service_is_refused_in_a_sentence(render: Render) -> None:
    with pytest.raises(RuntimeError, match=r"serviceMonitor.enabled needs service.create"):
        render(service={"create": False}, serviceMonitor={"enabled": True})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"nodes": "many"}, "/nodes"),
        ({"nodes": 0}, "/nodes"),
        ({"nodes": 20000}, "/nodes"),
        ({"replicas": 0}, "/replicas"),
        ({"leaderElection": {"leaseDuration": 1}}, "/leaderElection/leaseDuration"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"image": {"tag": 1.2}}, "/image/tag"),
        ({"image": {"repository": ""}}, "/image/repository"),
        ({"image": {"pullpolicy": "Always"}}, "'pullpolicy'"),
        ({"operator": {"logFormat": "text"}}, "/operator/logFormat"),
        ({"operator": {"metricsPort": 80}}, "/operator/metricsPort"),
        ({"report": {"name": "Über"}}, "/report/name"),
        ({"report": {"spec": {"minSeverity": "urgent"}}}, "/report/spec/minSeverity"),
        ({"report": {"spec": {"rules": [{"enabled": False}]}}}, "'code'"),
        ({"report": {"spec": {"interval": 5}}}, "'interval'"),
        ({"serviceMonitor": {"interval": "often"}}, "/serviceMonitor/interval"),
        ({"labels": {"a": 1}}, "/labels/a"),
        ({"resource": {}}, "'resource'"),
    ],
)
def test_a_wrong_value_is_named(render: Render, values: dict[str, Any], said: str) -> None:
    with pytest.raises(RuntimeError, match="values don't meet the specifications") as refused:
        render(**values)
    assert said in str(refused.value)


def test_a_parent_chart_may_switch_it_and_have_values_for_all(render: Render) -> None:
    assert render(**{"global": {"registry": "example.com"}, "enabled": True})
