"""Pools and zones: nodes that are made, scaled and lost together, by their makers' labels."""

from collections.abc import Callable
from typing import Literal

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.rows import NodeRow
from clusteraudit.model.tolerations import FILTERING
from clusteraudit.simulate.node_zones import named_zones

By = Literal["pool", "zone", "node"]

LABELS = (
    "karpenter.sh/nodepool",
    "karpenter.sh/provisioner-name",  # Karpenter before v1beta1
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "doks.digitalocean.com/node-pool",
    "lke.linode.com/pool-id",
    "kops.k8s.io/instancegroup",
    "worker.gardener.cloud/pool",
    "k8s.scaleway.com/pool-name",
    "ibm-cloud.kubernetes.io/worker-pool-name",
    "alibabacloud.com/nodepool-id",
    "vke.vultr.com/node-pool",
    "kubernetes.civo.com/civo-node-pool",
    "hcloud/node-group",
)
"""The first that a node carries names its pool. Machines of OpenShift and of the Cluster API name
their set in annotations only, which the model does not read: their nodes go by their signature."""

_TYPES = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_ROLE = "node-role.kubernetes.io/"
_OF_ITS_STATE = ("node.", "node-role.")
"""Taints that say how a node is, or repeat its role."""
CONTROL_PLANE = ("control-plane", "master")


def pool_of(node: NodeRow) -> str:
    """The pool of a node: as its maker's label says, else by what it is."""
    return _first(node, LABELS) or _signature(node)


def _signature(node: NodeRow) -> str:
    """Roles, instance type or else platform, and the taints that keep other pods away."""
    roles = roles_of(node)
    if any(role in CONTROL_PLANE for role in roles):
        return "control-plane"
    platform = (node.labels.get("kubernetes.io/os"), node.labels.get("kubernetes.io/arch"))
    kind = _first(node, _TYPES) or "/".join(one for one in platform if one)
    taints = {
        f"{taint.key}={taint.value}" if taint.value else taint.key
        for taint in node.taints
        if taint.effect in FILTERING and not taint.key.startswith(_OF_ITS_STATE)
    }
    return " ".join(one for one in (*roles, kind, *sorted(taints)) if one) or "default"


def roles_of(node: NodeRow) -> tuple[str, ...]:
    """Roles by the well-known prefix, as `kubectl get nodes` shows them."""
    keys = (key for key, _ in node.labels.pairs if key.startswith(_ROLE))
    return tuple(key.removeprefix(_ROLE) for key in keys)


def _first(node: NodeRow, labels: tuple[str, ...]) -> str:
    """The value of the first of these labels that the node carries."""
    values = (node.labels.get(label) for label in labels)
    return next((value for value in values if value), "")


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a node belongs; zones of one name in two regions are two."""

    node: str
    pool: str
    zone: str


@derived
def places(cluster: Cluster) -> tuple[Place, ...]:
    """Where every node belongs, by name."""
    nodes = cluster.all(NodeRow, "Node")
    zones = dict(named_zones(cluster))
    return tuple(Place(node.name, pool_of(node), zones[node.name]) for node in nodes)


@derived
def pools(cluster: Cluster) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every pool with its nodes, both by name."""
    found: dict[str, list[str]] = {}
    for place in places(cluster):
        found.setdefault(place.pool, []).append(place.node)
    return tuple((name, tuple(nodes)) for name, nodes in sorted(found.items()))


_OF: dict[By, Callable[[Place], str]] = {
    "pool": lambda one: one.pool,
    "zone": lambda one: one.zone,
    "node": lambda one: one.node,
}


def of_nodes(cluster: Cluster, by: By) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of the groups, and for each node, by name, the number of its group."""
    found = [_OF[by](one) for one in places(cluster)]
    names = tuple(sorted(set(found)))
    number = {name: at for at, name in enumerate(names)}
    return names, tuple(number[name] for name in found)
