"""The kinds that the model holds, and how their rows are indexed: data, no code to extend."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from clusteraudit.model import provisioning, rows
from clusteraudit.model.rows import PodRow, Ref, Row, WorkloadRow


@dataclass(frozen=True)
class Kind:
    """A kind of the API and the row that is kept of it."""

    name: str
    api_version: str
    plural: str
    row: type[Row]
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for core."""
        return self.api_version.rpartition("/")[0]


WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")
API_GROUPS = "APIGroup"

_ALL = (
    Kind("Node", "v1", "nodes", rows.NodeRow, namespaced=False),
    Kind("Namespace", "v1", "namespaces", rows.NamespaceRow, namespaced=False),
    Kind("Pod", "v1", "pods", rows.PodRow),
    Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims", rows.ClaimRow),
    Kind("PersistentVolume", "v1", "persistentvolumes", rows.VolumeRow, namespaced=False),
    Kind("Service", "v1", "services", rows.ServiceRow),
    Kind("ResourceQuota", "v1", "resourcequotas", rows.QuotaRow),
    Kind("LimitRange", "v1", "limitranges", rows.LimitRangeRow),
    Kind(
        "StorageClass",
        "storage.k8s.io/v1",
        "storageclasses",
        rows.StorageClassRow,
        namespaced=False,
    ),
    Kind(
        "CSIDriver", "storage.k8s.io/v1", "csidrivers", provisioning.CSIDriverRow, namespaced=False
    ),
    Kind("CSINode", "storage.k8s.io/v1", "csinodes", provisioning.CSINodeRow, namespaced=False),
    Kind(
        "CSIStorageCapacity",
        "storage.k8s.io/v1",
        "csistoragecapacities",
        provisioning.StorageCapacityRow,
    ),
    Kind(
        "VolumeAttachment",
        "storage.k8s.io/v1",
        "volumeattachments",
        provisioning.AttachmentRow,
        namespaced=False,
    ),
    Kind(
        "DeviceClass",
        "resource.k8s.io/v1",
        "deviceclasses",
        provisioning.DeviceClassRow,
        namespaced=False,
    ),
    Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", rows.PolicyRow),
    Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets", rows.BudgetRow),
    Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices", rows.EndpointSliceRow),
    Kind("Deployment", "apps/v1", "deployments", rows.WorkloadRow),
    Kind("ReplicaSet", "apps/v1", "replicasets", rows.WorkloadRow),
    Kind("StatefulSet", "apps/v1", "statefulsets", rows.WorkloadRow),
    Kind("DaemonSet", "apps/v1", "daemonsets", rows.WorkloadRow),
    Kind("Job", "batch/v1", "jobs", rows.WorkloadRow),
    Kind("NodeMetrics", "metrics.k8s.io/v1beta1", "nodes", rows.UsageRow, namespaced=False),
    Kind("PodMetrics", "metrics.k8s.io/v1beta1", "pods", rows.UsageRow),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
"""Every audited kind by its name."""

USAGE = ("NodeMetrics", "PodMetrics")
"""Kinds that are polled, since metrics.k8s.io has no watch."""

SUBJECTS = (
    "Node",
    "PersistentVolumeClaim",
    "Namespace",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "StorageClass",
)
"""Kinds of which rules are asked object by object, beside the owners of pods."""

METADATA_ONLY = ("ReplicaSet", "Job")
"""Kinds of which only ownership is read: 10,000 Deployments hold 100,000 old ReplicaSets."""


def ref(kind: str, namespace: str, name: str) -> Ref:
    """The reference to an object of an audited kind."""
    return Ref(KINDS[kind].api_version, kind, namespace, name)


def owner_of(row: Row) -> Ref | None:
    """The controller of a pod or a workload."""
    if isinstance(row, PodRow):
        return row.template.owner
    return row.owner if isinstance(row, WorkloadRow) else None


@dataclass(frozen=True)
class Index:
    """Rows of some kinds by a key that each row yields; no key, no entry.

    A key that is a pair is grouped by its first part: `Store.group` names the second ones.
    """

    kinds: tuple[str, ...]
    key: Callable[[Row], Hashable | None]
    aspects: Mapping[str, Callable[[Row], object]] = field(default_factory=dict)
    """Names under which a part of each row is read, which changes more seldom than the row."""


def _node(row: Row) -> Hashable | None:
    return row.node if isinstance(row, PodRow) and row.node and row.active else None


def _held(row: Row) -> object:
    """What a pod holds of its node."""
    return (row.template, row.claims) if isinstance(row, PodRow) else None


def _there(row: Row) -> object:
    """What a pod is, and whether it has ended or is ending."""
    return (row.template, row.active, row.terminating) if isinstance(row, PodRow) else None


def _labels(row: Row) -> Hashable | None:
    if isinstance(row, PodRow):
        return (row.namespace, row.template.labels)
    template = row.template if isinstance(row, WorkloadRow) else None
    return (row.namespace, template.labels) if template else None


def _service(row: Row) -> Hashable | None:
    return (row.namespace, row.service) if isinstance(row, rows.EndpointSliceRow) else None


def _namespace(row: Row) -> Hashable:
    return row.namespace


def _dns(row: Row) -> Hashable | None:
    return True if isinstance(row, rows.ServiceRow) and is_cluster_dns(row) else None


def is_cluster_dns(service: rows.ServiceRow) -> bool:
    """Whether it is the cluster's DNS, by the names and the label that distributions give it."""
    return service.key in {("kube-system", "kube-dns"), ("openshift-dns", "dns-default")} or (
        service.namespace == "kube-system" and service.labels.get("k8s-app") == "kube-dns"
    )


def _repelling(row: Row) -> Hashable | None:
    """Namespace and terms of pods that keep others away."""
    if isinstance(row, PodRow) and row.on and row.active and row.template.anti_affinity:
        return ("", (row.namespace, row.template.anti_affinity))
    return None


def _assumed(row: Row) -> Hashable | None:
    return row.nominated if isinstance(row, PodRow) and row.assumed else None


def _nominated(row: Row) -> Hashable | None:
    """Pods that wait for their victims to leave."""
    if isinstance(row, PodRow) and row.nominated and row.active and not row.node:
        return None if row.assumed else True
    return None


def _volume_class(row: Row) -> Hashable | None:
    return row.storage_class if isinstance(row, rows.VolumeRow) else None


def _capacity_of(row: Row) -> Hashable | None:
    return row.storage_class if isinstance(row, provisioning.StorageCapacityRow) else None


def _attached_to(row: Row) -> Hashable | None:
    return row.node if isinstance(row, provisioning.AttachmentRow) else None


def _waiting(row: Row) -> Hashable | None:
    return True if isinstance(row, PodRow) and row.unplaced else None


INDEXES: Mapping[str, Index] = {
    "children": Index((*WORKLOADS, "Pod"), owner_of),
    "pods_on": Index(("Pod",), _node, {"held_on": _held}),
    "pods_by_labels": Index(("Pod",), _labels, {"there_by_labels": _there}),
    "templates_by_labels": Index(WORKLOADS, _labels),
    "unplaced": Index(("Pod",), _waiting),
    "repelling": Index(("Pod",), _repelling),
    "assumed_on": Index(("Pod",), _assumed),
    "nominated": Index(("Pod",), _nominated),
    "volumes_of_class": Index(("PersistentVolume",), _volume_class),
    "capacities_of_class": Index(("CSIStorageCapacity",), _capacity_of),
    "attachments_on": Index(("VolumeAttachment",), _attached_to),
    "policies_in": Index(("NetworkPolicy",), _namespace),
    "budgets_in": Index(("PodDisruptionBudget",), _namespace),
    "quotas_in": Index(("ResourceQuota",), _namespace),
    "limits_in": Index(("LimitRange",), _namespace),
    "slices_of": Index(("EndpointSlice",), _service),
    "cluster_dns": Index(("Service",), _dns),
}
