"""Documents: the fields that are read of each API object, as msgspec decodes them.

What is not declared here is never decoded: no env values, arguments, Secrets or annotations reach
the model, a snapshot or a report.
"""

from typing import Annotated

import msgspec

Quantity = str | int | float
Quantities = dict[str, Quantity]
Count = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


class Document(
    msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True, kw_only=True
):
    """What every part of a document is made of."""


class Present(Document, kw_only=True):
    """Something of which only its presence is read."""


class Annotations(Document, kw_only=True):
    """Those that the model reads; no other is decoded."""

    mirror: str | None = msgspec.field(default=None, name="kubernetes.io/config.mirror")


class OwnerReference(Document, kw_only=True):
    """An owner; the controller is the one that makes and deletes the object."""

    api_version: str
    kind: str
    name: str
    controller: bool = False


class Meta(Document, kw_only=True):
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


class Expression(Document, kw_only=True):
    """A requirement of a selector."""

    key: str
    operator: str
    values: list[str] = []


class Selector(Document, kw_only=True):
    """A label selector."""

    match_labels: dict[str, str] = {}
    match_expressions: list[Expression] = []


class NodeTerm(Document, kw_only=True):
    """A term of a node selector."""

    match_expressions: list[Expression] = []
    match_fields: list[Expression] = []


class NodeTerms(Document, kw_only=True):
    """A node selector."""

    node_selector_terms: list[NodeTerm] = []


class Required(Document, kw_only=True):
    """Node affinity: only what is required decides."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = None


class PodTerms(Document, kw_only=True):
    """Pod affinity: whether anything is required."""

    required_during_scheduling_ignored_during_execution: list[Present] = []


class Affinity(Document, kw_only=True):
    """Affinity of a pod."""

    node_affinity: Required = Required()
    pod_affinity: PodTerms = PodTerms()
    pod_anti_affinity: PodTerms = PodTerms()


class TolerationDoc(Document, kw_only=True):
    """A toleration."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


class Resources(Document, kw_only=True):
    """Requests and limits."""

    requests: Quantities = {}
    limits: Quantities = {}


class Port(Document, kw_only=True):
    """A port of a container."""

    container_port: Count
    name: str = ""
    protocol: str = "TCP"
    host_port: Count = 0


class Container(Document, kw_only=True):
    """A container, or an init container; with restartPolicy Always it is a sidecar."""

    name: str
    resources: Resources = Resources()
    ports: list[Port] = []
    restart_policy: str = ""


class ClaimSource(Document, kw_only=True):
    """A claim that a volume names."""

    claim_name: str


class Volume(Document, kw_only=True):
    """A volume of a pod: only those on claims are read."""

    name: str
    persistent_volume_claim: ClaimSource | None = None
    ephemeral: Present | None = None


class Spread(Document, kw_only=True):
    """A topology spread constraint: whether it is hard."""

    when_unsatisfiable: str = "DoNotSchedule"


class Gate(Document, kw_only=True):
    """A scheduling gate."""

    name: str


class PodSpec(Document, kw_only=True):
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


class Condition(Document, kw_only=True):
    """A condition of a status."""

    type: str
    status: str
    reason: str = ""
    last_transition_time: str | None = None


class ContainerStatus(Document, kw_only=True):
    """What a container really has, while it is resized in place."""

    name: str
    resources: Resources | None = None
    allocated_resources: Quantities = {}


class PodStatus(Document, kw_only=True):
    """Of a pod's status."""

    phase: str = "Pending"
    qos_class: str = ""
    conditions: list[Condition] = []
    container_statuses: list[ContainerStatus] = []
    init_container_statuses: list[ContainerStatus] = []


class PodDoc(Document, kw_only=True):
    """A pod."""

    metadata: Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class TaintDoc(Document, kw_only=True):
    """A taint."""

    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class NodeSpec(Document, kw_only=True):
    """Of a node's spec."""

    unschedulable: bool = False
    taints: list[TaintDoc] = []


class NodeStatus(Document, kw_only=True):
    """Of a node's status."""

    allocatable: Quantities = {}
    capacity: Quantities = {}
    conditions: list[Condition] = []


class NodeDoc(Document, kw_only=True):
    """A node."""

    metadata: Meta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class TemplateMeta(Document, kw_only=True):
    """Metadata of a pod template."""

    labels: dict[str, str] = {}


class Template(Document, kw_only=True):
    """A pod template."""

    metadata: TemplateMeta = TemplateMeta()
    spec: PodSpec = PodSpec()


class ClaimTemplate(Document, kw_only=True):
    """A volume claim template: its name makes the claims' names."""

    metadata: Gate


class Ordinals(Document, kw_only=True):
    """Where a StatefulSet begins to count."""

    start: Count = 0


class WorkloadSpec(Document, kw_only=True):
    """Of the spec of a controller of pods."""

    replicas: Count | None = None
    parallelism: Count | None = None
    completions: Count | None = None
    template: Template | None = None
    volume_claim_templates: list[ClaimTemplate] = []
    ordinals: Ordinals = Ordinals()


class WorkloadDoc(Document, kw_only=True):
    """A controller of pods; without a spec when it was asked for as metadata only."""

    metadata: Meta
    spec: WorkloadSpec = WorkloadSpec()


