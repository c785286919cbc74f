"""Rows of what provisions volumes and devices: asked by placement alone."""

from clusteraudit.model.rows import Row
from clusteraudit.model.selectors import LabelSelector


class CSIDriverRow(Row, frozen=True, gc=False, kw_only=True):
    """A CSIDriver."""

    storage_capacity: bool = False
    """Whether CSIStorageCapacity says how much it can provision where."""
    required: bool = False
    """Whether nodes without it take no pod with its volumes (`preventPodSchedulingIfMissing`)."""


class CSINodeRow(Row, frozen=True, gc=False, kw_only=True):
    """A CSINode, by the name of its node."""

    drivers: tuple[tuple[str, int | None], ...] = ()
    """Drivers on the node, and how many volumes of each it takes; None for any number."""


class StorageCapacityRow(Row, frozen=True, gc=False, kw_only=True):
    """A CSIStorageCapacity."""

    storage_class: str
    limit: int | None = None
    """Bytes of the largest volume that can be provisioned."""
    topology: LabelSelector | None = None
    """The nodes that reach it; None for no node."""


class AttachmentRow(Row, frozen=True, gc=False, kw_only=True):
    """A VolumeAttachment."""

    attacher: str
    node: str
    volume: str = ""


class DeviceClassRow(Row, frozen=True, gc=False, kw_only=True):
    """A DeviceClass."""

    resource: str = ""
    """The extended resource that it stands for, beside the one made of its own name."""
