"""From a pod's spec to what pods of one workload have in common, and to pods never made."""

from collections.abc import Iterator

from clusteraudit.model.rows import ContainerPort, PodTemplate, Ref, amount_of
from clusteraudit.model.selectors import NodeSelector, equal_to
from clusteraudit.model.tolerations import Toleration
from clusteraudit.sources import amounts
from clusteraudit.sources import documents as docs
from clusteraudit.sources.containers import unlimited, unrequested
from clusteraudit.sources.convert import labels, node_selector

_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
"""Priorities of the classes that every cluster has; a template names its class only."""


def template_of(document: docs.PodDoc | docs.Template, owner: Ref | None) -> PodTemplate:
    """The template of a pod, or of a workload's pods; raises TranslateError."""
    spec, status = document.spec, getattr(document, "status", docs.PodStatus())
    asked, placed = amounts.asked(spec), status if spec.node_name else None
    limits = amounts.limits(asked, placed)
    memory = amounts.eviction_request(asked, status, "memory")
    annotations = getattr(document.metadata, "annotations", docs.Annotations())
    static = annotations.mirror is not None or (owner is not None and owner.kind == "Node")
    return PodTemplate(
        labels=labels(document.metadata.labels),
        owner=None if static else owner,
        requests=amounts.requests(asked, placed),
        limits=limits,
        memory_request=memory,
        memory_capped=amounts.memory_capped(asked, amount_of(limits, "memory"), memory),
        ephemeral_request=amounts.eviction_request(asked, status, "ephemeral-storage"),
        unrequested=tuple(unrequested(spec)),
        unlimited=unlimited(spec),
        tolerations=tuple(_toleration(one) for one in spec.tolerations),
        node_selector=equal_to(tuple(sorted(spec.node_selector.items()))),
        node_affinity=_affinity(spec.affinity.node_affinity),
        priority=_priority(spec),
        qos=status.qos_class or amounts.qos_class(asked),
        static=static,
        host_network=spec.host_network,
        dns_policy=spec.dns_policy,
        ports=tuple(_ports(spec)),
        unmodelled=tuple(_unmodelled(spec)),
        local_data=any(one.empty_dir is not None for one in spec.volumes),
    )


def ephemeral_claims(name: str, spec: docs.PodSpec) -> Iterator[str]:
    """Claims that generic ephemeral volumes make, named after pod and volume."""
    return (f"{name}-{volume.name}" for volume in spec.volumes if volume.ephemeral is not None)


def _affinity(affinity: docs.Required) -> NodeSelector | None:
    required = affinity.required_during_scheduling_ignored_during_execution
    return node_selector(required) if required else None


def _toleration(one: docs.TolerationDoc) -> Toleration:
    return Toleration(one.key, one.operator, one.value, one.effect, one.toleration_seconds)


def _priority(spec: docs.PodSpec) -> int:
    if spec.priority is not None:
        return spec.priority
    return _CLASSES.get(spec.priority_class_name, 0)


def _ports(spec: docs.PodSpec) -> Iterator[ContainerPort]:
    for container in (*spec.containers, *spec.init_containers):
        for port in container.ports:
            yield ContainerPort(port.name, port.protocol, port.container_port)


def _unmodelled(spec: docs.PodSpec) -> Iterator[str]:
    """Filters that could refuse the pod and are not evaluated, by the scheduler's names."""
    if any(one.when_unsatisfiable == "DoNotSchedule" for one in spec.topology_spread_constraints):
        yield "PodTopologySpread"
    affinity = spec.affinity
    terms = (affinity.pod_affinity, affinity.pod_anti_affinity)
    if any(one.required_during_scheduling_ignored_during_execution for one in terms):
        yield "InterPodAffinity"
    if spec.resource_claims:
        yield "DynamicResources"
    if spec.host_network or any(p.host_port for c in spec.containers for p in c.ports):
        yield "NodePorts"
    if spec.scheduler_name not in {"", "default-scheduler"}:
        yield f"Scheduler {spec.scheduler_name}"
