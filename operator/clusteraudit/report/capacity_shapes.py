"""The shape of what `capacity` prints. What cannot be told is null, and `unknown` says why."""

from pydantic import Field

from clusteraudit.report.shapes import SCHEMA_VERSION, Inputs, Shape


class ConstraintsShape(Shape):
    """Where pods of a class may run, as `kubectl` writes selectors and taints."""

    node_selector: list[str] = Field(description="All of them must hold.")
    node_affinity: list[str] = Field(description="Required terms: one of them must hold.")
    tolerations: list[str] = Field(description="Taints that are tolerated.")


class ClassShape(Shape):
    """Pods that request the same and may run on the same nodes."""

    shape: str = Field(description="What it requests; `#2` and so on where constraints differ.")
    weight: float | None = Field(description="Share of the workload's pods.")
    pods: int = Field(description="How many there are in the input.")
    requests: dict[str, int] = Field(description="Effective requests, without zeros.")
    constraints: ConstraintsShape
    unmodelled: list[str] = Field(
        description="Filters of some of its pods that are not evaluated: fits is an upper bound."
    )


class CauseShape(Shape):
    """What of the free amount the expected pod cannot use, or does not ask for, by reason."""

    own: float = Field(
        validation_alias="self",
        serialization_alias="self",
        description="Too little of the resource itself.",
    )
    other: dict[str, float] = Field(description="Too little of another, by the scarcest.")
    slots: float = Field(description="No slot for a further pod.")
    constraint: float = Field(description="The node refuses the pod, whatever room it has.")
    not_requested: float = Field(description="Not asked for; not part of the amount.")


class ExpectedShape(Shape):
    """F3: what the expected pod of the workload cannot use."""

    amount: float = Field(description="The sum of self, other, slots and constraint.")
    ratio: float | None = Field(description="Of what is free; null where nothing is.")
    by_cause: CauseShape


class StrandedShape(Shape):
    """F4: free on nodes on which no class fits that asks for anything."""

    amount: int = Field(description="In the base unit.")
    ratio: float | None = Field(description="Of what is free; null where nothing is.")
    nodes: list[str] = Field(description="Where.")


class LargestFit(Shape):
    """F5: the most that is free on one node."""

    amount: int = Field(description="In the base unit.")
    node: str | None = Field(description="The node; null where nothing is free.")


class ResourceShape(Shape):
    """One resource, in its base unit. Placed pods only."""

    allocatable: int | None = Field(description="Of all nodes.")
    requested: int | None = Field(description="By pods that have a node.")
    free: int | None = Field(description="Left on nodes that take pods, each at least 0.")
    reclaimable: int | None = Field(
        description="Of requested: pods of negative priority, which yield."
    )
    unavailable: int | None = Field(description="Left on nodes that are cordoned or NotReady.")
    overcommitted: int | None = Field(description="Requested beyond allocatable, node by node.")
    limits: int | None = Field(description="Limits of those pods, where they have one.")
    usage: int | None = Field(description="One sample of metrics.k8s.io: cpu and memory only.")
    expected_fragmentation: ExpectedShape | None
    stranded: StrandedShape | None
    largest_fit: LargestFit | None


class FitShape(Shape):
    """F2: copies of a class that fit."""

    shape: str = Field(description="Name of the class.")
    requests: dict[str, int] = Field(description="Effective requests, without zeros.")
    fits: int | None = Field(description="Copies that fit, node by node.")
    ideal: int | None = Field(description="Copies that the same room would hold in one piece.")
    packing_loss: float | None = Field(description="1 - fits/ideal; null where ideal is 0.")


class PinShape(Shape):
    """Why a node must stay."""

    node: str = Field(description="The node.")
    reason: str = Field(description="Why, in CamelCase.")
    pod: str = Field(description="The first pod that pins it, namespace/name; empty without.")


class BoundsShape(Shape):
    """F7: how many nodes the placed pods need; of nodes that take pods."""

    lower: int = Field(description="No fewer can do, by sums alone.")
    upper: int = Field(description="So many do: pods were placed on them.")
    removable: list[str] = Field(description="Nodes that this placement leaves empty.")


class WasteShape(Shape):
    """F9: requested and not used, in one sample. It is no fragmentation."""

    cpu: int = Field(description="Millicores.")
    memory: int = Field(description="Bytes.")
    sampled: int = Field(description="Pods that have a sample.")
    unsampled: int = Field(description="Pods without one: nothing is said of them.")


class LargestPod(Shape):
    """F5 jointly: the largest pod, of the workload's CPU to memory ratio, that one node takes."""

    requests: dict[str, int] = Field(description="Empty where none fits.")
    node: str | None = Field(description="The node; null where none fits.")


class FiguresShape(Shape):
    """What is said of the cluster and of each group of nodes alike."""

    resources: dict[str, ResourceShape] = Field(description="By resource; pods are slots.")
    shapes: list[FitShape] = Field(
        description="By class, most frequent first; of a single node the first 20."
    )
    node_bounds: BoundsShape | None
    largest_pod: LargestPod | None
    imbalance: float | None = Field(
        description="F6: 1 - cosine of free and requested CPU and memory; 0 is a perfect match."
    )
    waste: WasteShape | None


class GroupHead(Shape):
    """Which group."""

    by: str = Field(description="pool, zone or node.")
    name: str = Field(description="Its name; empty for nodes that name no zone.")
    members: list[str] = Field(description="Its nodes.")


class GroupShape(FiguresShape, GroupHead):
    """A pool, a zone or a node."""


class NodeResourceShape(Shape):
    """One resource of one node, in its base unit."""

    allocatable: int
    requested: int | None
    free: int | None = Field(description="0 where the node takes no pods.")
    reclaimable: int | None
    limits: int | None
    usage: int | None
    fragmented: float | None = Field(description="Expected fragmentation: what it adds.")


class NodeShape(Shape):
    """A node."""

    node: str = Field(description="Its name.")
    pool: str = Field(description="Its pool, by its maker's label or by what it is.")
    zone: str | None = Field(description="Its zone; null if it names none.")
    takes_pods: bool = Field(description="Neither cordoned nor NotReady.")
    imbalance: float | None = Field(description="Requested share of CPU less that of memory.")
    stranded: bool | None = Field(description="Whether no class fits on it.")
    pinned: PinShape | None = Field(description="Why node bounds keep it, if it must stay.")
    resources: dict[str, NodeResourceShape]


class UnknownShape(Shape):
    """What cannot be told, and what is missing."""

    field: str = Field(description="Path of the field that is null.")
    missing: list[str] = Field(description="Kinds, or objects, that are not known in full.")


class CapacityHead(Shape):
    """What the answer rests on."""

    schema_version: int = Field(SCHEMA_VERSION, description="Raised only by a breaking change.")
    inputs: Inputs
    workload: list[ClassShape] = Field(description="What room is measured by.")


class CapacityShape(FiguresShape, CapacityHead):
    """The output of `capacity`: what is free, and how much of it is of use."""

    groups: list[GroupShape] = Field(description="By pool, zone or node; sums are the cluster's.")
    nodes: list[NodeShape] = Field(description="Every node, by name.")
    unknown: list[UnknownShape] = Field(description="What is null, and why.")
