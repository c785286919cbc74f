"""From a pod's spec to what pods of one workload have in common, and to pods never made."""

from collections.abc import Iterable, Iterator

from clusteraudit.model.requests import (
    Billionths,
    Share,
    add,
    aggregate,
    defaulted,
    exact,
    raise_to,
    rounded,
    with_pod_level,
)
from clusteraudit.model.rows import Amounts, ContainerPort, PodTemplate, Ref, amount_of
from clusteraudit.model.selectors import equal_to
from clusteraudit.model.tolerations import Toleration
from clusteraudit.sources import documents as docs
from clusteraudit.sources import placement, scheduling
from clusteraudit.sources.containers import unlimited, unrequested
from clusteraudit.sources.convert import labels
from clusteraudit.sources.feed import TranslateError

_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
"""Priorities of the classes that every cluster has; a template names its class only."""


def template_of(document: docs.PodDoc | docs.Template, owner: Ref | None) -> PodTemplate:
    """The template of a pod, or of a workload's pods; raises TranslateError."""
    spec, status = document.spec, getattr(document, "status", docs.PodStatus())
    annotations = getattr(document.metadata, "annotations", docs.Annotations())
    static = annotations.mirror is not None or (owner is not None and owner.kind == "Node")
    shares, own = _shares(spec), labels(document.metadata.labels)
    return PodTemplate(
        labels=own,
        owner=None if static else owner,
        requests=_effective(spec, status, shares),
        limits=_limits(spec),
        memory_request=_eviction_request(spec, shares),
        memory_limited=_limited(spec),
        unrequested=tuple(unrequested(spec)),
        unlimited=unlimited(spec),
        tolerations=tuple(_toleration(one) for one in spec.tolerations),
        node_selector=equal_to(tuple(sorted(spec.node_selector.items()))),
        node_affinity=placement.node_affinity(spec.affinity.node_affinity),
        node_name=spec.node_name if isinstance(document, docs.Template) else "",
        affinity=placement.pod_terms(spec.affinity.pod_affinity, own),
        anti_affinity=placement.pod_terms(spec.affinity.pod_anti_affinity, own),
        spread=placement.spread(spec.topology_spread_constraints, own),
        host_ports=placement.host_ports(spec),
        disks=placement.disks(spec),
        features=tuple(placement.features(spec)),
        ephemeral=sum(one.ephemeral is not None for one in spec.volumes),
        preempts=spec.preemption_policy != "Never",
        priority=_priority(spec),
        qos=status.qos_class or qos_class(spec),
        static=static,
        host_network=spec.host_network,
        dns_policy=spec.dns_policy,
        ports=tuple(_ports(spec)),
        unmodelled=tuple(placement.unmodelled(spec)),
        local_data=any(one.empty_dir is not None for one in spec.volumes),
    )


def ephemeral_claims(name: str, spec: docs.PodSpec) -> Iterator[str]:
    """Claims that generic ephemeral volumes make, named after pod and volume."""
    return (f"{name}-{volume.name}" for volume in spec.volumes if volume.ephemeral is not None)


def _toleration(one: scheduling.TolerationDoc) -> Toleration:
    return Toleration(one.key, one.operator, one.value, one.effect, one.toleration_seconds)


def _priority(spec: docs.PodSpec) -> int:
    if spec.priority is not None:
        return spec.priority
    return _CLASSES.get(spec.priority_class_name, 0)


def _ports(spec: docs.PodSpec) -> Iterator[ContainerPort]:
    for container in (*spec.containers, *spec.init_containers):
        for port in container.ports:
            yield ContainerPort(port.name, port.protocol, port.container_port)


# Requests


def _requests(resources: docs.Resources) -> Billionths:
    found = defaulted(exact(resources.requests), exact(resources.limits))
    for name, value in found.items():
        if value < 0:
            raise TranslateError("InvalidQuantity", f"the request of {name} is negative")
    return found


