"""Rows: what the model keeps of an object, and no more.

A row is frozen, hashable and outside of the garbage collector's sight (`gc=False`): it holds keys
and values, never another row. Times are seconds since the epoch, amounts integers in the base unit
of their resource (millicores for cpu, else bytes or a count).
"""

import msgspec

from clusteraudit.model.constraints import Disk, HostPort, PodTerm, Spread
from clusteraudit.model.selectors import Labels, LabelSelector, NodeSelector, Requirement
from clusteraudit.model.tolerations import Taint, Toleration

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped kinds) and name."""

Amounts = tuple[tuple[str, int], ...]
"""Amounts by resource, sorted by name."""

SLOTS = "pods"
"""The resource of which every pod takes one."""

ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that hold no room any more."""


def amount_of(amounts: Amounts, resource: str) -> int:
    """The amount of `resource`, 0 where it is not listed."""
    for name, value in amounts:
        if name == resource:
            return value
    return 0


class Ref(msgspec.Struct, frozen=True, gc=False, order=True):
    """Names an object; it need not be one that the model holds."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> Key:
        """Where its row would stand in the table of its kind."""
        return (self.namespace, self.name)

    @property
    def group(self) -> str:
        """The API group, empty for core."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        """As people write it: `Deployment shop/search`, `Node a`."""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {where}"


class Row(msgspec.Struct, frozen=True, gc=False):
    """What every row has."""

    namespace: str
    name: str

    @property
    def key(self) -> Key:
        """Where it stands in its table."""
        return (self.namespace, self.name)


class ContainerPort(msgspec.Struct, frozen=True, gc=False):
    """A port that a container declares."""

    name: str
    protocol: str
    number: int


class Unrequested(msgspec.Struct, frozen=True, gc=False):
    """A container that does not request cpu, memory or both, and nobody requests them for it."""

    container: str
    resources: tuple[str, ...]


class Trouble(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is wrong with a container by its status: its image, or the memory that it was denied."""

    container: str
    pull: str = ""
    """Why its image is not there: a member of `sources.pulls.Pull`; empty where it is."""
    registry: str = ""
    """Host of the registry, where the image is not there."""
    killed_at: int | None = None
    """When the kernel last killed it for memory."""
    restarts: int = 0
    """How often it was started again, where it was killed for memory."""
    memory_limit: int = 0
    """Bytes, of the container or else of its pod; 0 for none."""


