"""From a document to a row: pure, one function per kind.

Adding a kind is a document, a row and a function here.
"""

from collections.abc import Callable, Iterable, Mapping
from sys import intern

import msgspec

from clusteraudit.model import rows
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.provisioning import CSINodeRow
from clusteraudit.model.quantity import QuantityError, base
from clusteraudit.model.requests import Billionths, billionths, exact, rounded
from clusteraudit.model.rows import Ref, Row
from clusteraudit.model.selectors import LabelSelector, SelectorError, equal_to
from clusteraudit.model.tolerations import Taint
from clusteraudit.sources import documents as docs
from clusteraudit.sources import objects, storage, volumes
from clusteraudit.sources.containers import pressures, troubles, unready_since
from clusteraudit.sources.convert import amounts, labels, owner, seconds, selector
from clusteraudit.sources.feed import TranslateError
from clusteraudit.sources.pods import ephemeral_claims, template_of
from clusteraudit.sources.shared import shared
from clusteraudit.sources.twins import Twins

_DNS_PORTS = frozenset({53, 5353})
_TWINS = Twins()


def node(document: docs.NodeDoc) -> Row:
    """A node."""
    meta = document.metadata
    return rows.NodeRow(
        "",
        meta.name,
        labels=labels(meta.labels),
        taints=tuple(
            Taint(one.key, one.value, one.effect, seconds(one.time_added))
            for one in document.spec.taints
        ),
        unschedulable=document.spec.unschedulable,
        ready=_condition(document.status.conditions, "Ready"),
        pressure=pressures(document.status.conditions),
        allocatable=amounts(document.status.allocatable),
        capacity=amounts(document.status.capacity),
        features=tuple(sorted(document.status.declared_features)),
    )


def _condition(conditions: list[docs.Condition], kind: str) -> bool | None:
    for one in conditions:
        if one.type == kind:
            return one.status == "True"
    return None


def namespace(document: docs.MetadataDoc) -> Row:
    """A namespace; the label of its name is on every one that a server holds."""
    meta = document.metadata
    named = {"kubernetes.io/metadata.name": meta.name, **meta.labels}
    return rows.NamespaceRow("", meta.name, labels=labels(named))


def pod(document: docs.PodDoc) -> Row:
    """A pod."""
    meta, spec, status = document.metadata, document.spec, document.status
    controller = owner(meta)
    waits = next((one for one in status.conditions if one.type == "PodScheduled"), None)
    unschedulable = waits and waits.status == "False" and waits.reason == "Unschedulable"
    return rows.PodRow(
        meta.namespace,
        meta.name,
        template=_TWINS.template(document, controller, lambda: template_of(document, controller)),
        phase=status.phase or "Pending",
        node=spec.node_name,
        nominated=status.nominated_node_name,
        claims=_claims(meta.name, spec),
        ready=bool(_condition(status.conditions, "Ready")),
        terminating=meta.deletion_timestamp is not None,
        gates=tuple(one.name for one in spec.scheduling_gates),
        unschedulable_since=seconds(waits.last_transition_time or meta.creation_timestamp)
        if waits and unschedulable
        else None,
        unready_since=unready_since(status),
        troubles=troubles(spec, status),
    )


def _claims(name: str, spec: docs.PodSpec) -> tuple[str, ...]:
    named = (
        one.persistent_volume_claim.claim_name
        for one in spec.volumes
        if one.persistent_volume_claim
    )
    return tuple(map(intern, (*named, *ephemeral_claims(name, spec))))


