"""The values of the chart: names, bounds, defaults, and what each means.

`values.yaml`, `values.schema.json` and the page are made of these models (`tools/chart.py`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Words = dict[str, str]
Free = dict[str, Any]
"""As Kubernetes takes it; the API server checks it."""
Name = Annotated[str, Field(max_length=63, pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$")]
Port = Annotated[int, Field(ge=1024, le=65535)]
Duration = Annotated[str, Field(pattern=r"^([0-9]+(ms|s|m|h))*$")]
MAX_NODES = 5000


class Group(BaseModel):
    """Values below one key; what it does not name is refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Image(Group):
    """The operator's image."""

    repository: str = Field(
        "cluster-audit",
        description="Where the image is: set it to the repository that you push it to.",
        min_length=1,
    )
    tag: str = Field(
        "",
        description="Its tag; the chart's appVersion if empty.",
        pattern=r"^([\w][\w.-]{0,127})?$",
    )
    digest: str = Field(
        "",
        description="Its digest, which counts before the tag: `sha256:` and 64 digits.",
        pattern=r"^(sha256:[0-9a-f]{64})?$",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When nodes pull it."
    )


class Report(Group):
    """The main report, which tunes the rules and drives the metrics."""

    create: bool = Field(
        default=True, description="Whether the chart makes it; if not, the operator waits for it."
    )
    name: Name = Field("cluster", description="Its name.", min_length=1)
    spec: Free = Field(
        {}, description="Its spec: rules to tune, namespaces, how much is shown and how often."
    )


class Operator(Group):
    """How the operator runs: the options of `cluster-audit run`."""

    pulse_window: float = Field(
        2, description="Seconds from a change to the audit.", ge=0.1, le=3600
    )
    usage_interval: float = Field(
        60, description="Seconds between polls of metrics.k8s.io.", ge=1, le=3600
    )
    metrics_port: Port = Field(8080, description="Port of /metrics.")
    health_port: Port = Field(8081, description="Port of /healthz and /readyz.")
    log_format: Literal["json", "console"] = Field("json", description="Form of the log.")
    verbose: bool = Field(default=False, description="Whether the log says more.")


class LeaderElection(Group):
    """How replicas agree on who publishes."""

    enabled: bool = Field(
        default=False,
        description="Whether the operator publishes only while it holds a Lease; with more than "
        "one replica it always does.",
    )
    lease_duration: float = Field(
        12,
        description="Seconds without a renewal after which another replica takes over.",
        ge=3,
        le=3600,
    )


class ServiceAccount(Group):
    """Whom the operator runs as."""

    create: bool = Field(default=True, description="Whether the chart makes it.")
    name: Name = Field("", description="Its name; the release's full name if empty.")
    annotations: Words = Field({}, description="Its annotations.")


class Rbac(Group):
    """What the operator may do."""

    create: bool = Field(
        default=True,
        description="Whether the chart makes the ClusterRole (its rows are in `files/rights.yaml`) "
        "and its binding.",
    )
    view_reports: bool = Field(
        default=True,
        description="Whether who has the ClusterRole `view` in the whole cluster may read reports.",
    )


class Service(Group):
    """The Service of the metrics."""

    create: bool = Field(default=True, description="Whether the chart makes it.")
    labels: Words = Field({}, description="More labels.")
    annotations: Words = Field(
        {}, description="Its annotations, such as `prometheus.io/scrape` where that is in use."
    )


class Metrics(Group):
    """How /metrics is protected."""

    tls_secret_name: Name = Field(
        "",
        description="A Secret of type `kubernetes.io/tls` to serve /metrics with, renewed without "
        "a restart; plain HTTP if empty.",
    )
    authentication: bool = Field(
        default=False,
        description="Whether the API server is asked who may read them: a bearer token is needed "
        "whose owner may `get` the URL /metrics. Needs `tlsSecretName`.",
    )
    readers: list[Free] = Field(
        [],
        description="Subjects that may, such as your Prometheus: "
        "`{kind: ServiceAccount, namespace: ..., name: ...}`.",
    )


class Monitor(Group):
    """How the Prometheus Operator scrapes."""

    enabled: bool = Field(
        default=False, description="Whether the chart makes it; its definition must be installed."
    )
    interval: Duration = Field("30s", description="How often it scrapes.", min_length=2)
    labels: Words = Field({}, description="Labels by which your Prometheus selects it.")
    tls_config: Free = Field(
        {},
        description="How it verifies the certificate, with `metrics.tlsSecretName`: `ca` and "
        "`serverName`, or `insecureSkipVerify`.",
    )
    authorization: Free = Field(
        {},
        description="The token that it shows, with `metrics.authentication`: `credentials` of a "
        "Secret.",
    )
    relabelings: list[Free] = Field([], description="Relabelings of the target.")
    metric_relabelings: list[Free] = Field([], description="Relabelings of the samples.")


