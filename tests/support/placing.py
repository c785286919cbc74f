"""What the placement engine says of a pod, in few words."""

from collections.abc import Iterable
from typing import Any

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import PodRow
from clusteraudit.model.store import COMPLETE, Change, Evidence, Store
from clusteraudit.simulate.schedule import Verdict, verdict
from clusteraudit.simulate.snapshot import snapshot
from support.clusters import changes_of
from support.scenes import HOST, ZONE

__all__ = ["HOST", "ZONE", "asked", "cluster_of", "pod_of", "said"]


def cluster_of(changes: Iterable[Change], partial: str = "") -> Cluster:
    """A cluster of which all is known, or a part of one kind."""
    store = Store()
    store.apply(changes)
    known = {**dict.fromkeys(KINDS, COMPLETE)}
    store.learn({**known, **({partial: Evidence("partial")} if partial else {})})
    return Cluster(store, build.NOW)


def pod_of(cluster: Cluster, name: str, namespace: str = "shop") -> PodRow:
    """A pod that is there."""
    row = cluster.find(PodRow, "Pod", namespace, name)
    assert row is not None
    return row


def asked(pod: Manifest, *objects: Manifest, node: str = "n", partial: str = "") -> Verdict:
    """What the engine says of the pod on the node."""
    cluster = cluster_of(changes_of([*objects, pod]), partial)
    return verdict(snapshot(cluster), pod_of(cluster, "new"), node)


def said(*args: Any, **kwargs: Any) -> list[str]:
    """Reasons, and what is in doubt with a question mark."""
    found = asked(*args, **kwargs)
    return [one.reason for one in found.refusals] + [f"{one.missing}?" for one in found.doubts]