def workload(document: docs.WorkloadDoc, kind: str) -> Row:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet or Job."""
    meta, spec = document.metadata, document.spec
    itself = Ref(KINDS[kind].api_version, kind, meta.namespace, meta.name)
    return rows.WorkloadRow(
        meta.namespace,
        meta.name,
        kind=kind,
        owner=owner(meta),
        replicas=replicas(spec, kind),
        template=template_of(spec.template, itself) if spec.template else None,
        ordered=kind == "StatefulSet" and spec.pod_management_policy != "Parallel",
    )


def replicas(spec: docs.WorkloadSpec, kind: str) -> int | None:
    """How many pods are wanted; None for a DaemonSet and where the spec was not read."""
    if spec.template is None or kind == "DaemonSet":
        return None
    if kind != "Job":
        return 1 if spec.replicas is None else spec.replicas
    if spec.suspend:
        return 0
    parallel = 1 if spec.parallelism is None else spec.parallelism
    return parallel if spec.completions is None else min(parallel, spec.completions)


def policy(document: objects.PolicyDoc) -> Row:
    """A NetworkPolicy; without policyTypes it isolates egress if it says anything of it."""
    meta, spec = document.metadata, document.spec
    types = spec.policy_types
    if not types:
        types = ["Ingress", "Egress"] if spec.egress is not None else ["Ingress"]
    return rows.PolicyRow(
        meta.namespace,
        meta.name,
        selector=selector(spec.pod_selector),
        ingress="Ingress" in types,
        egress="Egress" in types,
        egress_rules=tuple(_rule(rule) for rule in spec.egress or ()),
    )


def _rule(rule: objects.EgressRule) -> rows.PolicyRule:
    made = rows.PolicyRule(
        peers=tuple(_peer(peer) for peer in rule.to),
        ports=tuple(_port(port) for port in rule.ports),
    )
    return shared(made)


def _peer(peer: objects.Peer) -> rows.PolicyPeer:
    return rows.PolicyPeer(
        pods=selector(peer.pod_selector) if peer.pod_selector else None,
        namespaces=selector(peer.namespace_selector) if peer.namespace_selector else None,
        cidr=peer.ip_block.cidr if peer.ip_block else "",
        excepted=tuple(peer.ip_block.except_) if peer.ip_block else (),
    )


def _port(port: objects.PolicyPortDoc) -> rows.PolicyPort:
    named = port.port if isinstance(port.port, str) else ""
    number = port.port if isinstance(port.port, int) else None
    return rows.PolicyPort(port.protocol, number, port.end_port, named)


def budget(document: objects.BudgetDoc) -> Row:
    """A PodDisruptionBudget; a status of another generation says nothing."""
    meta, spec, status = document.metadata, document.spec, document.status
    current = status is not None and 0 < meta.generation == status.observed_generation
    return rows.BudgetRow(
        meta.namespace,
        meta.name,
        selector=selector(spec.selector) if spec.selector else None,
        min_available=_int_or_percent(spec.min_available),
        max_unavailable=_int_or_percent(spec.max_unavailable),
        disruptions_allowed=status.disruptions_allowed if status and current else None,
        current_healthy=status.current_healthy if status and current else None,
        desired_healthy=status.desired_healthy if status and current else None,
        expected_pods=status.expected_pods if status and current else None,
        always_allow=spec.unhealthy_pod_eviction_policy == "AlwaysAllow",
        sync_failed=bool(status and any(_sync_failed(one) for one in status.conditions)),
        disrupted=len(status.disrupted_pods) if status and current else 0,
    )


def _sync_failed(condition: docs.Condition) -> bool:
    return condition.type == "DisruptionAllowed" and condition.reason == "SyncFailed"


def _int_or_percent(value: int | str | None) -> str | None:
    return None if value is None else str(value)


def service(document: objects.ServiceDoc) -> Row:
    """A Service; of one that is a name outside, no controller heeds the selector."""
    meta, outside = document.metadata, document.spec.type == "ExternalName"
    wanted = {} if outside else document.spec.selector
    return rows.ServiceRow(
        meta.namespace,
        meta.name,
        labels=labels(meta.labels),
        selector=LabelSelector(equal_to(tuple(sorted(wanted.items())))) if wanted else None,
        created=seconds(meta.creation_timestamp),
        cluster_ips=tuple(document.spec.cluster_i_ps),
    )


def endpoint_slice(document: objects.EndpointSliceDoc) -> Row:
    """An EndpointSlice."""
    meta, endpoints = document.metadata, document.endpoints or []
    ports = tuple(
        rows.ContainerPort(one.name or "", one.protocol, one.port)
        for one in document.ports or ()
        if one.port is not None
    )
    serving = [one for one in endpoints if one.conditions.ready is not False]
    serves_dns = any(one.number in _DNS_PORTS for one in ports)
    return rows.EndpointSliceRow(
        meta.namespace,
        meta.name,
        service=meta.labels.get("kubernetes.io/service-name", ""),
        ports=ports,
        ready=len(serving),
        total=len(endpoints),
        addresses=tuple(sorted(ip for one in serving for ip in one.addresses))
        if serves_dns
        else (),
    )


def quota(document: objects.QuotaDoc) -> Row:
    """A ResourceQuota."""
    return rows.QuotaRow(
        document.metadata.namespace,
        document.metadata.name,
        hard=amounts(document.status.hard or document.spec.hard),
        used=amounts(document.status.used),
    )


def limit_range(document: objects.LimitRangeDoc) -> Row:
    """A LimitRange: what it gives to containers."""
    requests: Billionths = {}
    limits: Billionths = {}
    for item in document.spec.limits:
        if item.type == "Container":
            limits |= exact(item.default)
            requests |= {**exact(item.default), **exact(item.default_request)}
    return rows.LimitRangeRow(
        document.metadata.namespace,
        document.metadata.name,
        default_requests=rounded(requests),
        default_limits=rounded(limits),
    )


def node_metrics(document: objects.NodeMetricsDoc) -> Row:
    """Usage of a node."""
    return _usage("", document.metadata.name, (document.usage,), document.timestamp)


def pod_metrics(document: objects.PodMetricsDoc) -> Row:
    """Usage of a pod: the sum of its containers'."""
    meta, used = document.metadata, [one.usage for one in document.containers]
    return _usage(meta.namespace, meta.name, used, document.timestamp)


