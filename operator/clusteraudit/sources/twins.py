"""Pods of one controller are alike: what is made of one's spec serves the next one, too.

A template takes four fifths of the time of a pod's translation. Pods of a controller differ in
names, nodes and claims, of which no template is made.
"""

from collections.abc import Callable
from hashlib import blake2b
from weakref import WeakValueDictionary

import msgspec

from clusteraudit.model.rows import PodTemplate, Ref
from clusteraudit.sources import documents as docs
from clusteraudit.sources.convert import labels

_MOST = 20_480
"""Of 10,000 controllers, as large clusters have, pods that wait and pods that run."""
_LATELY = 5
"""A pod that waits runs soon, or its controller's pods are made anew each time they change."""
_RESIZE = "PodResizePending"
_encode = msgspec.msgpack.Encoder().encode


class Twins:
    """Templates of pods that are there, by a digest of their controller and what they were made of.

    A template is known for as long as something else holds it, so that revisions that went leave
    nothing.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._held = WeakValueDictionary[bytes, PodTemplate]()
        self._lately = WeakValueDictionary[int, PodTemplate]()

    def template(
        self, document: docs.PodDoc, owner: Ref | None, make: Callable[[], PodTemplate]
    ) -> PodTemplate:
        """The template of a pod; made anew unless a pod of its owner had the same basis."""
        if owner is None:
            return make()
        basis = _basis(document, owner)
        held = self._held.get(basis)
        if held is not None:
            own = document.metadata.labels
            if own == dict(held.labels.pairs):
                return held
            if not _looks_at_labels(document.spec):  # as with pods of a StatefulSet
                return msgspec.structs.replace(held, labels=labels(own))
        if len(self._held) >= self._most:
            self._held = WeakValueDictionary()  # to clear it takes its entries one by one
        template = self._held[basis] = self._known(make())
        return template

    def _known(self, made: PodTemplate) -> PodTemplate:
        """The one of which a pod was made that waited, when it runs: else it would go at once."""
        if len(self._lately) >= self._most // _LATELY:
            self._lately = WeakValueDictionary()
        found = self._lately.setdefault(hash(made), made)
        return found if found == made else made


def _basis(document: docs.PodDoc, owner: Ref) -> bytes:
    """A digest of all that the template of a pod is made of, but for its labels."""
    told = _encode((owner, *_read(document)))
    return blake2b(told, digest_size=16, usedforsecurity=False).digest()


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
