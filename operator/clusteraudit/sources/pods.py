"""From a pod's spec to what pods of one workload have in common, and to pods never made."""

from collections.abc import Iterator
from sys import intern

from clusteraudit.model.rows import ContainerPort, PodTemplate, Ref, amount_of
from clusteraudit.model.selectors import equal_to
from clusteraudit.model.tolerations import Toleration
from clusteraudit.sources import amounts, placement, scheduling
from clusteraudit.sources import documents as docs
from clusteraudit.sources.containers import unlimited, unrequested
from clusteraudit.sources.convert import labels
from clusteraudit.sources.shared import shared

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
    own = labels(document.metadata.labels)
    return PodTemplate(
        labels=own,
        owner=None if static else owner,
        requests=shared(amounts.requests(asked, placed)),
        limits=shared(limits),
        memory_request=memory,
        memory_capped=amounts.memory_capped(asked, amount_of(limits, "memory"), memory),
        ephemeral_request=amounts.eviction_request(asked, status, "ephemeral-storage"),
        unrequested=tuple(unrequested(spec)),
        unlimited=unlimited(spec),
        tolerations=shared(tuple(_toleration(one) for one in spec.tolerations)),
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
        qos=intern(status.qos_class or amounts.qos_class(asked)),
        static=static,
        host_network=spec.host_network,
        dns_policy=intern(spec.dns_policy),
        ports=shared(tuple(_ports(spec))),
        unmodelled=tuple(placement.unmodelled(spec)),
        local_data=any(one.empty_dir is not None for one in spec.volumes),
        grace=spec.termination_grace_period_seconds,
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