def _usage(namespace: str, name: str, used: Iterable[objects.Used], at: str | None) -> Row:
    cpu = memory = 0
    for one in used:
        cpu += billionths(one.cpu)
        memory += billionths(one.memory)
    cpu, memory = base("cpu", cpu), base("memory", memory)
    return rows.UsageRow(namespace, name, cpu=cpu, memory=memory, at=seconds(at) or 0)


def _workload(kind: str) -> Callable[[docs.WorkloadDoc], Row]:
    return lambda document: workload(document, kind)


_TABLE: dict[str, tuple[type[docs.ObjectDoc], Callable[..., Row]]] = {
    "Node": (docs.NodeDoc, node),
    "Namespace": (docs.MetadataDoc, namespace),
    "Pod": (docs.PodDoc, pod),
    "PersistentVolumeClaim": (volumes.ClaimDoc, storage.claim),
    "PersistentVolume": (volumes.VolumeDoc, storage.volume),
    "StorageClass": (volumes.StorageClassDoc, storage.storage_class),
    "CSIDriver": (volumes.CsiDriverDoc, storage.csi_driver),
    "CSINode": (volumes.CsiNodeDoc, storage.csi_node),
    "CSIStorageCapacity": (volumes.CapacityDoc, storage.capacity),
    "VolumeAttachment": (volumes.AttachmentDoc, storage.attachment),
    "DeviceClass": (volumes.DeviceClassDoc, storage.device_class),
    "NetworkPolicy": (objects.PolicyDoc, policy),
    "PodDisruptionBudget": (objects.BudgetDoc, budget),
    "Deployment": (docs.WorkloadDoc, _workload("Deployment")),
    "ReplicaSet": (docs.WorkloadDoc, _workload("ReplicaSet")),
    "StatefulSet": (docs.WorkloadDoc, _workload("StatefulSet")),
    "DaemonSet": (docs.WorkloadDoc, _workload("DaemonSet")),
    "Job": (docs.JobDoc, _workload("Job")),
    "Service": (objects.ServiceDoc, service),
    "EndpointSlice": (objects.EndpointSliceDoc, endpoint_slice),
    "ResourceQuota": (objects.QuotaDoc, quota),
    "LimitRange": (objects.LimitRangeDoc, limit_range),
    "NodeMetrics": (objects.NodeMetricsDoc, node_metrics),
    "PodMetrics": (objects.PodMetricsDoc, pod_metrics),
}

DOCUMENTS: Mapping[str, type[docs.ObjectDoc]] = {kind: row[0] for kind, row in _TABLE.items()}
"""The document of each kind."""


_FEW: Mapping[type[Row], tuple[str, ...]] = {
    rows.PodRow: ("namespace", "phase", "node"),
    rows.NodeRow: ("name",),
    CSINodeRow: ("drivers",),
    rows.ServiceRow: ("namespace", "cluster_ips"),
    rows.BudgetRow: ("namespace", "min_available", "max_unavailable"),
    rows.ClaimRow: (
        "namespace",
        "name",
        "phase",
        "storage_class",
        "volume",
        "mode",
        "access_modes",
    ),
    rows.VolumeRow: ("name", "phase", "storage_class", "driver", "mode", "access_modes"),
    rows.EndpointSliceRow: ("namespace", "ports"),
}
"""Fields whose values recur: rows share them."""


def _share(row: Row) -> Row:
    for field in _FEW.get(type(row), ("namespace",)):
        value = getattr(row, field)
        held = intern(value) if isinstance(value, str) else shared(value)
        msgspec.structs.force_setattr(row, field, held)
    return row


def translate(kind: str, document: docs.ObjectDoc) -> Row:
    """The row of a document; raises TranslateError, which names what cannot be evaluated."""
    try:
        return _share(_TABLE[kind][1](document))
    except QuantityError as error:
        raise TranslateError("InvalidQuantity", str(error)) from None
    except SelectorError as error:
        raise TranslateError("InvalidSelector", str(error)) from None
