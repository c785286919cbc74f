"""Who makes nodes when pods find none, and whether one may be on its way for a pod.

Seen are Karpenter, by the label of its nodes or its API group, and cluster-autoscaler, by its pods.
One whose pods are known and of which none is ready makes nothing. An autoscaler that the provider
runs outside of the cluster is not seen: nodes of its pools may come, and that is not certain.
"""

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import Amounts, NodeRow, PodRow, Ref, VolumeRow, amount_of
from clusteraudit.model.selectors import Labels
from clusteraudit.model.tolerations import Taint
from clusteraudit.simulate.filters.kit import Constraints, Refusal, shape_of
from clusteraudit.simulate.filters.volume_binding import reaches
from clusteraudit.simulate.filters.volume_zone import in_zone
from clusteraudit.simulate.fit import volumes_of
from clusteraudit.simulate.node_zones import zone_of
from clusteraudit.simulate.pools import LABELS
from clusteraudit.simulate.schedule import admits
from clusteraudit.simulate.templates import AUTOSCALER, KARPENTER, templates

FARGATE = "Fargate"
PROVISION_SECONDS = 900
"""After which both give a node up: `--max-node-provision-time`, Karpenter's registration TTL."""

_PROFILE = "eks.amazonaws.com/fargate-profile"
_HOSTNAME = "kubernetes.io/hostname"
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_NODEPOOL = "karpenter.sh/nodepool"
_HOSTED = {
    "cloud.google.com/gke-nodepool": "GKE",
    "kubernetes.azure.com/agentpool": "AKS",
    "doks.digitalocean.com/node-pool": "DigitalOcean",
    "lke.linode.com/pool-id": "Linode",
}
"""Labels of the pools of providers that run an autoscaler of their own, if it is switched on."""

_PASSING = (
    *("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "node.cilium.io/"),
    *("ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler"),
    *("karpenter.sh/disrupted", "karpenter.sh/unregistered"),
)
"""Taints, by how their keys begin, that a node has for a while, and not since it is of a pool."""


class Prospect(msgspec.Struct, frozen=True, gc=False):
    """That a node may be on its way."""

    maker: str
    certain: bool
    """False where it cannot be seen whether anybody makes nodes."""
    known_size: bool
    """A node like one that is here would do; else only Karpenter may choose a larger one."""


class Model(msgspec.Struct, frozen=True, gc=False):
    """What a new node of a pool would be like."""

    node: NodeRow
    maker: str
    certain: bool


@derived
def at_work(cluster: Cluster) -> tuple[tuple[str, bool], ...]:
    """Makers whose pods are known, and whether one of these is ready."""
    ready: dict[str, bool] = {}
    for name, owner in _makers(cluster):
        pods = cluster.bucket(PodRow, "children", owner)
        ready[name] = ready.get(name, False) or any(pod.ready for pod in pods)
    return tuple(sorted(ready.items()))


@derived
def _makers(cluster: Cluster) -> tuple[tuple[str, Ref], ...]:
    found = {(maker, one.owner) for one, maker in templates(cluster).makers.items()}
    return tuple(sorted((name, owner) for name, owner in found if owner))


@derived
def models(cluster: Cluster) -> tuple[Model, ...]:
    """The nodes that may be made, as far as those that are here show: each sort once."""
    makers = dict(at_work(cluster))
    karpenter = makers.get(KARPENTER, cluster.serves("karpenter.sh"))
    found = {
        Model(_new(node, maker[0]), *maker): None
        for node in cluster.all(NodeRow, "Node")
        if (maker := _maker_of(node, makers, karpenter=karpenter))
    }
    return tuple(found)


def _maker_of(
    node: NodeRow, makers: dict[str, bool], *, karpenter: bool
) -> tuple[str, bool] | None:
    """Who would make another node like it, and whether that is certain."""
    if node.labels.get(_CONTROL_PLANE) is not None:
        return None
    if node.labels.get(_NODEPOOL):
        return (KARPENTER, True) if makers.get(KARPENTER, True) else None
    if makers.get(AUTOSCALER):
        return (AUTOSCALER, True)
    if karpenter:
        return (KARPENTER, True)
    hosted = next((name for label, name in _HOSTED.items() if node.labels.get(label)), "")
    return (hosted, False) if hosted else None


def _new(node: NodeRow, maker: str) -> NodeRow:
    """A node as it, without what is its own or passes; of Karpenter's, not the pool of another."""
    others = maker == KARPENTER and not node.labels.get(_NODEPOOL)
    own = {_HOSTNAME, *(LABELS if others else ())}
    labels = Labels(tuple(pair for pair in node.labels.pairs if pair[0] not in own))
    taints = () if others else lasting(node)
    return NodeRow("", "", labels=labels, taints=taints, allocatable=node.allocatable)


def lasting(node: NodeRow) -> tuple[Taint, ...]:
    """Its taints without those that it has for a while only."""
    return tuple(taint for taint in node.taints if not taint.key.startswith(_PASSING))


def prospect(
    cluster: Cluster, pod: PodRow, *, without: frozenset[str] = frozenset()
) -> Prospect | None:
    """Whether a node may be on its way for a pod that waits; None where nobody would make one.

    In the zones `without` nobody makes one.
    """
    if pod.template.labels.get(_PROFILE):
        return Prospect(FARGATE, certain=True, known_size=True)
    shape = shape_of(pod.template)
    volumes = volumes_of(cluster, pod)
    return outlook(cluster, shape.requests, shape.constraints, volumes, without)


def patience(coming: Prospect | None, nominated: str, usual: int, provision: int) -> int:
    """For how many seconds a node may be on its way for a pod, or other pods may leave one."""
    if coming is None and not nominated:
        return usual
    sure = nominated or (coming and coming.certain)
    return max(usual, provision if sure else provision // 3)


@derived
def outlook(
    cluster: Cluster,
    requests: Amounts,
    constraints: Constraints,
    volumes: tuple[str, ...] = (),
    without: frozenset[str] = frozenset(),
) -> Prospect | None:
    """The same of a shape and of the volumes that it is bound to: the best that a model offers."""
    rows = (cluster.find(VolumeRow, "PersistentVolume", "", name) for name in volumes)
    known = [row for row in rows if row]
    found = [
        Prospect(model.maker, model.certain, size)
        for model in models(cluster)
        if zone_of(model.node) not in without
        and _takes(model.node, constraints, known)
        and ((size := _holds(model.node, requests)) or model.maker == KARPENTER)
    ]
    return max(found, key=lambda one: (one.known_size, one.certain, one.maker), default=None)


def _takes(node: NodeRow, constraints: Constraints, volumes: list[VolumeRow]) -> bool:
    answers = list(admits(constraints, node))
    answers += [one for row in volumes for one in (*reaches(row, node), *in_zone(row, node))]
    return not any(isinstance(one, Refusal) for one in answers)


def _holds(node: NodeRow, requests: Amounts) -> bool:
    return all(amount_of(node.allocatable, resource) >= amount for resource, amount in requests)
