"""Where the operator listens: probes on one port, metrics on another, or all on one."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from clusteraudit.handlers.certificate import Certificate, CertificateFiles
from clusteraudit.handlers.web import Check, guarded, metrics, probe, serve
from clusteraudit.kube.reviews import Reviewer
from clusteraudit.kube.session import Session


@dataclass(frozen=True)
class Listening:
    """How to listen. Probes are for the kubelet: plain, and for everybody."""

    host: str = ""
    """All addresses if empty."""
    metrics_port: int = 8080
    health_port: int = 8081
    certificate: CertificateFiles | None = None
    """Of the metrics; plain HTTP without."""
    authenticate: bool = False
    """Whether the API server is asked who may read the metrics."""


@contextlib.asynccontextmanager
async def endpoints(
    how: Listening,
    session: Session,
    unhealthy: Check,
    unready: Check,
    exposition: Callable[[], Callable[[], bytes]],
) -> AsyncIterator[None]:
    """Answer for as long as the context lasts; raises OSError, CertificateError."""
    health = {"/healthz": probe(unhealthy), "/readyz": probe(unready)}
    shown = metrics(exposition)
    if how.authenticate:
        shown = guarded(shown, Reviewer(session))
    certificate = Certificate(how.certificate) if how.certificate else None
    if how.metrics_port == how.health_port:
        async with serve(how.host, how.health_port, {**health, "/metrics": shown}, certificate):
            yield
        return
    async with (
        serve(how.host, how.health_port, health),
        serve(how.host, how.metrics_port, {"/metrics": shown}, certificate),
    ):
        yield
