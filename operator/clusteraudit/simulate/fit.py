"""Doors by which rules ask the placement engine: kept, made anew when what they read changes."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import ClaimRow, PodRow, PodTemplate, Ref
from clusteraudit.simulate.columns import REFUSED
from clusteraudit.simulate.faces import bare
from clusteraudit.simulate.filters.kit import Constraints, Refusal, gist
from clusteraudit.simulate.filters.node_resources_fit import NAME as NODE_RESOURCES_FIT
from clusteraudit.simulate.schedule import static_levels, tally
from clusteraudit.simulate.snapshot import snapshot
from clusteraudit.simulate.templates import beyond


@derived
def eligible(cluster: Cluster, constraints: Constraints) -> frozenset[str]:
    """Nodes that no filter refuses which a template and a node decide: room and volumes aside."""
    columns = bare(cluster)
    able = np.flatnonzero(static_levels(columns, constraints) != REFUSED)
    return frozenset(columns.names[at] for at in able)


@derived
def unschedulable(cluster: Cluster) -> tuple[tuple[Ref, PodTemplate, int], ...]:
    """How many pods of each template the scheduler finds no node for, and who speaks for them."""
    pods: dict[int, list[PodRow]] = {}
    for pod in cluster.bucket(PodRow, "unplaced", at=True):
        if pod.unschedulable_since is not None:
            known = pod.template.owner is not None
            pods.setdefault(id(pod.template if known else pod), []).append(pod)
    return tuple((cluster.owner(of[0]), of[0].template, len(of)) for of in pods.values())


def volumes_of(cluster: Cluster, pod: PodRow) -> tuple[str, ...]:
    """Volumes that the pod's claims are bound to."""
    return bound(cluster, pod.namespace, pod.claims)


def bound(cluster: Cluster, namespace: str, claims: Iterable[str]) -> tuple[str, ...]:
    """Volumes that these claims are bound to."""
    names = set[str]()
    for name in claims:
        claim = cluster.find(ClaimRow, "PersistentVolumeClaim", namespace, name)
        if claim and claim.volume:
            names.add(claim.volume)
    return tuple(sorted(names) if len(names) > 1 else names)


def refusals(cluster: Cluster, pod: PodRow) -> tuple[tuple[str, int], ...]:
    """How many nodes refuse the pod, by the first filter that does; most frequent first."""
    return _refusals(cluster, _alike(cluster, pod))


@derived
def _refusals(cluster: Cluster, pod: PodRow) -> tuple[tuple[str, int], ...]:
    counts = Counter[str]()
    for said, number in tally(snapshot(cluster), pod):
        counts[_words(said)] += number
    return tuple(sorted(counts.items(), key=lambda one: (-one[1], one)))


def _alike(cluster: Cluster, pod: PodRow) -> PodRow:
    """One for all pods of which the filters say the same: none looks at who they are."""
    template = pod.template
    own = pod.on or pod.nominated or pod.claims or pod.gates
    if own or beyond(template) or cluster.group("repelling", ""):
        return pod
    same = PodTemplate(
        requests=template.requests,
        tolerations=template.tolerations,
        node_selector=template.node_selector,
        node_affinity=template.node_affinity,
        node_name=template.node_name,
        features=template.features,
        priority=template.priority,
    )
    return PodRow("", "", template=same)


def _words(refusals: Sequence[Refusal]) -> str:
    """The filter's reason; of resources, all of which too little is free."""
    first = refusals[0]
    if first.filter != NODE_RESOURCES_FIT:
        return gist(first.reason, first.detail)
    return f"too little {' and '.join(one.resource for one in refusals)}"
