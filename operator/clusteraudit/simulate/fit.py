"""Where a pod could run: the scheduler's filters that are modelled, each by its plugin's name.

A refusal is sound: no node that is refused here takes the pod. That no filter refuses is only an
upper bound where the pod carries what is not modelled (`PodTemplate.unmodelled`).
Source: kube-scheduler 1.37 `pkg/scheduler/framework/plugins`.
"""

from collections import Counter

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import (
    Amounts,
    ClaimRow,
    NodeRow,
    PodRow,
    PodTemplate,
    VolumeRow,
    amount_of,
)
from clusteraudit.model.selectors import NodeSelector, Requirement
from clusteraudit.model.tolerations import UNSCHEDULABLE, Taint, Toleration, untolerated

SLOTS = "pods"
_BETA = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}


class Constraints(msgspec.Struct, frozen=True, gc=False):
    """What of a template decides where it may run, whatever room there is."""

    node_selector: tuple[Requirement, ...]
    node_affinity: NodeSelector | None
    tolerations: tuple[Toleration, ...]


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a node does not take a pod: the filter, and what it lacks in few words."""

    filter: str
    detail: str


def constraints_of(template: PodTemplate) -> Constraints:
    """The constraints of a template, shared by all that are equal."""
    return Constraints(template.node_selector, template.node_affinity, template.tolerations)


@derived
def free(cluster: Cluster, name: str) -> Amounts:
    """What a node has left by resource, pod slots included; negative where it is overcommitted.

    Terminating pods count; pods that have ended do not (`eventhandlers.go`).
    """
    node = cluster.find(NodeRow, "Node", "", name)
    left = dict(node.allocatable) if node else {}
    pods = cluster.bucket(PodRow, "pods_on", name)
    for pod in pods:
        for resource, amount in pod.template.requests:
            left[resource] = left.get(resource, 0) - amount
    left[SLOTS] = left.get(SLOTS, 0) - len(pods)
    return tuple(sorted(left.items()))


@derived
def eligible(cluster: Cluster, constraints: Constraints) -> frozenset[str]:
    """Nodes that no filter but room and volumes refuses."""
    nodes = cluster.all(NodeRow, "Node")
    return frozenset(node.name for node in nodes if refused(constraints, node) is None)


@derived
def volume_nodes(cluster: Cluster, volume: str) -> frozenset[str] | None:
    """Nodes that a volume can be used on; None where the volume is not known."""
    row = cluster.find(VolumeRow, "PersistentVolume", "", volume)
    if row is None:
        return None
    nodes = cluster.all(NodeRow, "Node")
    return frozenset(node.name for node in nodes if reaches(row, node) is None)


def volumes_of(cluster: Cluster, pod: PodRow) -> tuple[str, ...]:
    """Volumes that the pod's claims are bound to."""
    claims = (
        cluster.find(ClaimRow, "PersistentVolumeClaim", pod.namespace, name) for name in pod.claims
    )
    return tuple(sorted({claim.volume for claim in claims if claim and claim.volume}))


def refused(constraints: Constraints, node: NodeRow) -> Refusal | None:
    """NodeUnschedulable, TaintToleration and NodeAffinity, in this order."""
    cordon = Taint(UNSCHEDULABLE)
    if node.unschedulable and untolerated((cordon,), constraints.tolerations):
        return Refusal("NodeUnschedulable", "cordoned")
    taint = untolerated(node.taints, constraints.tolerations)
    if taint is not None:
        return Refusal("TaintToleration", f"taint {taint}")
    if not _selected(constraints, node):
        return Refusal("NodeAffinity", "node selector or affinity does not match")
    return None


def _selected(constraints: Constraints, node: NodeRow) -> bool:
    affinity = constraints.node_affinity
    return all(one.matches(node.labels) for one in constraints.node_selector) and (
        affinity is None or affinity.matches(node.name, node.labels)
    )


def reaches(volume: VolumeRow, node: NodeRow) -> Refusal | None:
    """VolumeBinding of a bound volume (labels only), and VolumeZone."""
    if volume.affinity is not None and not volume.affinity.matches_labels(node.labels):
        return Refusal("VolumeBinding", "out of reach of its volume")
    if not _in_zone(volume, node):
        return Refusal("VolumeZone", "in another zone than its volume")
    return None


def _in_zone(volume: VolumeRow, node: NodeRow) -> bool:
    """A node without any zone label passes (`volume_zone.go`)."""
    if not any(node.labels.get(key) for key in (*_BETA, *_BETA.values())):
        return True
    return all(_zone(node, key) in values for key, values in volume.zones)


def _zone(node: NodeRow, key: str) -> str | None:
    return node.labels.get(key) or node.labels.get(_BETA.get(key, key))


def lacking(requests: Amounts, left: Amounts) -> tuple[str, ...]:
    """Resources of which a node has too little (NodeResourcesFit); a request of 0 always fits."""
    short = tuple(name for name, amount in requests if amount > max(0, amount_of(left, name)))
    return short if amount_of(left, SLOTS) >= 1 else (SLOTS, *short)


@derived
def refusals(
    cluster: Cluster, template: PodTemplate, volumes: tuple[str, ...]
) -> tuple[tuple[str, int], ...]:
    """How many nodes refuse the pod, by the first reason of each; most frequent first."""
    constraints = constraints_of(template)
    reach = [cluster.find(VolumeRow, "PersistentVolume", "", name) for name in volumes]
    counts = Counter(
        _first_refusal(cluster, template, constraints, [row for row in reach if row], node)
        for node in cluster.all(NodeRow, "Node")
    )
    counts.pop(None, None)
    return tuple(sorted(((str(k), n) for k, n in counts.items()), key=lambda one: (-one[1], one)))


def _first_refusal(
    cluster: Cluster,
    template: PodTemplate,
    constraints: Constraints,
    volumes: list[VolumeRow],
    node: NodeRow,
) -> str | None:
    refusal = refused(constraints, node)
    if refusal:
        return refusal.detail
    short = lacking(template.requests, free(cluster, node.name))
    if short:
        return f"too little {' and '.join(short)}"
    beyond = (reaches(volume, node) for volume in volumes)
    return next((one.detail for one in beyond if one), None)
