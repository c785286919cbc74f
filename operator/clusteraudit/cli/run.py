"""`run`: the operator."""

import asyncio
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clusteraudit.cli import options
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.live import credentials
from clusteraudit.kube.credentials import own_namespace
from clusteraudit.kube.elector import Election
from clusteraudit.kube.errors import KubeConfigError
from clusteraudit.kube.lease import DURATION, Timing

if TYPE_CHECKING:
    from clusteraudit.handlers.certificate import CertificateFiles
    from clusteraudit.handlers.endpoints import Listening


def run(
    report: Annotated[
        str,
        typer.Option(help="The main report: it tunes the rules.", envvar="CLUSTER_AUDIT_REPORT"),
    ] = "cluster",
    metrics_port: Annotated[
        int, typer.Option(help="Port of /metrics.", envvar="CLUSTER_AUDIT_METRICS_PORT")
    ] = 8080,
    metrics_tls_cert_file: Annotated[
        Path | None,
        typer.Option(
            help="Certificate to serve /metrics with, in PEM; read again when it changes.",
            show_default=False,
            envvar="CLUSTER_AUDIT_METRICS_TLS_CERT_FILE",
        ),
    ] = None,
    metrics_tls_key_file: Annotated[
        Path | None,
        typer.Option(
            help="Its key.", show_default=False, envvar="CLUSTER_AUDIT_METRICS_TLS_KEY_FILE"
        ),
    ] = None,
    metrics_auth: Annotated[
        bool,
        typer.Option(
            "--metrics-auth",
            help="Ask the API server whether a bearer token may get /metrics.",
            envvar="CLUSTER_AUDIT_METRICS_AUTH",
        ),
    ] = False,
    health_port: Annotated[
        int,
        typer.Option(help="Port of /healthz and /readyz.", envvar="CLUSTER_AUDIT_HEALTH_PORT"),
    ] = 8081,
    host: Annotated[
        str, typer.Option(help="Address to listen on; all if empty.", envvar="CLUSTER_AUDIT_HOST")
    ] = "",
    pulse_window: Annotated[
        float,
        typer.Option(
            help="Seconds from a change to the audit.", min=0.1, envvar="CLUSTER_AUDIT_PULSE_WINDOW"
        ),
    ] = 2.0,
    usage_interval: Annotated[
        float,
        typer.Option(
            help="Seconds between polls of usage.", min=1, envvar="CLUSTER_AUDIT_USAGE_INTERVAL"
        ),
    ] = 60.0,
    leader_elect: Annotated[
        bool,
        typer.Option(
            "--leader-elect",
            help="Publish only while holding a Lease: for more than one replica.",
            envvar="CLUSTER_AUDIT_LEADER_ELECT",
        ),
    ] = False,
    leader_elect_resource_name: Annotated[
        str,
        typer.Option(help="Name of the Lease.", envvar="CLUSTER_AUDIT_LEADER_ELECT_RESOURCE_NAME"),
    ] = "cluster-audit",
    leader_elect_resource_namespace: Annotated[
        str,
        typer.Option(
            help="Namespace of the Lease; the pod's own if empty.",
            envvar="CLUSTER_AUDIT_LEADER_ELECT_RESOURCE_NAMESPACE",
        ),
    ] = "",
    leader_elect_lease_duration: Annotated[
        float,
        typer.Option(
            help="Seconds without a renewal after which another replica takes over.",
            min=3,
            max=3600,
            envvar="CLUSTER_AUDIT_LEADER_ELECT_LEASE_DURATION",
        ),
    ] = DURATION,
    log_format: Annotated[
        Literal["json", "console"],
        typer.Option(help="Form of the log.", envvar="CLUSTER_AUDIT_LOG_FORMAT"),
    ] = "json",
    verbose: options.Verbose = False,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
) -> None:
    """Audit continuously, and publish into ClusterAuditReports."""
    from clusteraudit.handlers.certificate import CertificateError
    from clusteraudit.handlers.endpoints import Listening
    from clusteraudit.handlers.logs import configure
    from clusteraudit.handlers.operator import Options, operate

    configure(log_format, verbose=verbose)
    election = (
        _election(
            leader_elect_resource_namespace, leader_elect_resource_name, leader_elect_lease_duration
        )
        if leader_elect
        else None
    )
    certificate = _certificate(metrics_tls_cert_file, metrics_tls_key_file)
    listening = Listening(host, metrics_port, health_port, certificate, metrics_auth)
    _check(listening)
    wanted = Options(report, listening, pulse_window, usage_interval, election)
    try:
        asyncio.run(operate(credentials(kubeconfig, context, None), wanted))
    except KubeConfigError as error:
        raise CommandError(Exit.CLUSTER, str(error)) from None
    except CertificateError as error:
        raise CommandError(Exit.USAGE, f"the metrics cannot be served by TLS: {error}") from None
    except OSError as error:
        raise CommandError(Exit.USAGE, f"cannot listen: {error.strerror or error}") from None


def _election(namespace: str, name: str, duration: float) -> Election:
    """As whom to stand: a container that starts again in its pod is another one."""
    where = namespace or own_namespace()
    if where is None:
        message = "--leader-elect outside of a pod needs --leader-elect-resource-namespace"
        raise CommandError(Exit.USAGE, message)
    return Election(where, name, f"{socket.gethostname()}_{uuid.uuid4()}", Timing(duration))


def _certificate(certificate: Path | None, key: Path | None) -> "CertificateFiles | None":
    from clusteraudit.handlers.certificate import CertificateFiles

    if certificate and key:
        return CertificateFiles(certificate, key)
    if certificate or key:
        message = "--metrics-tls-cert-file and --metrics-tls-key-file come together"
        raise CommandError(Exit.USAGE, message)
    return None


def _check(listening: "Listening") -> None:
    """What would be unsafe, or would keep the kubelet out."""
    if listening.authenticate and not listening.certificate:
        message = "--metrics-auth needs a certificate: without TLS a token can be read on its way"
        raise CommandError(Exit.USAGE, message)
    if listening.certificate and listening.metrics_port == listening.health_port:
        message = "metrics by TLS need a port other than that of the probes"
        raise CommandError(Exit.USAGE, message)
