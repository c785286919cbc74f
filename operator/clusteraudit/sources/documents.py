"""Documents: the fields that are read of each API object, as msgspec decodes them.

What is not declared here is never decoded: no env values, arguments, Secrets or annotations reach
the model, a snapshot or a report.
"""

from typing import Annotated

import msgspec

from clusteraudit.sources.pulls import pull_failure, registry

Quantity = str | int | float
Quantities = dict[str, Quantity]
Count = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


class Document(
    msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True, kw_only=True
):
    """What every part of a document is made of."""


class Present(Document, frozen=True, kw_only=True):
    """Something of which only its presence is read."""


class Annotations(Document, frozen=True, kw_only=True):
    """Those that the model reads; no other is decoded."""

    mirror: str | None = msgspec.field(default=None, name="kubernetes.io/config.mirror")
    selected_node: str | None = msgspec.field(
        default=None, name="volume.kubernetes.io/selected-node"
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

    name: str
    namespace: str = ""
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


class Expression(Document, frozen=True, kw_only=True):
    """A requirement of a selector."""

    key: str
    operator: str
    values: list[str] = []


class Selector(Document, frozen=True, kw_only=True):
    """A label selector."""

    match_labels: dict[str, str] = {}
    match_expressions: list[Expression] = []


class NodeTerm(Document, frozen=True, kw_only=True):
    """A term of a node selector."""

    match_expressions: list[Expression] = []
    match_fields: list[Expression] = []


class NodeTerms(Document, frozen=True, kw_only=True):
    """A node selector."""

    node_selector_terms: list[NodeTerm] = []


class Required(Document, frozen=True, kw_only=True):
    """Node affinity: only what is required decides."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = None


class PodTerms(Document, frozen=True, kw_only=True):
    """Pod affinity: whether anything is required."""

    required_during_scheduling_ignored_during_execution: list[Present] = []


class Affinity(Document, frozen=True, kw_only=True):
    """Affinity of a pod."""

    node_affinity: Required = Required()
    pod_affinity: PodTerms = PodTerms()
    pod_anti_affinity: PodTerms = PodTerms()


class TolerationDoc(Document, frozen=True, kw_only=True):
    """A toleration."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


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


class Container(Document, frozen=True, kw_only=True):
    """A container, or an init container; with restartPolicy Always it is a sidecar."""

    name: str
    resources: Resources = Resources()
    ports: list[Port] = []
    restart_policy: str = ""


class ClaimSource(Document, frozen=True, kw_only=True):
    """A claim that a volume names."""

    claim_name: str


class Volume(Document, frozen=True, kw_only=True):
    """A volume of a pod: those on claims, and whether one ends with the pod."""

    name: str
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: Present | None = None
    empty_dir: Present | None = None


class Spread(Document, frozen=True, kw_only=True):
    """A topology spread constraint: whether it is hard."""

    when_unsatisfiable: str = "DoNotSchedule"


class Gate(Document, frozen=True, kw_only=True):
    """A scheduling gate."""

    name: str


class PodSpec(Document, frozen=True, kw_only=True):
    """Of a pod's spec."""

    node_name: str = ""
    scheduler_name: str = ""
    priority: Count | None = None
    priority_class_name: str = ""
    host_network: bool = False
    dns_policy: str = "ClusterFirst"
    node_selector: dict[str, str] = {}
    affinity: Affinity = Affinity()
    tolerations: list[TolerationDoc] = []
    topology_spread_constraints: list[Spread] = []
    scheduling_gates: list[Gate] = []
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
    template: Template | None = None
    pod_management_policy: str = ""
    volume_claim_templates: list[ClaimTemplate] = []
    ordinals: Ordinals = Ordinals()


class WorkloadDoc(ObjectDoc, frozen=True, kw_only=True):
    """A controller of pods; without a spec when it was asked for as metadata only."""

    spec: WorkloadSpec = WorkloadSpec()


class MetadataDoc(ObjectDoc, frozen=True, kw_only=True):
    """An object of which only the metadata is read."""
