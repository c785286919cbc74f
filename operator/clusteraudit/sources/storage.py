"""From documents of claims, volumes and what provisions them to rows."""

from collections.abc import Mapping
from sys import intern

from clusteraudit.model import provisioning, rows
from clusteraudit.model.rows import Row, amount_of
from clusteraudit.model.selectors import requirement
from clusteraudit.sources import volumes as docs
from clusteraudit.sources.convert import amounts, labels, node_selector, owner, seconds, selector
from clusteraudit.sources.parts import Quantity

_ZONE_LABELS = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
)
_STORAGE = "storage"


def claim(document: docs.ClaimDoc) -> Row:
    """A PersistentVolumeClaim; its binding is complete when the controller says so."""
    meta, spec, phase = document.metadata, document.spec, document.status.phase
    controller, noted = owner(meta), meta.annotations
    done = noted.bind_completed is not None or phase == "Bound"
    asked = amounts(spec.resources.requests)
    return rows.ClaimRow(
        meta.namespace,
        meta.name,
        phase=phase or "Pending",
        volume=spec.volume_name,
        bound=done and bool(spec.volume_name),
        storage_class=_class(noted.storage_class, spec.storage_class_name),
        access_modes=tuple(spec.access_modes),
        size=amount_of(asked, _STORAGE) if _STORAGE in spec.resources.requests else None,
        selector=selector(spec.selector) if spec.selector else None,
        mode=spec.volume_mode,
        attributes_class=spec.volume_attributes_class_name,
        selected_node=noted.selected_node,
        created=seconds(meta.creation_timestamp),
        pod=controller.name if controller and controller.kind == "Pod" else "",
        terminating=meta.deletion_timestamp is not None,
    )


def _class(annotated: str | None, named: str) -> str:
    """The annotation comes first, even if it is empty (`GetPersistentVolumeClaimClass`)."""
    return named if annotated is None else annotated


def volume(document: docs.VolumeDoc) -> Row:
    """A PersistentVolume."""
    meta, spec = document.metadata, document.spec
    required, bound, csi = spec.node_affinity.required, spec.claim_ref, spec.csi
    return rows.VolumeRow(
        "",
        meta.name,
        labels=labels(meta.labels),
        capacity=amount_of(amounts(spec.capacity), _STORAGE),
        access_modes=tuple(spec.access_modes),
        storage_class=_class(meta.annotations.storage_class, spec.storage_class_name),
        mode=spec.volume_mode,
        attributes_class=spec.volume_attributes_class_name,
        driver=csi.driver if csi else "",
        handle=csi.volume_handle if csi else "",
        migratable=any(getattr(spec, kind) for kind in docs.MIGRATED),
        terminating=meta.deletion_timestamp is not None,
        affinity=node_selector(required) if required else None,
        zones=_zones(meta.labels),
        claim=(intern(bound.namespace), intern(bound.name)) if bound else None,
        phase=document.status.phase,
    )


def _zones(pairs: Mapping[str, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Zones of a label, joined by `__`; a label with an empty one says nothing (`zones.go`)."""
    split = ((key, pairs[key].split("__")) for key in _ZONE_LABELS if key in pairs)
    found = ((key, tuple(one.strip() for one in values)) for key, values in split)
    return tuple((key, values) for key, values in found if all(values))


def storage_class(document: docs.StorageClassDoc) -> Row:
    """A StorageClass."""
    return rows.StorageClassRow(
        "",
        document.metadata.name,
        provisioner=document.provisioner,
        binding_mode=document.volume_binding_mode,
        default=document.metadata.annotations.default_class == "true",
        topologies=tuple(
            tuple(requirement(one.key, "In", one.values) for one in term.match_label_expressions)
            for term in document.allowed_topologies
        ),
    )


def csi_driver(document: docs.CsiDriverDoc) -> Row:
    """A CSIDriver."""
    spec = document.spec
    return provisioning.CSIDriverRow(
        "",
        document.metadata.name,
        storage_capacity=spec.storage_capacity,
        required=spec.prevent_pod_scheduling_if_missing,
    )


def csi_node(document: docs.CsiNodeDoc) -> Row:
    """A CSINode."""
    drivers = tuple((one.name, one.allocatable.count) for one in document.spec.drivers)
    return provisioning.CSINodeRow("", document.metadata.name, drivers=drivers)


def capacity(document: docs.CapacityDoc) -> Row:
    """A CSIStorageCapacity; the size of the largest volume says more than what is free."""
    limit = document.maximum_volume_size
    return provisioning.StorageCapacityRow(
        document.metadata.namespace,
        document.metadata.name,
        storage_class=document.storage_class_name,
        limit=_bytes(document.capacity if limit is None else limit),
        topology=selector(document.node_topology) if document.node_topology else None,
    )


def _bytes(quantity: Quantity | None) -> int | None:
    return None if quantity is None else amount_of(amounts({_STORAGE: quantity}), _STORAGE)


def attachment(document: docs.AttachmentDoc) -> Row:
    """A VolumeAttachment."""
    spec = document.spec
    return provisioning.AttachmentRow(
        "",
        document.metadata.name,
        attacher=spec.attacher,
        node=spec.node_name,
        volume=spec.source.persistent_volume_name,
    )


def device_class(document: docs.DeviceClassDoc) -> Row:
    """A DeviceClass."""
    named = document.spec.extended_resource_name
    return provisioning.DeviceClassRow("", document.metadata.name, resource=named)
