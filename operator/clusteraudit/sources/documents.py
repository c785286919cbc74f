"""Documents: the fields that are read of each API object, as msgspec decodes them.

What is not declared here is never decoded: no env values, arguments, Secrets or annotations reach
the model, a snapshot or a report.
"""

import msgspec

from clusteraudit.sources.parts import Count, Document, Name, Namespace, Present, Quantities
from clusteraudit.sources.pulls import pull_failure, registry
from clusteraudit.sources.scheduling import (
    Affinity,
    DiskSource,
    Gate,
    Mount,
    RestartRule,
    SpreadDoc,
    TolerationDoc,
)


class Annotations(Document, frozen=True, kw_only=True):
    """Those that the model reads; no other is decoded."""

    mirror: str | None = msgspec.field(default=None, name="kubernetes.io/config.mirror")
    bind_completed: str | None = msgspec.field(default=None, name="pv.kubernetes.io/bind-completed")
    selected_node: str = msgspec.field(default="", name="volume.kubernetes.io/selected-node")
    storage_class: str | None = msgspec.field(
        default=None, name="volume.beta.kubernetes.io/storage-class"
    )
    default_class: str | None = msgspec.field(
        default=None, name="storageclass.kubernetes.io/is-default-class"
    )


class OwnerReference(Document, frozen=True, kw_only=True):
    """An owner; the controller is the one that makes and deletes the object."""

    api_version: str
    kind: str
    name: str
    controller: bool = False


class Meta(Document, frozen=True, kw_only=True):
    """Of metadata."""

    name: Name
    namespace: Namespace = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: Annotations = Annotations()
    owner_references: list[OwnerReference] = []


class ObjectDoc(Document, frozen=True, kw_only=True):
    """An object: whatever else is read of it, its metadata is."""

    metadata: Meta


class Resources(Document, frozen=True, kw_only=True):
    """Requests and limits."""

    requests: Quantities = {}
    limits: Quantities = {}


class Port(Document, frozen=True, kw_only=True):
    """A port of a container."""

    container_port: Count
    name: str = ""
    protocol: str = "TCP"
    host_port: Count = 0
    host_ip: str = msgspec.field(default="", name="hostIP")


class Container(Document, frozen=True, kw_only=True):
    """A container, or an init container; with restartPolicy Always it is a sidecar."""

    name: str
    resources: Resources = Resources()
    ports: list[Port] = []
    restart_policy: str = ""
    restart_policy_rules: list[RestartRule] = []
    volume_mounts: list[Mount] = []


class ClaimSource(Document, frozen=True, kw_only=True):
    """A claim that a volume names."""

    claim_name: str


class Volume(Document, frozen=True, kw_only=True):
    """A volume of a pod: on a claim, on a disk that the pod names itself, or ending with it."""

    name: str
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: Present | None = None
    empty_dir: Present | None = None
    gce_persistent_disk: DiskSource | None = None
    aws_elastic_block_store: DiskSource | None = None
    iscsi: DiskSource | None = None
    rbd: DiskSource | None = None
    azure_disk: Present | None = None
    azure_file: Present | None = None
    cinder: Present | None = None
    portworx_volume: Present | None = None
    vsphere_volume: Present | None = None


class PodSpec(Document, frozen=True, kw_only=True):
    """Of a pod's spec."""

    node_name: str = ""
    scheduler_name: str = ""
    termination_grace_period_seconds: int = 30
    priority: Count | None = None
    priority_class_name: str = ""
    preemption_policy: str = ""
    host_network: bool = False
    host_users: bool = True
    dns_policy: str = "ClusterFirst"
    node_selector: dict[str, str] = {}
    affinity: Affinity = Affinity()
    tolerations: list[TolerationDoc] = []
    topology_spread_constraints: list[SpreadDoc] = []
    scheduling_gates: list[Gate] = []
    scheduling_group: Present | None = None
    resource_claims: list[Present] = []
    containers: list[Container] = []
    init_containers: list[Container] = []
    overhead: Quantities = {}
    resources: Resources | None = None
    volumes: list[Volume] = []


