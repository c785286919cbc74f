"""Options of `run`; each can be given by the environment, too."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.models import OptionInfo


def _option(
    name: str,
    says: str,
    *flags: str,
    least: float | None = None,
    most: float | None = None,
    show_default: bool = True,
) -> OptionInfo:
    """An option, and `CLUSTER_AUDIT_` with its name as its variable."""
    made: OptionInfo = typer.Option(
        *flags,
        help=says,
        envvar=f"CLUSTER_AUDIT_{name}",
        min=least,
        max=most,
        show_default=show_default,
    )
    return made


Report = Annotated[str, _option("REPORT", "The main report: it tunes the rules.")]
MetricsPort = Annotated[int, _option("METRICS_PORT", "Port of /metrics.")]
MetricsTlsCertFile = Annotated[
    Path | None,
    _option(
        "METRICS_TLS_CERT_FILE",
        "Certificate to serve /metrics with, in PEM; read again when it changes.",
        show_default=False,
    ),
]
MetricsTlsKeyFile = Annotated[
    Path | None, _option("METRICS_TLS_KEY_FILE", "Its key.", show_default=False)
]
MetricsAuth = Annotated[
    bool,
    _option(
        "METRICS_AUTH",
        "Ask the API server whether a bearer token may get /metrics.",
        "--metrics-auth",
    ),
]
HealthPort = Annotated[int, _option("HEALTH_PORT", "Port of /healthz and /readyz.")]
Host = Annotated[str, _option("HOST", "Address to listen on; all if empty.")]
PulseWindow = Annotated[
    float, _option("PULSE_WINDOW", "Seconds from a change to the audit.", least=0.1)
]
UsageInterval = Annotated[
    float, _option("USAGE_INTERVAL", "Seconds between polls of usage, at least.", least=1)
]
LeaderElect = Annotated[
    bool,
    _option(
        "LEADER_ELECT",
        "Publish only while holding a Lease: for more than one replica.",
        "--leader-elect",
    ),
]
LeaseName = Annotated[str, _option("LEADER_ELECT_RESOURCE_NAME", "Name of the Lease.")]
LeaseNamespace = Annotated[
    str,
    _option("LEADER_ELECT_RESOURCE_NAMESPACE", "Namespace of the Lease; the pod's own if empty."),
]
LeaseDuration = Annotated[
    float,
    _option(
        "LEADER_ELECT_LEASE_DURATION",
        "Seconds without a renewal after which another replica takes over.",
        least=3,
        most=3600,
    ),
]
LogFormat = Annotated[Literal["json", "console"], _option("LOG_FORMAT", "Form of the log.")]
