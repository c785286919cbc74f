"""Documents of all kinds but nodes, pods and their controllers."""

import msgspec

from clusteraudit.sources.documents import Condition, ObjectDoc
from clusteraudit.sources.parts import Count, Document, Quantities, Quantity, Selector


class Block(Document, frozen=True, kw_only=True):
    """A block of addresses."""

    cidr: str
    except_: list[str] = msgspec.field(default_factory=list, name="except")


class Peer(Document, frozen=True, kw_only=True):
    """A peer of a policy's rule."""

    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    ip_block: Block | None = None


class PolicyPortDoc(Document, frozen=True, kw_only=True):
    """A port of a policy's rule."""

    protocol: str = "TCP"
    port: int | str | None = None
    end_port: Count | None = None


class EgressRule(Document, frozen=True, kw_only=True):
    """A rule of egress."""

    to: list[Peer] = []
    ports: list[PolicyPortDoc] = []


class PolicySpec(Document, frozen=True, kw_only=True):
    """Of a policy's spec; that egress is absent says something if policyTypes is, too."""

    pod_selector: Selector = Selector()
    policy_types: list[str] | None = None
    egress: list[EgressRule] | None = None


class PolicyDoc(ObjectDoc, frozen=True, kw_only=True):
    """A NetworkPolicy."""

    spec: PolicySpec = PolicySpec()


class BudgetSpec(Document, frozen=True, kw_only=True):
    """Of a budget's spec."""

    selector: Selector | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    unhealthy_pod_eviction_policy: str = ""


class BudgetStatus(Document, frozen=True, kw_only=True):
    """Of a budget's status."""

    observed_generation: int = 0
    disruptions_allowed: Count = 0
    current_healthy: Count = 0
    desired_healthy: Count = 0
    expected_pods: Count = 0
    disrupted_pods: dict[str, str] = {}
    conditions: list[Condition] = []


class BudgetDoc(ObjectDoc, frozen=True, kw_only=True):
    """A PodDisruptionBudget."""

    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus | None = None


class ServiceSpec(Document, frozen=True, kw_only=True):
    """Of a Service's spec."""

    type: str = "ClusterIP"
    selector: dict[str, str] = {}
    cluster_i_ps: list[str] = msgspec.field(default_factory=list, name="clusterIPs")


class ServiceDoc(ObjectDoc, frozen=True, kw_only=True):
    """A Service."""

    spec: ServiceSpec = ServiceSpec()


class EndpointPort(Document, frozen=True, kw_only=True):
    """A port of an EndpointSlice."""

    name: str | None = None
    protocol: str = "TCP"
    port: Count | None = None


class EndpointConditions(Document, frozen=True, kw_only=True):
    """Whether an endpoint takes traffic; not said means that it does."""

    ready: bool | None = None


class Endpoint(Document, frozen=True, kw_only=True):
    """An endpoint."""

    addresses: list[str] = []
    conditions: EndpointConditions = EndpointConditions()


class EndpointSliceDoc(ObjectDoc, frozen=True, kw_only=True):
    """An EndpointSlice."""

    endpoints: list[Endpoint] | None = None
    ports: list[EndpointPort] | None = None


class QuotaStatus(Document, frozen=True, kw_only=True):
    """Of a quota's status."""

    hard: Quantities = {}
    used: Quantities = {}


class QuotaSpec(Document, frozen=True, kw_only=True):
    """Of a quota's spec."""

    hard: Quantities = {}


class QuotaDoc(ObjectDoc, frozen=True, kw_only=True):
    """A ResourceQuota."""

    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()


class LimitRangeItem(Document, frozen=True, kw_only=True):
    """A limit of a LimitRange."""

    type: str
    default: Quantities = {}
    default_request: Quantities = {}


class LimitRangeSpec(Document, frozen=True, kw_only=True):
    """Of a LimitRange's spec."""

    limits: list[LimitRangeItem] = []


class LimitRangeDoc(ObjectDoc, frozen=True, kw_only=True):
    """A LimitRange."""

    spec: LimitRangeSpec = LimitRangeSpec()


class Used(Document, frozen=True, kw_only=True):
    """What is used of each resource."""

    cpu: Quantity = 0
    memory: Quantity = 0


class NodeMetricsDoc(ObjectDoc, frozen=True, kw_only=True):
    """Usage of a node."""

    timestamp: str | None = None
    usage: Used = Used()


class ContainerMetrics(Document, frozen=True, kw_only=True):
    """Usage of a container."""

    name: str = ""
    usage: Used = Used()


class PodMetricsDoc(ObjectDoc, frozen=True, kw_only=True):
    """Usage of a pod, by container."""

    timestamp: str | None = None
    containers: list[ContainerMetrics] = []
