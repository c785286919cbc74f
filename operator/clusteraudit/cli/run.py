"""`run`: the operator."""

import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from clusteraudit.cli import options
from clusteraudit.cli import run_options as chosen
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.kube.errors import KubeConfigError
from clusteraudit.kube.lease import DURATION, Timing

if TYPE_CHECKING:
    from clusteraudit.handlers.certificate import CertificateFiles
    from clusteraudit.handlers.endpoints import Listening
    from clusteraudit.handlers.operator import Options
    from clusteraudit.kube.elector import Election


def run(
    report: chosen.Report = "cluster",
    metrics_port: chosen.MetricsPort = 8080,
    metrics_tls_cert_file: chosen.MetricsTlsCertFile = None,
    metrics_tls_key_file: chosen.MetricsTlsKeyFile = None,
    metrics_auth: chosen.MetricsAuth = False,
    health_port: chosen.HealthPort = 8081,
    host: chosen.Host = "",
    pulse_window: chosen.PulseWindow = 2.0,
    usage_interval: chosen.UsageInterval = 60.0,
    leader_elect: chosen.LeaderElect = False,
    leader_elect_resource_name: chosen.LeaseName = "cluster-audit",
    leader_elect_resource_namespace: chosen.LeaseNamespace = "",
    leader_elect_lease_duration: chosen.LeaseDuration = DURATION,
    log_format: chosen.LogFormat = "json",
    verbose: options.Verbose = False,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
) -> None:
    """Audit continuously, and publish into ClusterAuditReports."""
    from clusteraudit.handlers.endpoints import Listening
    from clusteraudit.handlers.logs import configure
    from clusteraudit.handlers.operator import Options

    configure(log_format, verbose=verbose)
    lease = (leader_elect_resource_namespace, leader_elect_resource_name)
    election = _election(*lease, leader_elect_lease_duration) if leader_elect else None
    certificate = _certificate(metrics_tls_cert_file, metrics_tls_key_file)
    listening = Listening(host, metrics_port, health_port, certificate, metrics_auth)
    _check(listening)
    wanted = Options(report, listening, pulse_window, usage_interval, election)
    _operate(kubeconfig, context, wanted)


def _operate(kubeconfig: str | None, context: str | None, wanted: "Options") -> None:
    """Until it is told to stop; raises CommandError for what the command line got wrong."""
    from clusteraudit.cli.live import credentials
    from clusteraudit.handlers.certificate import CertificateError
    from clusteraudit.handlers.operator import operate

    try:
        operate(credentials(kubeconfig, context, None), wanted)
    except KubeConfigError as error:
        raise CommandError(Exit.CLUSTER, str(error)) from None
    except CertificateError as error:
        raise CommandError(Exit.USAGE, f"the metrics cannot be served by TLS: {error}") from None
    except OSError as error:
        raise CommandError(Exit.USAGE, f"cannot listen: {error.strerror or error}") from None


def _election(namespace: str, name: str, duration: float) -> "Election":
    """As whom to stand: a container that starts again in its pod is another one."""
    from clusteraudit.kube.credentials import own_namespace
    from clusteraudit.kube.elector import Election

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
