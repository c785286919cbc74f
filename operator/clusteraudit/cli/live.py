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
    """Everything of the live cluster; raises CommandError if it cannot be had."""

    async def gather() -> Gathering:
        async with Session(credentials(kubeconfig, context, as_user), timeout=timeout) as session:
            return await live.gather(session, progress)

    try:
        gathering = asyncio.run(gather())
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
    _check(gathering)
    return gathering


def _check(gathering: Gathering) -> None:
    header = gathering.header
    if header and len(header.forbidden) and not gathering.read:
        message = "the credentials allow no audited kind to be listed; ask for a role that does"
        raise CommandError(Exit.CLUSTER, message)
