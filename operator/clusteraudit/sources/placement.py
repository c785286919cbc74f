"""From a pod's spec to what its template asks of nodes and of other pods."""

from collections.abc import Iterable, Iterator

from clusteraudit.model.constraints import Disk, HostPort, PodTerm, Spread
from clusteraudit.model.selectors import (
    Labels,
    LabelSelector,
    NodeSelector,
    Requirement,
    requirement,
)
from clusteraudit.sources import documents as docs
from clusteraudit.sources import scheduling
from clusteraudit.sources.convert import node_selector, selector
from clusteraudit.sources.parts import Selector
from clusteraudit.sources.volumes import MIGRATED


def node_affinity(affinity: scheduling.Required) -> NodeSelector | None:
    """Required terms of node affinity, None where there are none."""
    required = affinity.required_during_scheduling_ignored_during_execution
    return node_selector(required) if required else None


def pod_terms(terms: scheduling.PodTerms, labels: Labels) -> tuple[PodTerm, ...]:
    """Required terms, with the label keys that the API server merges into their selectors."""
    return tuple(
        PodTerm(
            topology_key=term.topology_key,
            selector=_merged(term.label_selector, _keyed(term, labels)),
            namespaces=tuple(sorted(term.namespaces)),
            namespace_selector=selector(term.namespace_selector)
            if term.namespace_selector
            else None,
        )
        for term in terms.required_during_scheduling_ignored_during_execution
    )


def _keyed(term: scheduling.PodTermDoc, labels: Labels) -> Iterator[Requirement]:
    yield from _same(term.match_label_keys, "In", labels)
    yield from _same(term.mismatch_label_keys, "NotIn", labels)


def _same(keys: Iterable[str], operator: str, labels: Labels) -> Iterator[Requirement]:
    """Keys of which the pod has no label say nothing."""
    for key in keys:
        value = labels.get(key)
        if value is not None:
            yield requirement(key, operator, (value,))


def _merged(document: Selector | None, more: Iterable[Requirement]) -> LabelSelector | None:
    """A null selector stays null: it selects no pod (`registry/core/pod/strategy.go`).

    A pod that is stored has its keys merged already; it may have other labels by now.
    """
    if document is None:
        return None
    own = selector(document)
    named = {one.key for one in own.requirements}
    return LabelSelector((*own.requirements, *(one for one in more if one.key not in named)))


def spread(constraints: Iterable[scheduling.SpreadDoc], labels: Labels) -> tuple[Spread, ...]:
    """Hard constraints; others only order nodes."""
    return tuple(
        Spread(
            topology_key=one.topology_key,
            max_skew=one.max_skew,
            selector=_merged(one.label_selector, _same(one.match_label_keys, "In", labels)),
            min_domains=1 if one.min_domains is None else one.min_domains,
            honor_affinity=one.node_affinity_policy == "Honor",
            honor_taints=one.node_taints_policy == "Honor",
        )
        for one in constraints
        if one.when_unsatisfiable == "DoNotSchedule"
    )


def host_ports(spec: docs.PodSpec) -> tuple[HostPort, ...]:
    """Ports of containers that run on, on the node; on its network all are (`GetHostPorts`)."""
    running = (*(one for one in spec.init_containers if _sidecar(one)), *spec.containers)
    ports = (
        HostPort(number, port.protocol, port.host_ip or HostPort(0).ip)
        for container in running
        for port in container.ports
        if (number := port.host_port or (port.container_port if spec.host_network else 0))
    )
    return tuple(dict.fromkeys(ports))


def _sidecar(container: docs.Container) -> bool:
    return container.restart_policy == "Always"


def disks(spec: docs.PodSpec) -> tuple[Disk, ...]:
    """Disks that the pod names itself; of Amazon's, no two pods on a node may have the same."""
    return tuple(disk for volume in spec.volumes for disk in _disks(volume))


def _disks(volume: docs.Volume) -> Iterator[Disk]:
    if one := volume.gce_persistent_disk:
        yield Disk("gcePersistentDisk", (one.pd_name,), read_only=one.read_only)
    if one := volume.aws_elastic_block_store:
        yield Disk("awsElasticBlockStore", (one.volume_id,))
    if one := volume.iscsi:
        yield Disk("iscsi", (one.iqn,), read_only=one.read_only)
    if one := volume.rbd:
        monitors = tuple(sorted(one.monitors))
        yield Disk("rbd", (one.pool or "rbd", one.image), monitors, one.read_only)


def features(spec: docs.PodSpec) -> Iterator[str]:
    """Features that its node must declare (component-helpers `nodedeclaredfeatures/features`)."""
    containers = (*spec.containers, *spec.init_containers)
    rules = (rule for one in containers for rule in one.restart_policy_rules)
    if any(rule.action == "RestartAllContainers" for rule in rules):
        yield "RestartAllContainersOnContainerExits"
    if spec.host_network and not spec.host_users:
        yield "UserNamespacesHostNetworkSupport"
    if any(mount.bind_mount_options for one in containers for mount in one.volume_mounts):
        yield "VolumeBindMountOptions"


def unmodelled(spec: docs.PodSpec) -> Iterator[str]:
    """Filters that could refuse the pod and are not evaluated, by the scheduler's names."""
    if spec.resource_claims:
        yield "DynamicResources"
    if spec.scheduling_group:
        yield "GangScheduling"
    if any(getattr(volume, kind) for volume in spec.volumes for kind in MIGRATED):
        yield "NodeVolumeLimits"
    if spec.scheduler_name not in {"", "default-scheduler"}:
        yield f"Scheduler {spec.scheduler_name}"
