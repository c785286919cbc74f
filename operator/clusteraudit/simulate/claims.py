"""Who uses a claim, and whether somebody waits for it."""

from collections.abc import Mapping

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import PodRow, Ref
from clusteraudit.model.selection import pods_selected


class Users(msgspec.Struct, frozen=True, gc=False):
    """Pods that name a claim."""

    owners: tuple[Ref, ...] = ()
    """Who speaks for them."""
    waiting: tuple[str, ...] = ()
    """Names of those that have no node."""


NOBODY = Users()


@derived
def claim_users(cluster: Cluster, namespace: str) -> Mapping[str, Users]:
    """The users of every claim of a namespace that has some; pods that have ended use none."""
    pods: dict[str, list[PodRow]] = {}
    for pod in pods_selected(cluster, namespace):
        for claim in pod.claims:
            pods.setdefault(claim, []).append(pod)
    return {claim: _users(cluster, found) for claim, found in sorted(pods.items())}


def _users(cluster: Cluster, pods: list[PodRow]) -> Users:
    owners = tuple(sorted({cluster.owner(pod) for pod in pods}))
    return Users(owners, tuple(sorted(pod.name for pod in pods if pod.unplaced)))
