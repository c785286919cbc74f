"""Pods of one controller are alike: what is made of one's spec serves the next one, too.

A template takes four fifths of the time of a pod's translation. Pods of a controller differ in
names, nodes and claims, of which no template is made.
"""

from collections.abc import Callable, Hashable
from hashlib import blake2b

import msgspec

from clusteraudit.model.rows import PodTemplate
from clusteraudit.sources import documents as docs
from clusteraudit.sources.convert import labels

_MOST = 10_240
"""Controllers: in a cluster of 10,000 the next pod may be of any; those that went are forgotten."""
_RESIZE = "PodResizePending"
_encode = msgspec.msgpack.Encoder().encode


class Twins:
    """The last template of each of some controllers, and a digest of what it was made of."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._held: dict[Hashable, tuple[bytes, PodTemplate]] = {}

    def template(
        self, document: docs.PodDoc, owner: Hashable, make: Callable[[], PodTemplate]
    ) -> PodTemplate:
        """The template of a pod; made anew unless the last pod of its owner had the same basis."""
        if owner is None:
            return make()
        basis = _basis(document)
        held = self._held.get(owner)
        if held is not None and held[0] == basis:
            own = document.metadata.labels
            if own == dict(held[1].labels.pairs):
                return held[1]
            if not _looks_at_labels(document.spec):  # as with pods of a StatefulSet
                return msgspec.structs.replace(held[1], labels=labels(own))
        template = make()
        if len(self._held) >= self._most:
            self._held.clear()
        self._held[owner] = (basis, template)
        return template


def _basis(document: docs.PodDoc) -> bytes:
    """A digest of all that the template of a pod is made of, but for its labels."""
    return blake2b(_encode(_read(document)), digest_size=16, usedforsecurity=False).digest()


def _read(document: docs.PodDoc) -> tuple[object, ...]:
    """What `template_of` reads of a pod; test_twins.py holds it to that."""
    spec, status = document.spec, document.status
    return (
        document.metadata.annotations.mirror,
        bool(spec.node_name),
        msgspec.structs.replace(spec, node_name="", volumes=[_plain(one) for one in spec.volumes]),
        status.qos_class,
        status.resources,
        status.allocated_resources,
        [one.reason for one in status.conditions if one.type == _RESIZE],
        [_size(one) for one in status.container_statuses],
        [_size(one) for one in status.init_container_statuses],
    )


def _looks_at_labels(spec: docs.PodSpec) -> bool:
    """Whether terms or constraints take values from the pod's own labels."""
    affinity = spec.affinity
    terms = (
        *affinity.pod_affinity.required_during_scheduling_ignored_during_execution,
        *affinity.pod_anti_affinity.required_during_scheduling_ignored_during_execution,
    )
    return any(one.match_label_keys or one.mismatch_label_keys for one in terms) or any(
        one.match_label_keys for one in spec.topology_spread_constraints
    )


def _plain(volume: docs.Volume) -> docs.Volume:
    """Its name, and that of a claim, are the pod's own."""
    return msgspec.structs.replace(volume, name="", persistent_volume_claim=None)


def _size(one: docs.ContainerStatus) -> tuple[object, ...]:
    return one.name, one.resources, one.allocated_resources
