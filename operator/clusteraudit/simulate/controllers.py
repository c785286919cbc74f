"""How pods come back when they are gone: who makes them anew, under what name, in what order.

Source: kube-controller-manager `pkg/controller/{replicaset,statefulset,job}` (1.37).
"""

import re

import msgspec

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import ClaimRow, Key, PodRow, PodTemplate, Ref, WorkloadRow
from clusteraudit.model.selectors import Labels

_ORDINAL = re.compile(r"-(\d+)$")
_SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})
_BOUND = frozenset({"topology.kubernetes.io/zone", "topology.kubernetes.io/region"})
MARK = "~"
"""Ends the name of a pod that stands for one whose name nobody knows yet."""


def comes_back(pod: PodRow) -> bool:
    """Whether a controller makes it anew; one that is not known is taken to do so."""
    return pod.template.owner is not None and not pod.template.static


def is_ordinal(pod: PodRow) -> bool:
    """Whether it comes back under its own name, and only when that is free (`stateful_set.go`)."""
    owner = pod.template.owner
    return owner is not None and (owner.kind, owner.group) == ("StatefulSet", "apps")


def ordinal(pod: PodRow) -> int:
    """The number of a StatefulSet's pod, 0 for any other."""
    found = _ORDINAL.search(pod.name) if is_ordinal(pod) else None
    return int(found[1]) if found else 0


def remade(pod: PodRow) -> PodRow:
    """The pod that takes its place: the same template, and no node yet.

    Claims of generic ephemeral volumes end with the pod; new ones are provisioned where it goes.
    Labels of zone and region are those of its node: binding sets them (`PodTopologyLabels`).
    """
    template = unbound(pod.template)
    return PodRow(
        pod.namespace,
        pod.name if is_ordinal(pod) else pod.name + MARK,
        template=template,
        claims=pod.claims[: len(pod.claims) - pod.template.ephemeral],
    )


def unbound(template: PodTemplate) -> PodTemplate:
    """A template without what its pods got when they were bound; itself where that is nothing."""
    pairs = template.labels.pairs
    kept = tuple(pair for pair in pairs if pair[0] not in _BOUND)
    if len(kept) == len(pairs) and not template.ephemeral:
        return template
    return msgspec.structs.replace(template, labels=Labels(kept), ephemeral=0)


def original(key: Key) -> Key:
    """The pod whose place the one of this key takes."""
    return (key[0], key[1].removesuffix(MARK))


def waits_for(cluster: Cluster, pod: PodRow, gone: frozenset[Key]) -> str:
    """A lower ordinal that is not ready and so keeps an ordered StatefulSet from making the pod.

    Those in `gone` are for the caller to judge; empty where none is in the way.
    """
    owner = pod.template.owner
    row = cluster.get(WorkloadRow, owner) if owner and is_ordinal(pod) else None
    if owner is None or row is None or not row.ordered:
        return ""
    lower = (
        one.name
        for one in cluster.bucket(PodRow, "children", owner)
        if ordinal(one) < ordinal(pod) and one.key not in gone and not one.ready
    )
    return min(lower, default="")


def ordered(cluster: Cluster, pod: PodRow) -> Ref | None:
    """The StatefulSet that makes its pods one after the other, None if the pod has none."""
    owner = pod.template.owner
    row = cluster.get(WorkloadRow, owner) if owner and is_ordinal(pod) else None
    return owner if row and row.ordered else None


def exclusive_claims(cluster: Cluster, pod: PodRow) -> tuple[str, ...]:
    """Claims whose volume is attached to one node at a time and outlives the pod.

    Source: attach-detach controller `pkg/controller/volume/attachdetach/util` (multi-attach).
    """
    lasting = pod.claims[: len(pod.claims) - pod.template.ephemeral]
    rows = (
        cluster.find(ClaimRow, "PersistentVolumeClaim", pod.namespace, name) for name in lasting
    )
    return tuple(
        row.name for row in rows if row and row.access_modes and not _SHARED & {*row.access_modes}
    )
