"""Doors by which rules ask the placement engine: kept, made anew when what they read changes."""

from collections import Counter
from collections.abc import Sequence

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import ClaimRow, NodeRow, PodRow
from clusteraudit.simulate.filters.kit import Constraints, Refusal, gist
from clusteraudit.simulate.filters.node_resources_fit import NAME as NODE_RESOURCES_FIT
from clusteraudit.simulate.schedule import admits, tally
from clusteraudit.simulate.snapshot import snapshot


@derived
def eligible(cluster: Cluster, constraints: Constraints) -> frozenset[str]:
    """Nodes that no filter refuses which a template and a node decide: room and volumes aside."""
    return frozenset(
        node.name
        for node in cluster.all(NodeRow, "Node")
        if not any(isinstance(one, Refusal) for one in admits(constraints, node))
    )


def volumes_of(cluster: Cluster, pod: PodRow) -> tuple[str, ...]:
    """Volumes that the pod's claims are bound to."""
    claims = (
        cluster.find(ClaimRow, "PersistentVolumeClaim", pod.namespace, name) for name in pod.claims
    )
    return tuple(sorted({claim.volume for claim in claims if claim and claim.volume}))


@derived
def refusals(cluster: Cluster, pod: PodRow) -> tuple[tuple[str, int], ...]:
    """How many nodes refuse the pod, by the first filter that does; most frequent first."""
    counts = Counter[str]()
    for said, number in tally(snapshot(cluster), pod):
        counts[_words(said)] += number
    return tuple(sorted(counts.items(), key=lambda one: (-one[1], one)))


def _words(refusals: Sequence[Refusal]) -> str:
    """The filter's reason; of resources, all of which too little is free."""
    first = refusals[0]
    if first.filter != NODE_RESOURCES_FIT:
        return gist(first.reason, first.detail)
    return f"too little {' and '.join(one.resource for one in refusals)}"
