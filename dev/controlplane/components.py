"""The command line of each program, and the files that it reads, all of it in one folder."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .api import Access
from .binaries import kubernetes_version
from .certificates import Authority, new_key
from .objects import LOST_LABEL, Object, yaml_text
from .ports import LOOPBACK, free_port

ETCD, API_SERVER = "etcd", "kube-apiserver"
CONTROLLERS, SCHEDULER, KWOK = "kube-controller-manager", "kube-scheduler", "kwok"
COMPONENTS = (ETCD, API_SERVER, CONTROLLERS, SCHEDULER, KWOK)
CLIENTS = (CONTROLLERS, SCHEDULER, KWOK)

SERVICE_RANGE, POD_RANGE = "10.96.0.0/12", "10.128.0.0/9"
# What the Service `kubernetes` points to: loopback is not allowed there, this is nobody's address.
ADVERTISED = "192.0.2.1"
ISSUER = "https://kubernetes.default.svc"
STAGES = Path(__file__).with_name("stages.yaml")
# As fast as the machine allows: client-side limits would only slow tests down.
QPS, BURST = 5000, 10000


@dataclass(frozen=True)
class Layout:
    """The files and ports of one control plane."""

    folder: Path
    ports: Mapping[str, int]
    tokens: Mapping[str, str]

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{LOOPBACK}:{self.ports[API_SERVER]}"

    @property
    def pki(self) -> Path:
        """The folder of certificates and keys."""
        return self.folder / "pki"

    @property
    def audit_log(self) -> Path:
        """Who did what, a line of JSON for each request."""
        return self.folder / "audit.log"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of the admin or of a program."""
        return self.folder / f"{user}.kubeconfig"

    def access(self, user: str) -> Access:
        """How the admin or a program reaches the API server."""
        return Access(self.server, self.pki / "ca.crt", self.tokens[user])


def new_layout(folder: Path, tokens: Mapping[str, str]) -> Layout:
    """A layout with ports that are free now."""
    ports = {name: free_port() for name in COMPONENTS}
    return Layout(folder, {**ports, "etcd-peer": free_port()}, tokens)


def default_audit_policy() -> Object:
    """Metadata of all that anybody writes, and of what tests and the operator read.

    What the control plane's own programs read, and the heartbeats of nodes, would only be noise.
    """
    reads = {"level": "None", "users": [user_name(name) for name in CLIENTS]}
    leases = {"group": "coordination.k8s.io", "resources": ["leases"]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [
            {**reads, "verbs": ["get", "list", "watch"]},
            {"level": "None", "users": [user_name(KWOK)], "resources": [leases]},
            {"level": "None", "users": ["system:apiserver"]},
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*"]},
            {"level": "Metadata"},
        ],
    }


def user_name(component: str) -> str:
    """Under which name a program appears in the audit log."""
    return component if component in {"admin", KWOK} else f"system:{component}"


def write_files(
    layout: Layout, policy: Object, scheduler: Object, stages: Iterable[Object]
) -> Authority:
    """All that the programs read when they start."""
    authority = Authority(layout.pki)
    authority.issue("server", hosts=[LOOPBACK, "localhost", "kubernetes.default.svc"])
    new_key(layout.pki / "service-accounts.key")
    rows = [
        f'{token},{user_name(user)},{user},"system:masters"'
        for user, token in layout.tokens.items()
    ]
    (layout.pki / "tokens.csv").write_text("\n".join(rows) + "\n")
    for user in layout.tokens:
        layout.kubeconfig(user).write_text(layout.access(user).kubeconfig())
        layout.kubeconfig(user).chmod(0o600)
    (layout.folder / "audit-policy.yaml").write_text(yaml_text(policy))
    (layout.folder / "scheduler.yaml").write_text(yaml_text(_scheduler_config(layout, scheduler)))
    (layout.folder / "kwok.yaml").write_text(_kwok_config(stages))
    return authority


def _scheduler_config(layout: Layout, changes: Object) -> Object:
    kubeconfig = str(layout.kubeconfig(SCHEDULER))
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": kubeconfig, "qps": QPS, "burst": BURST},
        **changes,
    }


