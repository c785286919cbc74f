"""`run`: the operator."""

import asyncio
import socket
import uuid
from typing import Annotated, Literal

import typer

from clusteraudit.cli import options
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.live import credentials
from clusteraudit.kube.credentials import own_namespace
from clusteraudit.kube.elector import Election
from clusteraudit.kube.errors import KubeConfigError
from clusteraudit.kube.lease import DURATION, Timing


def run(
    report: Annotated[
        str,
        typer.Option(help="The main report: it tunes the rules.", envvar="CLUSTER_AUDIT_REPORT"),
    ] = "cluster",
    metrics_port: Annotated[
        int, typer.Option(help="Port of /metrics.", envvar="CLUSTER_AUDIT_METRICS_PORT")
    ] = 8080,
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
    wanted = Options(
        report, host, metrics_port, health_port, pulse_window, usage_interval, election
    )
    try:
        asyncio.run(operate(credentials(kubeconfig, context, None), wanted))
    except KubeConfigError as error:
        raise CommandError(Exit.CLUSTER, str(error)) from None
    except OSError as error:
        raise CommandError(Exit.USAGE, f"cannot listen: {error.strerror or error}") from None


def _election(namespace: str, name: str, duration: float) -> Election:
    """As whom to stand: a container that starts again in its pod is another one."""
    where = namespace or own_namespace()
    if where is None:
        message = "--leader-elect outside of a pod needs --leader-elect-resource-namespace"
        raise CommandError(Exit.USAGE, message)
    return Election(where, name, f"{socket.gethostname()}_{uuid.uuid4()}", Timing(duration))
