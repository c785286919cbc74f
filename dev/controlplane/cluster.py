"""A cluster as tests use it: the local control plane, or one that is there already (kind)."""

import atexit
import base64
import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from .api import Access, Api
from .binaries import say
from .helm import run_helm
from .objects import LOST_LABEL, METRICS_DEFINITIONS, Object, is_ready
from .waiting import wait

T = TypeVar("T")
_TOKEN_SECONDS = 24 * 3600
"""A kubeconfig is not renewed as a pod's token is: the demo may stay up for a day."""


class KubectlError(RuntimeError):
    """kubectl failed; the message holds the command and what it said."""


class Cluster:
    """What does not depend on where a cluster comes from. The user is its admin."""

    def __init__(self, access: Access, kubeconfig: Path, kubectl: Path) -> None:
        self._connect(access, kubeconfig, kubectl)

    def _connect(self, access: Access, kubeconfig: Path, kubectl: Path) -> None:
        self.access = access
        self.kubeconfig = kubeconfig
        self.kubectl_path = kubectl
        self.api = Api(access)

    @classmethod
    def current(cls, kubectl: Path = Path("kubectl")) -> "Cluster":
        """The cluster of the current kubeconfig context, for example one of kind's."""
        folder = Path(tempfile.mkdtemp(prefix="cluster-audit-"))
        # It holds a key.
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        flags = ["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]
        text = run_kubectl(kubectl, flags)
        (folder / "kubeconfig").write_text(text)
        return cls(_access_of(json.loads(text), folder), folder / "kubeconfig", kubectl)

    def close(self) -> None:
        """Close the connections."""
        self.api.close()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self.access.server

    @property
    def ca(self) -> Path:
        """The certificate of the authority that the API server's own is signed by."""
        return self.access.ca

    @property
    def token(self) -> str:
        """The admin's token; empty where the admin has a certificate."""
        return self.access.token

    def check(self) -> None:
        """Raise when the cluster is known to be broken."""

    def kubectl(self, *args: str, input: str | None = None) -> str:  # noqa: A002 - as subprocess has it
        """Run kubectl as admin and return what it printed."""
        return run_kubectl(self.kubectl_path, args, self.kubeconfig, input)

    def helm(self, *args: str, input: str | None = None) -> str:  # noqa: A002 - as subprocess has it
        """Run helm as admin and return what it printed."""
        return run_helm(args, self.kubeconfig, input)

    def wait(
        self, condition: Callable[[], T], timeout: float = 30.0, what: str = "the condition"
    ) -> T:
        """Ask until it is true; a component that dies meanwhile ends the wait at once."""
        return wait(condition, timeout, what, self.check)

    def create(self, manifests: Iterable[Object]) -> list[Object]:
        """Create objects, many at once."""
        return self.api.create(manifests)

    def apply(self, manifests: Iterable[Object]) -> list[Object]:
        """Apply objects on the server's side, many at once."""
        return self.api.apply(manifests)

    def delete(self, manifests: Iterable[Object], grace: int | None = None) -> None:
        """Delete objects, many at once; what is gone already is no error."""
        self.api.delete(manifests, grace)

    def add_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Create a namespace and wait until pods may be created in it."""
        metadata: Object = {"name": name, "labels": labels or {}}
        self.create([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
        if self.has_controllers:
            account = functools.partial(self.api.get, "v1", "ServiceAccount", "default", name)
            self.wait(account, what=f"the default service account of {name}")

    @property
    def has_controllers(self) -> bool:
        """Whether controllers run."""
        return True

    def add_nodes(self, nodes: Sequence[Object], timeout: float = 60.0) -> None:
        """Create nodes and wait until they are ready and open to pods."""
        self.create(nodes)
        wanted = {each["metadata"]["name"] for each in nodes}

        def ready() -> bool:
            found = self.api.items("v1", "Node")
            return wanted <= {each["metadata"]["name"] for each in found if is_ready(each)}

        self.wait(ready, timeout, f"{len(wanted)} nodes to be ready")

    def lose_nodes(self, *names: str) -> None:
        """No more heartbeats of these nodes, as if their machines were gone."""
        self._label_nodes(names, "")

    def find_nodes(self, *names: str) -> None:
        """Lost nodes come back."""
        self._label_nodes(names, None)

    def _label_nodes(self, names: Iterable[str], value: str | None) -> None:
        for name in names:
            manifest = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
            self.api.patch(manifest, {"metadata": {"labels": {LOST_LABEL: value}}})

    def install_metrics(self) -> None:
        """Serve metrics.k8s.io; what it tells, tests `apply` (see `objects.pod_usage`)."""
        self.apply(METRICS_DEFINITIONS)

    def kubeconfig_for_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig of a service account, with a token that the API server has just issued."""
        account = self.api.path("v1", "ServiceAccount", namespace, name)
        spec = {"expirationSeconds": _TOKEN_SECONDS}
        answer = self.api.request("POST", f"{account}/token", {"spec": spec})
        access = Access(self.server, self.ca, answer["status"]["token"])
        return self._write_kubeconfig(f"{namespace}-{name}", access)

    def _write_kubeconfig(self, stem: str, access: Access) -> Path:
        path = self.kubeconfig.with_name(f"{stem}.user.kubeconfig")
        path.write_text(access.kubeconfig())
        path.chmod(0o600)
        return path


def run_kubectl(
    kubectl: Path, args: Iterable[str], kubeconfig: Path | None = None, text: str | None = None
) -> str:
    """Run kubectl and return its output; raises KubectlError with what it complained about."""
    command = [str(kubectl), *args]
    environment = dict(os.environ)
    if kubeconfig:
        environment["KUBECONFIG"] = str(kubeconfig)
        # Discovery is cached by server address, and another control plane may have had this port.
        environment["KUBECACHEDIR"] = str(kubeconfig.with_name("kubectl-cache"))
    done = subprocess.run(
        command, input=text, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise KubectlError(
            f"kubectl {' '.join(args)}: exit {done.returncode}: {done.stderr.strip()}"
        )
    return done.stdout


def _access_of(config: Object, folder: Path) -> Access:
    """What a flattened kubeconfig says, its certificates written as files."""
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    found = {
        "ca": cluster["certificate-authority-data"],
        "certificate": user.get("client-certificate-data"),
        "key": user.get("client-key-data"),
    }
    paths = {name: folder / f"{name}.pem" for name, data in found.items() if data}
    for name, path in paths.items():
        path.touch(mode=0o600)
        path.write_bytes(base64.b64decode(found[name]))
    say(f"using the cluster at {cluster['server']}")
    return Access(
        cluster["server"],
        paths["ca"],
        user.get("token", ""),
        paths.get("certificate"),
        paths.get("key"),
    )