class Condition(Document, frozen=True, kw_only=True):
    """A condition of a status."""

    type: str
    status: str
    reason: str = ""
    last_transition_time: str | None = None


class Waiting(Document, frozen=True, kw_only=True):
    """Why a container waits; of the message only what it says of a pull is kept."""

    reason: str = ""
    pull: str = msgspec.field(default="", name="message")

    def __post_init__(self) -> None:
        """A message can hold addresses and tokens: it goes no further than here."""
        if self.pull:
            msgspec.structs.force_setattr(self, "pull", pull_failure(self.pull).value)


class Terminated(Document, frozen=True, kw_only=True):
    """How a container ended."""

    reason: str = ""
    finished_at: str | None = None


class ContainerState(Document, frozen=True, kw_only=True):
    """The state of a container, or its last one."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Document, frozen=True, kw_only=True):
    """What a container really has, and how it is; of its image only the registry is kept."""

    name: str
    registry: str = msgspec.field(default="", name="image")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    restart_count: Count = 0
    resources: Resources | None = None
    allocated_resources: Quantities = {}

    def __post_init__(self) -> None:
        """`registry.example.com/team/app:1` leaves `registry.example.com/`."""
        if self.registry:
            msgspec.structs.force_setattr(self, "registry", registry(self.registry))


class PodStatus(Document, frozen=True, kw_only=True):
    """Of a pod's status; its own resources are there where it is resized as a whole."""

    phase: str = "Pending"
    qos_class: str = ""
    nominated_node_name: str = ""
    conditions: list[Condition] = []
    resources: Resources | None = None
    allocated_resources: Quantities = {}
    container_statuses: list[ContainerStatus] = []
    init_container_statuses: list[ContainerStatus] = []


class PodDoc(ObjectDoc, frozen=True, kw_only=True):
    """A pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class TaintDoc(Document, frozen=True, kw_only=True):
    """A taint."""

    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class NodeSpec(Document, frozen=True, kw_only=True):
    """Of a node's spec."""

    unschedulable: bool = False
    taints: list[TaintDoc] = []


class NodeStatus(Document, frozen=True, kw_only=True):
    """Of a node's status."""

    allocatable: Quantities = {}
    capacity: Quantities = {}
    declared_features: list[str] = []
    conditions: list[Condition] = []


class NodeDoc(ObjectDoc, frozen=True, kw_only=True):
    """A node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class TemplateMeta(Document, frozen=True, kw_only=True):
    """Metadata of a pod template."""

    labels: dict[str, str] = {}


class Template(Document, frozen=True, kw_only=True):
    """A pod template."""

    metadata: TemplateMeta = TemplateMeta()
    spec: PodSpec = PodSpec()


class ClaimTemplate(Document, frozen=True, kw_only=True):
    """A volume claim template: its name makes the claims' names."""

    metadata: Gate


class Ordinals(Document, frozen=True, kw_only=True):
    """Where a StatefulSet begins to count."""

    start: Count = 0


class WorkloadSpec(Document, frozen=True, kw_only=True):
    """Of the spec of a controller of pods."""

    replicas: Count | None = None
    parallelism: Count | None = None
    completions: Count | None = None
    suspend: bool = False
    template: Template | None = None
    pod_management_policy: str = ""
    volume_claim_templates: list[ClaimTemplate] = []
    ordinals: Ordinals = Ordinals()


class WorkloadDoc(ObjectDoc, frozen=True, kw_only=True):
    """A controller of pods; without a spec when it was asked for as metadata only."""

    spec: WorkloadSpec = WorkloadSpec()


class JobStatus(Document, frozen=True, kw_only=True):
    """Of the status of a Job."""

    conditions: list[Condition] = []


class JobDoc(WorkloadDoc, frozen=True, kw_only=True):
    """A Job."""

    status: JobStatus = JobStatus()


class MetadataDoc(ObjectDoc, frozen=True, kw_only=True):
    """An object of which only the metadata is read."""