class ServiceMonitor(Monitor):
    """A ServiceMonitor of the Prometheus Operator."""


class PodMonitor(Monitor):
    """A PodMonitor of the Prometheus Operator, instead of a ServiceMonitor."""


class Dashboard(Group):
    """The Grafana dashboard, in a ConfigMap for Grafana's sidecar."""

    enabled: bool = Field(default=False, description="Whether the chart makes the ConfigMap.")
    namespace: Name = Field("", description="Its namespace; the release's if empty.")
    labels: Words = Field(
        {"grafana_dashboard": "1"}, description="Labels by which the sidecar finds it."
    )
    annotations: Words = Field({}, description="Its annotations, such as `grafana_folder`.")


class NetworkPolicy(Group):
    """A NetworkPolicy for the pod: in to its ports, out to the API server and DNS."""

    enabled: bool = Field(default=False, description="Whether the chart makes it.")
    scrapers: list[Free] = Field(
        [], description="Peers that may read the metrics, as in `ingress.from`; all if empty."
    )
    api_server_ports: list[Annotated[int, Field(ge=1, le=65535)]] = Field(
        [443, 6443],
        description="Ports of the API server: that of its Service, and that of its endpoints.",
        min_length=1,
    )


class Values(Group):
    """All values."""

    name_override: Name = Field("", description="Instead of the chart's name, in names and labels.")
    fullname_override: Name = Field("", description="Instead of the release's full name.")
    image: Image = Field(Image(), description="The operator's image.")
    image_pull_secrets: list[Free] = Field([], description="Secrets for a private registry.")
    nodes: int = Field(
        1000,
        description="How many nodes the cluster has or may grow to: the pod's resources follow.",
        ge=1,
        le=MAX_NODES,
    )
    resources: Free = Field(
        {}, description="The pod's resources, where they are to differ from those for `nodes`."
    )
    replicas: int = Field(
        1,
        description="One publishes; each other one holds the cluster in memory to take over, for "
        "as much memory and as many watches again.",
        ge=1,
        le=5,
    )
    leader_election: LeaderElection = Field(
        LeaderElection(), description="How replicas agree on who publishes."
    )
    report: Report = Field(Report(), description="The main report.")
    operator: Operator = Field(Operator(), description="How the operator runs.")
    service_account: ServiceAccount = Field(
        ServiceAccount(), description="Whom the operator runs as."
    )
    rbac: Rbac = Field(Rbac(), description="What the operator may do, and who may read reports.")
    service: Service = Field(Service(), description="The Service of the metrics.")
    metrics: Metrics = Field(Metrics(), description="How /metrics is protected.")
    service_monitor: ServiceMonitor = Field(
        ServiceMonitor(), description="A ServiceMonitor of the Prometheus Operator."
    )
    pod_monitor: PodMonitor = Field(
        PodMonitor(), description="A PodMonitor, instead of a ServiceMonitor."
    )
    dashboard: Dashboard = Field(
        Dashboard(), description="The Grafana dashboard, in a ConfigMap for Grafana's sidecar."
    )
    network_policy: NetworkPolicy = Field(
        NetworkPolicy(),
        description="A NetworkPolicy: in to the pod's ports, out to the API server and DNS.",
    )
    labels: Words = Field({}, description="Labels of all objects.")
    annotations: Words = Field({}, description="Annotations of all objects.")
    pod_labels: Words = Field({}, description="More labels of the pod.")
    pod_annotations: Words = Field({}, description="Annotations of the pod.")
    priority_class_name: Name = Field("", description="PriorityClass of the pod.")
    node_selector: Words = Field({}, description="Labels that the pod's node must have.")
    tolerations: list[Free] = Field([], description="Taints that the pod tolerates.")
    affinity: Free = Field({}, description="Affinity of the pod.")
    topology_spread_constraints: list[Free] = Field(
        [],
        description="How replicas are spread; over nodes and zones, as far as possible, if empty.",
    )


PRESETS: tuple[dict[str, Any], ...] = (
    {
        "nodes": 100,
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    },
    {
        "nodes": 1000,
        "resources": {
            "requests": {"cpu": "100m", "memory": "192Mi"},
            "limits": {"memory": "384Mi"},
        },
    },
    {
        "nodes": MAX_NODES,
        "resources": {"requests": {"cpu": "500m", "memory": "640Mi"}, "limits": {"memory": "1Gi"}},
    },
)
"""Resources by how many nodes they do for, smallest first.

No limit on CPU: an audit that is throttled only comes later.
"""
