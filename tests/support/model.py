"""A model of manifests in memory, without an audit around it."""

from collections.abc import Iterable, Mapping

from clusteraudit.model.build import NOW
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.store import Evidence, Store
from support.clusters import EVERYTHING, changes_of


def cluster_of(
    manifests: Iterable[Mapping[str, object]], evidence: Mapping[str, Evidence] = EVERYTHING
) -> Cluster:
    store = Store()
    store.apply(changes_of(manifests))
    store.learn(evidence)
    return Cluster(store, NOW)
