"""The operator as a process beside a control plane, with the rights that it needs and no more."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from clusteraudit.report.resource import GROUP, KIND, PLURAL, VERSION
from controlplane import node
from demo.stage import POOL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controlplane import ControlPlane

RELEASE = NAMESPACE = "cluster-audit"
USER = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
"""The chart's own ServiceAccount: the operator is nobody else here, either."""
ROLE = ("rbac.authorization.k8s.io/v1", "ClusterRole", RELEASE)
CHART = Path(__file__).resolve().parents[2] / "charts" / "cluster-audit"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
HOME = "cluster-audit-home"
"""The node of the operator's pod; none of an example goes there, nor does any other."""
HOME_VALUES = {
    "nodeSelector": {POOL: HOME},
    "tolerations": [{"key": POOL, "operator": "Exists"}],
}


def install(plane: ControlPlane, **values: Any) -> Path:  # noqa: ANN401 - as the chart takes them
    """The chart, in a restricted namespace; returns a kubeconfig of its ServiceAccount.

    KWOK plays its pod, without a process: what runs is `Operator`, with the pod's rights.
    """
    prepare(plane)
    return install_chart(plane, **HOME_VALUES, **values)


def install_chart(plane: ControlPlane, **values: Any) -> Path:  # noqa: ANN401
    """The same into a namespace that is there, with no node for its pod."""
    given = json.dumps(values)
    plane.helm("upgrade", RELEASE, str(CHART), "--install", "-n", NAMESPACE, "-f", "-", input=given)
    return plane.kubeconfig_for(USER)


def uninstall(plane: ControlPlane) -> None:
    """Take it away; the namespace, the node and the CRD stay, as they were not the chart's."""
    plane.helm("uninstall", RELEASE, "-n", NAMESPACE, "--ignore-not-found")
    plane.kubectl("delete", PLURAL, "--all", "--ignore-not-found")


def prepare(plane: ControlPlane) -> None:
    """A namespace and a node for the operator, unless they are there."""
    if NAMESPACE not in names(plane, "Namespace"):
        plane.add_namespace(NAMESPACE, RESTRICTED)
    if HOME not in names(plane, "Node"):
        taint = {"key": POOL, "value": HOME, "effect": "NoSchedule"}
        plane.add_nodes([node(HOME, labels={POOL: HOME}, taints=[taint])])


def names(plane: ControlPlane, kind: str) -> set[str]:
    """Names of all objects of a core kind."""
    return {one["metadata"]["name"] for one in plane.api.items("v1", kind)}


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
