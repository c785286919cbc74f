"""`run`: the operator."""

import asyncio
from typing import Annotated, Literal

import typer

from clusteraudit.cli import options
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.cli.live import credentials
from clusteraudit.kube.errors import KubeConfigError


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
    wanted = Options(report, host, metrics_port, health_port, pulse_window, usage_interval)
    try:
        asyncio.run(operate(credentials(kubeconfig, context, None), wanted))
    except KubeConfigError as error:
        raise CommandError(Exit.CLUSTER, str(error)) from None
    except OSError as error:
        raise CommandError(Exit.USAGE, f"cannot listen: {error.strerror or error}") from None
