"""Pools: nodes that are made, scaled and replaced together, by their makers' labels."""

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow

LABELS = (
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "doks.digitalocean.com/node-pool",
    "lke.linode.com/pool-id",
    "kops.k8s.io/instancegroup",
)
"""The first that a node carries names its pool."""

_SIGNATURE = ("node.kubernetes.io/instance-type", "kubernetes.io/arch", "kubernetes.io/os")
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def pool_of(node: NodeRow) -> str:
    """The pool of a node; without a pool's label what it is: its instance type, or architecture."""
    named = _first(node, LABELS)
    if named:
        return named
    if node.labels.get(_CONTROL_PLANE) is not None:
        return "control-plane"
    return _first(node, _SIGNATURE) or "default"


def _first(node: NodeRow, labels: tuple[str, ...]) -> str:
    """The value of the first of these labels that the node carries."""
    values = (node.labels.get(label) for label in labels)
    return next((value for value in values if value), "")


class Pool(msgspec.Struct, frozen=True, gc=False):
    """A pool and the names of its nodes."""

    name: str
    nodes: tuple[str, ...]


@derived
def pools(cluster: Cluster) -> tuple[Pool, ...]:
    """Pools by name."""
    found: dict[str, list[str]] = {}
    for node in cluster.all(NodeRow, "Node"):
        found.setdefault(pool_of(node), []).append(node.name)
    return tuple(Pool(name, tuple(sorted(nodes))) for name, nodes in sorted(found.items()))
