"""The live cluster, as the commands reach it."""

import asyncio
import os
from collections.abc import Callable

from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.kube.credentials import Credentials, KubeconfigCredentials, in_cluster
from clusteraudit.kube.errors import (
    ApiError,
    ForbiddenError,
    KubeConfigError,
    UnauthorizedError,
    UnreachableError,
)
from clusteraudit.kube.session import Session
from clusteraudit.sources import live
from clusteraudit.sources.gather import Gathering
from clusteraudit.sources.intake import Intake


def credentials(kubeconfig: str | None, context: str | None, as_user: str | None) -> Credentials:
    """Of the kubeconfig, or of the pod that we run in; raises CommandError."""
    pod = None
    if kubeconfig is None and context is None:
        host = os.environ.get("KUBERNETES_SERVICE_HOST")
        pod = in_cluster(host, os.environ.get("KUBERNETES_SERVICE_PORT"))
    try:
        return pod or KubeconfigCredentials(kubeconfig, context, as_user)
    except KubeConfigError as error:
        raise CommandError(Exit.CLUSTER, str(error)) from None


def gathered(
    kubeconfig: str | None,
    context: str | None,
    as_user: str | None,
    timeout: int,
    progress: Callable[[str, int], None],
) -> Gathering:
    """Rows of everything of the live cluster; raises CommandError if it cannot be had."""
    gathering = Gathering()
    read(credentials(kubeconfig, context, as_user), timeout, gathering, progress)
    return gathering


def read(
    known: Credentials, timeout: int, into: Intake, progress: Callable[[str, int], None]
) -> None:
    """Everything of the live cluster, one by one; raises CommandError if it cannot be had."""

    async def everything() -> None:
        async with Session(known, timeout=timeout) as session:
            await live.read(session, into, progress)

    try:
        asyncio.run(everything())
    except (KubeConfigError, UnreachableError) as error:
        raise CommandError(
            Exit.CLUSTER, f"{error}; is the cluster up, and the context right?"
        ) from None
    except UnauthorizedError as error:
        raise CommandError(Exit.CLUSTER, f"{error}: the credentials are not valid here") from None
    except ForbiddenError as error:
        raise CommandError(Exit.CLUSTER, f"{error}; ask for the right to list it") from None
    except ApiError as error:
        raise CommandError(Exit.CLUSTER, f"{error} (HTTP {error.status})") from None
    _check(into)


def _check(intake: Intake) -> None:
    header = intake.header
    if header and len(header.forbidden) and not intake.read:
        message = "the credentials allow no audited kind to be listed; ask for a role that does"
        raise CommandError(Exit.CLUSTER, message)