class PodTemplate(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, weakref=True):
    """What pods of one workload have in common: shared by value, so that churn leaks nothing.

    What is known of one goes with it (`model/kept.py`): it is held weakly, as no struct can be that
    has `gc=False`.
    """

    labels: Labels = Labels()
    owner: Ref | None = None
    """The controller; None for a bare pod and for a static one."""
    requests: Amounts = ()
    """Effective requests, as the scheduler sums them."""
    limits: Amounts = ()
    """Effective limits, of the resources that some container limits."""
    memory_request: int = 0
    """Bytes of memory that the kubelet's eviction compares usage with."""
    memory_capped: bool = False
    """Its cgroup keeps memory usage within that request: it cannot exceed it."""
    ephemeral_request: int = 0
    """Bytes of ephemeral storage that the kubelet's eviction compares usage with."""
    unrequested: tuple[Unrequested, ...] = ()
    """Containers and sidecars that lack a request of cpu or memory."""
    unlimited: int = 0
    """How many containers and sidecars have no memory limit, their own or the pod's."""
    tolerations: tuple[Toleration, ...] = ()
    node_selector: tuple[Requirement, ...] = ()
    node_affinity: NodeSelector | None = None
    node_name: str = ""
    """The node that a workload's template names; what a scheduler chose is the pod's own."""
    affinity: tuple[PodTerm, ...] = ()
    anti_affinity: tuple[PodTerm, ...] = ()
    spread: tuple[Spread, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    disks: tuple[Disk, ...] = ()
    features: tuple[str, ...] = ()
    """Features that a node must declare, by the name of their gate."""
    ephemeral: int = 0
    """How many of a pod's claims generic ephemeral volumes make: the last ones."""
    priority: int = 0
    preempts: bool = True
    """Whether it may evict pods of lower priority (`preemptionPolicy`)."""
    qos: str = "BestEffort"
    static: bool = False
    host_network: bool = False
    dns_policy: str = "ClusterFirst"
    ports: tuple[ContainerPort, ...] = ()
    unmodelled: tuple[str, ...] = ()
    """Filters of the scheduler that could refuse it and that the engine does not evaluate."""
    local_data: bool = False
    """It has an emptyDir, whose content ends with the pod."""
    grace: int = 30
    """Seconds that it has to end; with 0 it is deleted without waiting for its node."""

    @property
    def entangled(self) -> tuple[str, ...]:
        """Filters that decide by what else runs, beside room: one node alone does not tell."""
        asks = {
            "NodePorts": self.host_ports,
            "VolumeRestrictions": self.disks,
            "PodTopologySpread": self.spread,
            "InterPodAffinity": self.affinity or self.anti_affinity,
        }
        return tuple(name for name, asked in asks.items() if asked)


class PodRow(Row, frozen=True, gc=False, kw_only=True):
    """A pod."""

    template: PodTemplate
    phase: str = "Pending"
    node: str = ""
    nominated: str = ""
    """The node that the scheduler means to give it (`status.nominatedNodeName`)."""
    claims: tuple[str, ...] = ()
    ready: bool = False
    terminating: bool = False
    gates: tuple[str, ...] = ()
    """Scheduling gates: until the last is gone, the scheduler does not look at it."""
    unschedulable_since: int | None = None
    """Since when the scheduler says Unschedulable; None where it does not."""
    unready_since: int | None = None
    """Since when its condition Ready is False; None where it is not, or the pod has ended."""
    troubles: tuple[Trouble, ...] = ()
    """Containers with something wrong: few, so that most pods share the empty one."""
    synthetic: bool = False
    """Made from a workload's template, because the input holds no pods of it."""

    @property
    def active(self) -> bool:
        """Whether it holds room, or asks for it."""
        return self.phase not in ENDED

    @property
    def living(self) -> bool:
        """Whether it neither ended nor is ending."""
        return self.active and not self.terminating

    @property
    def assumed(self) -> bool:
        """Whether the scheduler has chosen a node, and only the binding is still to come.

        A node is set aside for a pod that found none as well, while its victims leave.
        """
        waits = bool(self.nominated) and not self.node and self.active
        return waits and self.unschedulable_since is None

    @property
    def on(self) -> str:
        """The node whose room it takes, as the scheduler counts; empty for none."""
        return self.node or (self.nominated if self.assumed else "")

    @property
    def heard(self) -> bool:
        """Whether its owner is asked about it: it has not ended, or it ended in trouble."""
        return self.active or bool(self.troubles)

    @property
    def unplaced(self) -> bool:
        """Whether it waits for a node."""
        return self.active and not self.node and not self.terminating and not self.gates


class NodeRow(Row, frozen=True, gc=False, kw_only=True):
    """A node."""

    labels: Labels = Labels()
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    ready: bool | None = None
    pressure: tuple[tuple[str, int | None], ...] = ()
    """Pressures that the kubelet reports, as the condition is called, and since when."""
    allocatable: Amounts = ()
    capacity: Amounts = ()
    features: tuple[str, ...] = ()
    """What it declares (`status.declaredFeatures`)."""


class NamespaceRow(Row, frozen=True, gc=False, kw_only=True):
    """A namespace."""

    labels: Labels = Labels()


class ClaimRow(Row, frozen=True, gc=False, kw_only=True):
    """A PersistentVolumeClaim."""

    phase: str = "Pending"
    volume: str = ""
    bound: bool = False
    """Whether its binding to the volume that it names is complete."""
    storage_class: str = ""
    access_modes: tuple[str, ...] = ()
    size: int | None = None
    """Bytes that it asks for."""
    selector: LabelSelector | None = None
    mode: str = "Filesystem"
    attributes_class: str = ""
    selected_node: str = ""
    """The node that the scheduler chose, for which a volume is being provisioned."""
    pod: str = ""
    """The pod that owns it, of a generic ephemeral volume."""
    created: int | None = None
    terminating: bool = False

    @property
    def selected(self) -> bool:
        """Whether the scheduler has chosen a node, so that its volume can be made there."""
        return bool(self.selected_node)


class VolumeRow(Row, frozen=True, gc=False, kw_only=True):
    """A PersistentVolume."""

    labels: Labels = Labels()
    capacity: int = 0
    access_modes: tuple[str, ...] = ()
    storage_class: str = ""
    mode: str = "Filesystem"
    attributes_class: str = ""
    driver: str = ""
    handle: str = ""
    """By which its CSI driver knows it."""
    migratable: bool = False
    """Of a kind that is translated for a CSI driver where a node says so."""
    terminating: bool = False
    affinity: NodeSelector | None = None
    zones: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Zone and region labels: the key, and the values that it joins by `__`."""
    claim: Key | None = None
    phase: str = "Available"


class StorageClassRow(Row, frozen=True, gc=False, kw_only=True):
    """A StorageClass."""

    provisioner: str = ""
    binding_mode: str = "Immediate"
    default: bool = False
    """Claims that name no class get this one."""
    topologies: tuple[tuple[Requirement, ...], ...] = ()
    """`allowedTopologies`: labels of nodes, one term of which must hold; none at all: all hold."""

    @property
    def waits(self) -> bool:
        """Whether its claims are bound when a pod of theirs gets a node."""
        return self.binding_mode == "WaitForFirstConsumer"


class WorkloadRow(Row, frozen=True, gc=False, kw_only=True):
    """A controller of pods; of kinds read as metadata only, replicas and template are None."""

    kind: str
    owner: Ref | None = None
    replicas: int | None = None
    template: PodTemplate | None = None
    ordered: bool = False
    """A StatefulSet that makes no pod while one of a lower ordinal is not ready."""


class PolicyPort(msgspec.Struct, frozen=True, gc=False):
    """A port of a rule; no number and no name means every port of the protocol."""

    protocol: str = "TCP"
    number: int | None = None
    end: int | None = None
    name: str = ""


class PolicyPeer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A peer of a rule: selectors, or a block of addresses."""

    pods: LabelSelector | None = None
    namespaces: LabelSelector | None = None
    cidr: str = ""
    excepted: tuple[str, ...] = ()


class PolicyRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A rule of one direction; no peers means every peer, no ports every port."""

    peers: tuple[PolicyPeer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()


class PolicyRow(Row, frozen=True, gc=False, kw_only=True):
    """A NetworkPolicy."""

    selector: LabelSelector
    ingress: bool = True
    egress: bool = False
    egress_rules: tuple[PolicyRule, ...] = ()


class BudgetRow(Row, frozen=True, gc=False, kw_only=True):
    """A PodDisruptionBudget; the counts are None where its status is not of this generation."""

    selector: LabelSelector | None = None
    min_available: str | None = None
    max_unavailable: str | None = None
    disruptions_allowed: int | None = None
    current_healthy: int | None = None
    desired_healthy: int | None = None
    expected_pods: int | None = None
    always_allow: bool = False
    """unhealthyPodEvictionPolicy AlwaysAllow: a pod that is not ready may always go."""
    sync_failed: bool = False
    """Its controller cannot count its pods, and allows no disruption until it can."""
    disrupted: int = 0
    """Pods whose eviction was allowed and is not seen yet."""


class ServiceRow(Row, frozen=True, gc=False, kw_only=True):
    """A Service; without a selector, or with a name outside instead, `selector` is None."""

    labels: Labels = Labels()
    selector: LabelSelector | None = None
    created: int | None = None
    cluster_ips: tuple[str, ...] = ()


class EndpointSliceRow(Row, frozen=True, gc=False, kw_only=True):
    """An EndpointSlice: counts, and the addresses of DNS servers only."""

    service: str = ""
    ports: tuple[ContainerPort, ...] = ()
    ready: int = 0
    total: int = 0
    addresses: tuple[str, ...] = ()


class QuotaRow(Row, frozen=True, gc=False, kw_only=True):
    """A ResourceQuota."""

    hard: Amounts = ()
    used: Amounts = ()


class LimitRangeRow(Row, frozen=True, gc=False, kw_only=True):
    """A LimitRange: what a container gets that asks for nothing."""

    default_requests: Amounts = ()
    default_limits: Amounts = ()


class UsageRow(Row, frozen=True, gc=False, kw_only=True):
    """Usage of a node or a pod: one sample of metrics.k8s.io, memory as working set."""

    cpu: int
    memory: int
    at: int = 0


class ApiGroupRow(Row, frozen=True, gc=False, kw_only=True):
    """An API group that the cluster serves, or of which the input holds objects."""
