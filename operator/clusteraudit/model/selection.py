"""Whom a selector selects: by the distinct sets of labels of a namespace, never pod by pod."""

from collections.abc import Iterator

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import PodRow, WorkloadRow
from clusteraudit.model.selectors import LabelSelector

_ALL = LabelSelector()


def pods_selected(
    cluster: Cluster, namespace: str, selector: LabelSelector = _ALL
) -> Iterator[PodRow]:
    """Pods of a namespace that have not ended; all of them where no selector is given."""
    for labels in cluster.labels("pods_by_labels", namespace, selector):
        pods = cluster.bucket(PodRow, "pods_by_labels", (namespace, labels))
        yield from (pod for pod in pods if pod.active)


def workloads_selected(
    cluster: Cluster, namespace: str, selector: LabelSelector
) -> Iterator[WorkloadRow]:
    """Workloads of a namespace whose pods would be selected."""
    for labels in cluster.labels("templates_by_labels", namespace, selector):
        yield from cluster.bucket(WorkloadRow, "templates_by_labels", (namespace, labels))