def _shares(spec: docs.PodSpec) -> list[Share]:
    app = [Share(_requests(one.resources)) for one in spec.containers]
    init = [
        Share(_requests(one.resources), init=True, sidecar=one.restart_policy == "Always")
        for one in spec.init_containers
    ]
    return [*app, *init]


def _effective(spec: docs.PodSpec, status: docs.PodStatus, shares: list[Share]) -> Amounts:
    """As the scheduler sums them: while a pod is resized, the largest of what is said of it."""
    infeasible = any(
        one.type == "PodResizePending" and one.reason == "Infeasible" for one in status.conditions
    )
    total: Billionths = {} if infeasible else aggregate(shares)
    if spec.node_name:
        for actual in _resized(spec, status, shares):
            raise_to(total, aggregate(actual))
    total = with_pod_level(total, _requests(spec.resources) if spec.resources else None)
    return rounded(add(dict(total), exact(spec.overhead)))


def _resized(
    spec: docs.PodSpec, status: docs.PodStatus, shares: list[Share]
) -> Iterator[list[Share]]:
    """What the kubelet actuated, then what it allocated, where the status tells."""
    known = {one.name: one for one in (*status.container_statuses, *status.init_container_statuses)}
    names = [one.name for one in (*spec.containers, *spec.init_containers)]
    actuated = {n: exact(s.resources.requests) for n, s in known.items() if s.resources}
    allocated = {n: exact(s.allocated_resources) for n, s in known.items()}
    for source in (actuated, allocated):
        if any(source.get(name) for name in names):
            yield [
                Share(source.get(name) or share.requests, share.init, share.sidecar)
                for name, share in zip(names, shares, strict=True)
            ]


def _limits(spec: docs.PodSpec) -> Amounts:
    """Effective limits; overhead counts where there is a limit (`helpers.go`, `PodLimits`)."""
    app = [Share(exact(one.resources.limits)) for one in spec.containers]
    init = [
        Share(exact(one.resources.limits), init=True, sidecar=one.restart_policy == "Always")
        for one in spec.init_containers
    ]
    total = with_pod_level(
        aggregate([*app, *init]), exact(spec.resources.limits) if spec.resources else None
    )
    overhead = {name: value for name, value in exact(spec.overhead).items() if total.get(name)}
    return rounded(add(dict(total), overhead))


def _eviction_request(spec: docs.PodSpec, shares: list[Share]) -> int:
    """Bytes of memory that the kubelet compares usage with: spec only (`eviction/helpers.go`)."""
    total = with_pod_level(aggregate(shares), _requests(spec.resources) if spec.resources else None)
    if not total.get("memory"):
        return 0
    return amount_of(rounded(add(dict(total), exact(spec.overhead))), "memory")


def _limited(spec: docs.PodSpec) -> bool:
    """Whether every container's memory limit is its request: usage cannot exceed it."""
    containers = (*spec.containers, *spec.init_containers)
    return bool(containers) and all(
        0 < (exact(one.resources.limits).get("memory") or 0) == _requests(one.resources)["memory"]
        for one in containers
    )


# QoS


def qos_class(spec: docs.PodSpec) -> str:
    """The QoS class as the API server sets it (`pkg/apis/core/helper/qos/qos.go`)."""
    if spec.resources is not None:
        parts: Iterable[docs.Resources] = [spec.resources]
    else:
        parts = [one.resources for one in (*spec.containers, *spec.init_containers)]
    requests, limits, guaranteed = Billionths(), Billionths(), True
    for part in parts:
        limited = _compute(exact(part.limits))
        add(limits, limited)
        add(requests, _compute(defaulted(exact(part.requests), exact(part.limits))))
        guaranteed = guaranteed and limited.keys() == {"cpu", "memory"}
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


def _compute(amounts: Billionths) -> Billionths:
    return {name: amounts[name] for name in ("cpu", "memory") if amounts.get(name, 0) > 0}
