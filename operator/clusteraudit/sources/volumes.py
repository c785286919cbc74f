"""Documents of claims, volumes, and what provisions them."""

from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.parts import (
    Count,
    Document,
    NodeTerms,
    Present,
    Quantities,
    Quantity,
    Selector,
)

MIGRATED = (
    "gce_persistent_disk",
    "aws_elastic_block_store",
    "azure_disk",
    "azure_file",
    "cinder",
    "portworx_volume",
    "vsphere_volume",
)
"""Kinds of volumes that are translated for a CSI driver, on nodes that say so."""


class ClaimResources(Document, frozen=True, kw_only=True):
    """What a claim asks for."""

    requests: Quantities = {}


class ClaimSpec(Document, frozen=True, kw_only=True):
    """Of a claim's spec."""

    volume_name: str = ""
    storage_class_name: str = ""
    access_modes: list[str] = []
    resources: ClaimResources = ClaimResources()
    selector: Selector | None = None
    volume_mode: str = "Filesystem"
    volume_attributes_class_name: str = ""


class Phase(Document, frozen=True, kw_only=True):
    """A status of which only the phase is read."""

    phase: str = ""


class ClaimDoc(ObjectDoc, frozen=True, kw_only=True):
    """A PersistentVolumeClaim."""

    spec: ClaimSpec = ClaimSpec()
    status: Phase = Phase()


class VolumeAffinity(Document, frozen=True, kw_only=True):
    """Node affinity of a volume."""

    required: NodeTerms | None = None


class ClaimReference(Document, frozen=True, kw_only=True):
    """The claim that a volume is bound to."""

    namespace: str = ""
    name: str = ""


class CsiSource(Document, frozen=True, kw_only=True):
    """A volume of a CSI driver."""

    driver: str = ""
    volume_handle: str = ""


class VolumeSpec(Document, frozen=True, kw_only=True):
    """Of a volume's spec."""

    node_affinity: VolumeAffinity = VolumeAffinity()
    claim_ref: ClaimReference | None = None
    capacity: Quantities = {}
    access_modes: list[str] = []
    storage_class_name: str = ""
    volume_mode: str = "Filesystem"
    volume_attributes_class_name: str = ""
    csi: CsiSource | None = None
    gce_persistent_disk: Present | None = None
    aws_elastic_block_store: Present | None = None
    azure_disk: Present | None = None
    azure_file: Present | None = None
    cinder: Present | None = None
    portworx_volume: Present | None = None
    vsphere_volume: Present | None = None


class VolumeDoc(ObjectDoc, frozen=True, kw_only=True):
    """A PersistentVolume."""

    spec: VolumeSpec = VolumeSpec()
    status: Phase = Phase()


class TopologyExpression(Document, frozen=True, kw_only=True):
    """A label that nodes of a topology carry."""

    key: str
    values: list[str] = []


class TopologyTerm(Document, frozen=True, kw_only=True):
    """A term of allowedTopologies."""

    match_label_expressions: list[TopologyExpression] = []


class StorageClassDoc(ObjectDoc, frozen=True, kw_only=True):
    """A StorageClass."""

    provisioner: str = ""
    volume_binding_mode: str = "Immediate"
    allowed_topologies: list[TopologyTerm] = []


class CsiDriverSpec(Document, frozen=True, kw_only=True):
    """Of a CSIDriver's spec."""

    storage_capacity: bool = False
    prevent_pod_scheduling_if_missing: bool = False


class CsiDriverDoc(ObjectDoc, frozen=True, kw_only=True):
    """A CSIDriver."""

    spec: CsiDriverSpec = CsiDriverSpec()


class DriverLimit(Document, frozen=True, kw_only=True):
    """How many volumes of a driver a node takes."""

    count: Count | None = None


class NodeDriver(Document, frozen=True, kw_only=True):
    """A driver on a node."""

    name: str
    allocatable: DriverLimit = DriverLimit()


class CsiNodeSpec(Document, frozen=True, kw_only=True):
    """Of a CSINode's spec."""

    drivers: list[NodeDriver] = []


class CsiNodeDoc(ObjectDoc, frozen=True, kw_only=True):
    """A CSINode."""

    spec: CsiNodeSpec = CsiNodeSpec()


class CapacityDoc(ObjectDoc, frozen=True, kw_only=True):
    """A CSIStorageCapacity."""

    storage_class_name: str = ""
    node_topology: Selector | None = None
    capacity: Quantity | None = None
    maximum_volume_size: Quantity | None = None


class AttachedVolume(Document, frozen=True, kw_only=True):
    """What is attached."""

    persistent_volume_name: str = ""


class AttachmentSpec(Document, frozen=True, kw_only=True):
    """Of a VolumeAttachment's spec."""

    attacher: str = ""
    node_name: str = ""
    source: AttachedVolume = AttachedVolume()


class AttachmentDoc(ObjectDoc, frozen=True, kw_only=True):
    """A VolumeAttachment."""

    spec: AttachmentSpec = AttachmentSpec()


class DeviceClassSpec(Document, frozen=True, kw_only=True):
    """Of a DeviceClass's spec."""

    extended_resource_name: str = ""


class DeviceClassDoc(ObjectDoc, frozen=True, kw_only=True):
    """A DeviceClass."""

    spec: DeviceClassSpec = DeviceClassSpec()
