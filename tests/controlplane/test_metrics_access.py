"""Metrics by TLS, for whom the API server lets in: a real TokenReview and SubjectAccessReview."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clusteraudit.report.rights import REVIEWS
from controlplane import ControlPlane
from controlplane.certificates import Authority
from demo.operator import NAMESPACE, USER, Operator, install, uninstall

READER = {"kind": "ServiceAccount", "namespace": NAMESPACE, "name": "prometheus"}


@dataclass(frozen=True)
class Endpoint:
    operator: Operator
    ca: Path

    def code(self, token: str | None = None, path: str = "/metrics") -> int:
        context = ssl.create_default_context(cafile=str(self.ca))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = f"https://127.0.0.1:{self.operator.metrics_port}{path}"
        request = urllib.request.Request(url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code


@pytest.fixture(scope="module")
def endpoint(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("access")
    authority = Authority(folder / "authority")
    certificate, key = authority.issue("metrics", hosts=["127.0.0.1"])
    guarded = {"tlsSecretName": "tls", "authentication": True, "readers": [READER]}
    kubeconfig = install(plane, metrics=guarded)
    for name in ("prometheus", "stranger"):
        plane.apply(
            [
                {
                    "apiVersion": "v1",
                    "kind": "ServiceAccount",
                    "metadata": {"namespace": NAMESPACE, "name": name},
                }
            ]
        )
    files = ["--metrics-tls-cert-file", str(certificate), "--metrics-tls-key-file", str(key)]
    with Operator(kubeconfig, folder / "log", [*files, "--metrics-auth"]) as operator:
        plane.wait(lambda: operator.get("/readyz") == "ok\n", 60, "readiness")
        yield Endpoint(operator, authority.certificate)
    uninstall(plane)


def token_of(plane: ControlPlane, name: str) -> str:
    account = plane.api.path("v1", "ServiceAccount", NAMESPACE, name)
    spec = {"expirationSeconds": 600}
    token: str = plane.api.request("POST", f"{account}/token", {"spec": spec})["status"]["token"]
    return token


def test_only_who_is_bound_to_the_reader_gets_in(plane: ControlPlane, endpoint: Endpoint) -> None:
    assert endpoint.code() == 401
    assert endpoint.code("not-a-token") == 401
    assert endpoint.code(token_of(plane, "stranger")) == 403
    assert endpoint.code(token_of(plane, "prometheus")) == 200
    assert endpoint.operator.get("/readyz") == "ok\n", "probes ask nobody"


def test_its_rights_are_what_the_chart_grants_for_it(
    plane: ControlPlane, endpoint: Endpoint
) -> None:
    asked = [one for one in plane.audit_events(USER, {"create"}) if "objectRef" in one]
    used = {(one["objectRef"]["apiGroup"], one["objectRef"]["resource"]) for one in asked}
    granted = {(one.group, resource) for one in REVIEWS for resource in one.resources}
    assert granted <= used
    assert {one["responseStatus"]["code"] for one in asked} <= {200, 201, 409}


def test_no_token_is_in_the_log(plane: ControlPlane, endpoint: Endpoint) -> None:
    token = token_of(plane, "stranger")
    endpoint.code(token)
    log = endpoint.operator.log.read_text()
    assert token not in log
    assert all(json.loads(line)["level"] != "error" for line in log.splitlines())


def test_while_the_api_server_is_away_nobody_new_gets_in(
    plane: ControlPlane, endpoint: Endpoint
) -> None:
    known, new = token_of(plane, "prometheus"), token_of(plane, "prometheus")
    assert endpoint.code(known) == 200
    plane.kill("kube-apiserver")
    try:
        assert endpoint.code(new) == 503
        assert endpoint.code(known) == 200, "who was let in lately still is"
    finally:
        plane.restart("kube-apiserver")