def _kwok_config(stages: Iterable[Object]) -> str:
    options = {
        "podPlayStageParallelism": 16,
        "nodePlayStageParallelism": 16,
        "nodeLeaseParallelism": 16,
    }
    settings = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": options,
    }
    own = STAGES.read_text().replace("KUBERNETES_VERSION", kubernetes_version())
    return yaml_text(settings, *stages) + "---\n" + own


def etcd(layout: Layout) -> list[str]:
    """Never syncs to disk: the data is thrown away with the folder."""
    client = f"http://{LOOPBACK}:{layout.ports[ETCD]}"
    peer = f"http://{LOOPBACK}:{layout.ports['etcd-peer']}"
    return [
        "--name=local",
        f"--data-dir={layout.folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
        f"--quota-backend-bytes={8 * 2**30}",
        "--log-level=warn",
    ]


def api_server(layout: Layout) -> list[str]:
    """RBAC, tokens and certificates of users, tokens of service accounts, and an audit log."""
    pki = layout.pki
    return [
        f"--etcd-servers=http://{LOOPBACK}:{layout.ports[ETCD]}",
        *_serving(layout, API_SERVER),
        f"--advertise-address={ADVERTISED}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--token-auth-file={pki / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki / 'service-accounts.key'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--allow-privileged=true",
        "--max-requests-inflight=3000",
        "--max-mutating-requests-inflight=1500",
        f"--audit-policy-file={layout.folder / 'audit-policy.yaml'}",
        f"--audit-log-path={layout.audit_log}",
        # Written before the answer is sent: a test finds what it has just done. Never rotated.
        "--audit-log-mode=blocking-strict",
        "--audit-log-maxsize=1000000",
    ]


def controllers(layout: Layout) -> list[str]:
    """All that are on by default, as one user."""
    kubeconfig = layout.kubeconfig(CONTROLLERS)
    return [
        f"--kubeconfig={kubeconfig}",
        *_serving(layout, CONTROLLERS),
        *_delegating(kubeconfig),
        f"--root-ca-file={layout.pki / 'ca.crt'}",
        f"--service-account-private-key-file={layout.pki / 'service-accounts.key'}",
        "--leader-elect=false",
        f"--kube-api-qps={QPS}",
        f"--kube-api-burst={BURST}",
    ]


def scheduler(layout: Layout) -> list[str]:
    """One profile, the default one unless a test says otherwise."""
    kubeconfig = layout.kubeconfig(SCHEDULER)
    return [
        f"--config={layout.folder / 'scheduler.yaml'}",
        *_serving(layout, SCHEDULER),
        *_delegating(kubeconfig),
    ]


def kwok(layout: Layout) -> list[str]:
    """Plays every node that a test has not declared lost."""
    return [
        f"--kubeconfig={layout.kubeconfig(KWOK)}",
        f"--config={layout.folder / 'kwok.yaml'}",
        f"--manage-nodes-with-label-selector=!{LOST_LABEL}",
        "--node-lease-duration-seconds=40",
        f"--cidr={POD_RANGE}",
        f"--server-address={LOOPBACK}:{layout.ports[KWOK]}",
    ]


def _serving(layout: Layout, name: str) -> list[str]:
    return [
        f"--bind-address={LOOPBACK}",
        f"--secure-port={layout.ports[name]}",
        f"--tls-cert-file={layout.pki / 'server.crt'}",
        f"--tls-private-key-file={layout.pki / 'server.key'}",
    ]


def _delegating(kubeconfig: Path) -> list[str]:
    """So that the admin may read a program's metrics."""
    return [
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        # It starts while the API server does.
        "--authentication-skip-lookup",
    ]


COMMANDS: Mapping[str, Callable[[Layout], list[str]]] = {
    ETCD: etcd,
    API_SERVER: api_server,
    CONTROLLERS: controllers,
    SCHEDULER: scheduler,
    KWOK: kwok,
}


def health_url(layout: Layout, name: str) -> str:
    """Where a program says that it is ready."""
    scheme = "http" if name in {ETCD, KWOK} else "https"
    path = {API_SERVER: "/readyz", ETCD: "/health"}.get(name, "/healthz")
    return f"{scheme}://{LOOPBACK}:{layout.ports[name]}{path}"


def parse_audit(text: str) -> list[Object]:
    """The events of an audit log; a last line that is still being written is left out."""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
