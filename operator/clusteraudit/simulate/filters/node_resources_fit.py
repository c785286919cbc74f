"""NodeResourcesFit: what the pod requests must be free, and a slot for it."""

from collections.abc import Iterable, Iterator

import numpy as np

from clusteraudit.model.provisioning import DeviceClassRow
from clusteraudit.model.rows import SLOTS, PodRow, amount_of
from clusteraudit.simulate.columns import DOUBT, FITS, REFUSED, Amount, Columns, Levels
from clusteraudit.simulate.filters.kit import NOT_MODELLED, Answer, Check, Doubt, Refusal
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NAME = "NodeResourcesFit"
DEVICE_CLASS_PREFIX = "deviceclass.resource.kubernetes.io/"
_NATIVE = ("cpu", "memory", "ephemeral-storage", SLOTS)


def node_resources_fit(snapshot: Snapshot, pod: PodRow) -> Check:
    """One refusal per resource that lacks; a request of 0 always fits (`fit.go`)."""
    asked = [(name, amount) for name, amount in pod.template.requests if amount > 0]
    devices = {name: doubt for name, _ in asked if (doubt := _device(snapshot, name))}
    whole = snapshot.known("Pod")

    def each(info: NodeInfo) -> Iterator[Answer]:
        if info.left(SLOTS) < 1:
            yield Refusal(NAME, "TooManyPods", "no pod slot is left", SLOTS, 1, info.left(SLOTS))
        for name, amount in asked:
            left = info.left(name)
            if amount > left and name in devices and amount_of(info.node.allocatable, name) <= 0:
                yield devices[name]
            elif amount > left:
                yield Refusal(
                    NAME, "InsufficientResource", f"too little {name}", name, amount, left
                )
        if not whole:
            yield Doubt(NAME, "Pod")

    def levels(columns: Columns) -> Levels:
        found = np.full(len(columns.names), FITS if whole else DOUBT, dtype=np.int8)
        for name, amount in ((SLOTS, 1), *asked):
            found[columns.free(name) < amount] = REFUSED
        return found

    def sorts(columns: Columns) -> Amount:
        return _lacks(columns, ((SLOTS, 1), *asked))

    return Check(each, *((None, None) if devices else (levels, sorts)))


def _lacks(columns: Columns, asked: Iterable[tuple[str, int]]) -> Amount:
    """A bit per resource of which a node has too little."""
    found = np.zeros(len(columns.names), dtype=np.int64)
    for name, amount in asked:
        found = 2 * found + (columns.free(name) < amount)
    return found


def _device(snapshot: Snapshot, resource: str) -> Doubt | None:
    """Where a node does not advertise it, a resource of a DeviceClass is left to its drivers.

    That a class stands for a resource is told by the class alone, so that all must be known
    (`shouldDelegateResourceToDRA`).
    """
    if resource in _NATIVE or resource.startswith("hugepages-"):
        return None
    classes = snapshot.cluster.all(DeviceClassRow, "DeviceClass")
    if any(resource in {one.resource, DEVICE_CLASS_PREFIX + one.name} for one in classes):
        return Doubt("DynamicResources", NOT_MODELLED)
    return None if snapshot.known("DeviceClass") else Doubt(NAME, "DeviceClass")
