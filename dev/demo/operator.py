"""The operator as a process beside a control plane, with the rights that it needs and no more."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from clusteraudit.model.kinds import KINDS
from clusteraudit.report.crd import crd
from clusteraudit.report.resource import GROUP, KIND, PLURAL, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from controlplane import ControlPlane

USER = "cluster-audit"
RBAC = "rbac.authorization.k8s.io"


def install(plane: ControlPlane) -> Path:
    """The CRD and a user with least rights; returns that user's kubeconfig."""
    plane.apply([crd(), *rights()])
    plane.wait(lambda: _served(plane), what="the CRD to be served")
    return plane.kubeconfig_for(USER)


def _served(plane: ControlPlane) -> bool:
    with contextlib.suppress(RuntimeError, OSError):
        return plane.api.items(f"{GROUP}/{VERSION}", KIND) is not None
    return False


def rights() -> list[dict[str, Any]]:
    """Read what is audited, and write the status of our own reports; nothing else."""
    groups: dict[str, list[str]] = {}
    for kind in KINDS.values():
        groups.setdefault(kind.group, []).append(kind.plural)
    read = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [group], "resources": sorted(plurals), "verbs": read}
        for group, plurals in sorted(groups.items())
    ]
    rules += [
        {"apiGroups": [GROUP], "resources": [PLURAL], "verbs": read},
        {"apiGroups": [GROUP], "resources": [f"{PLURAL}/status"], "verbs": ["patch"]},
        {
            "apiGroups": ["apiextensions.k8s.io"],
            "resources": ["customresourcedefinitions"],
            "verbs": read,
        },
    ]
    api_version = f"{RBAC}/v1"
    meta = {"name": USER}
    return [
        {"apiVersion": api_version, "kind": "ClusterRole", "metadata": meta, "rules": rules},
        {
            "apiVersion": api_version,
            "kind": "ClusterRoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": USER},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": USER}],
        },
    ]


def report(name: str = "cluster", **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    """A report."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name},
        "spec": spec,
    }


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Operator:
    """`cluster-audit run`, as a context manager."""

    kubeconfig: Path
    log: Path
    more: Iterable[str] = ()
    metrics_port: int = field(default_factory=free_port)
    health_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it."""
        command = [
            *(sys.executable, "-m", "clusteraudit", "run", "--host", "127.0.0.1"),
            *("--metrics-port", str(self.metrics_port), "--health-port", str(self.health_port)),
            *("--kubeconfig", str(self.kubeconfig), "--usage-interval", "2", *self.more),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"}
            )
        return self

    def stop(self, patience: float = 10.0) -> int:
        """Ask it to stop; it is killed when it does not."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process and self.process.poll() is None:
            self.stop()

    def get(self, path: str, port: int | None = None) -> str:
        """The body of an endpoint; of the probes unless another port is named."""
        url = f"http://127.0.0.1:{port or self.health_port}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text: str = answer.read().decode()
            return text


def status_of(plane: ControlPlane, name: str = "cluster") -> dict[str, Any]:
    """The status of a report, empty while there is none."""
    text = plane.kubectl("get", PLURAL, name, "-o", "json", "--ignore-not-found")
    found = json.loads(text) if text.strip() else {}
    status: dict[str, Any] = found.get("status", {})
    return status