class MetadataDoc(Document, kw_only=True):
    """An object of which only the metadata is read."""

    metadata: Meta


class ClaimSpec(Document, kw_only=True):
    """Of a claim's spec."""

    volume_name: str = ""
    storage_class_name: str = ""


class Phase(Document, kw_only=True):
    """A status of which only the phase is read."""

    phase: str = ""


class ClaimDoc(Document, kw_only=True):
    """A PersistentVolumeClaim."""

    metadata: Meta
    spec: ClaimSpec = ClaimSpec()
    status: Phase = Phase()


class VolumeAffinity(Document, kw_only=True):
    """Node affinity of a volume."""

    required: NodeTerms | None = None


class ClaimReference(Document, kw_only=True):
    """The claim that a volume is bound to."""

    namespace: str = ""
    name: str = ""


class VolumeSpec(Document, kw_only=True):
    """Of a volume's spec."""

    node_affinity: VolumeAffinity = VolumeAffinity()
    claim_ref: ClaimReference | None = None


class VolumeDoc(Document, kw_only=True):
    """A PersistentVolume."""

    metadata: Meta
    spec: VolumeSpec = VolumeSpec()
    status: Phase = Phase()


class StorageClassDoc(Document, kw_only=True):
    """A StorageClass."""

    metadata: Meta
    provisioner: str = ""
    volume_binding_mode: str = "Immediate"


class Block(Document, kw_only=True):
    """A block of addresses."""

    cidr: str
    except_: list[str] = msgspec.field(default_factory=list, name="except")


class Peer(Document, kw_only=True):
    """A peer of a policy's rule."""

    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    ip_block: Block | None = None


class PolicyPortDoc(Document, kw_only=True):
    """A port of a policy's rule."""

    protocol: str = "TCP"
    port: int | str | None = None
    end_port: Count | None = None


class EgressRule(Document, kw_only=True):
    """A rule of egress."""

    to: list[Peer] = []
    ports: list[PolicyPortDoc] = []


class PolicySpec(Document, kw_only=True):
    """Of a policy's spec; that egress is absent says something if policyTypes is, too."""

    pod_selector: Selector = Selector()
    policy_types: list[str] | None = None
    egress: list[EgressRule] | None = None


class PolicyDoc(Document, kw_only=True):
    """A NetworkPolicy."""

    metadata: Meta
    spec: PolicySpec = PolicySpec()


class BudgetSpec(Document, kw_only=True):
    """Of a budget's spec."""

    selector: Selector | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None


class BudgetStatus(Document, kw_only=True):
    """Of a budget's status."""

    observed_generation: int = 0
    disruptions_allowed: Count = 0
    current_healthy: Count = 0
    desired_healthy: Count = 0
    expected_pods: Count = 0


class BudgetDoc(Document, kw_only=True):
    """A PodDisruptionBudget."""

    metadata: Meta
    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus | None = None


class ServiceSpec(Document, kw_only=True):
    """Of a Service's spec."""

    selector: dict[str, str] = {}
    cluster_i_ps: list[str] = msgspec.field(default_factory=list, name="clusterIPs")


class ServiceDoc(Document, kw_only=True):
    """A Service."""

    metadata: Meta
    spec: ServiceSpec = ServiceSpec()


class EndpointPort(Document, kw_only=True):
    """A port of an EndpointSlice."""

    name: str | None = None
    protocol: str = "TCP"
    port: Count | None = None


class EndpointConditions(Document, kw_only=True):
    """Whether an endpoint takes traffic; not said means that it does."""

    ready: bool | None = None


class Endpoint(Document, kw_only=True):
    """An endpoint."""

    addresses: list[str] = []
    conditions: EndpointConditions = EndpointConditions()


class EndpointSliceDoc(Document, kw_only=True):
    """An EndpointSlice."""

    metadata: Meta
    endpoints: list[Endpoint] | None = None
    ports: list[EndpointPort] | None = None


class QuotaStatus(Document, kw_only=True):
    """Of a quota's status."""

    hard: Quantities = {}
    used: Quantities = {}


class QuotaSpec(Document, kw_only=True):
    """Of a quota's spec."""

    hard: Quantities = {}


class QuotaDoc(Document, kw_only=True):
    """A ResourceQuota."""

    metadata: Meta
    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()


class LimitRangeItem(Document, kw_only=True):
    """A limit of a LimitRange."""

    type: str
    default: Quantities = {}
    default_request: Quantities = {}


class LimitRangeSpec(Document, kw_only=True):
    """Of a LimitRange's spec."""

    limits: list[LimitRangeItem] = []


class LimitRangeDoc(Document, kw_only=True):
    """A LimitRange."""

    metadata: Meta
    spec: LimitRangeSpec = LimitRangeSpec()


class NodeMetricsDoc(Document, kw_only=True):
    """Usage of a node."""

    metadata: Meta
    timestamp: str | None = None
    usage: Quantities = {}


class ContainerMetrics(Document, kw_only=True):
    """Usage of a container."""

    name: str = ""
    usage: Quantities = {}


class PodMetricsDoc(Document, kw_only=True):
    """Usage of a pod, by container."""

    metadata: Meta
    timestamp: str | None = None
    containers: list[ContainerMetrics] = []
