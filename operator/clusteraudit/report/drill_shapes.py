"""The output of `drill`."""

from typing import Literal

from pydantic import Field

from clusteraudit.report.shapes import SCHEMA_VERSION, Inputs, Shape

VerdictName = Literal["survives", "degrades", "fails", "unknown"]
OutcomeName = Literal[
    "placed", "pending", "pendingUntilScaleUp", "blocked", "lost", "unaffected", "unknown"
]


class RecoveryShape(Shape):
    """When all is back."""

    min: int | None = Field(
        description="Seconds after which all is back at the earliest; null: not by itself."
    )
    reason: str = Field(description="What is waited for, in CamelCase.")


class DrilledPod(Shape):
    """What becomes of a pod."""

    namespace: str = Field(description="Namespace of the pod.")
    name: str = Field(description="Name of the pod that is there now.")
    outcome: OutcomeName = Field(description="What becomes of it.")
    node: str | None = Field(
        description="A node that takes it; the scheduler may choose another one."
    )
    reason: str = Field(description="Why, in CamelCase; empty if it is placed.")
    detail: str = Field(description="Why, in words.")
    round: int | None = Field(description="The round of a drain in which it is evicted.")
    workload: str = Field(description="Its workload, as `Kind namespace/name`.")


class DrilledBudget(Shape):
    """A budget that covers one of the pods."""

    namespace: str = Field(description="Namespace of the PodDisruptionBudget.")
    name: str = Field(description="Name of the PodDisruptionBudget.")
    current_healthy: int = Field(description="Healthy pods now.")
    desired_healthy: int = Field(description="Healthy pods that it asks for.")
    allowed: int = Field(description="Pods that it lets go now.")
    blocks: bool = Field(description="Whether a drain ends on it.")
    healthy_after: int = Field(description="Healthy pods when all has settled.")


class DrilledVolume(Shape):
    """A claim of one of the pods."""

    namespace: str = Field(description="Namespace of the claim.")
    claim: str = Field(description="Name of the claim.")
    volume: str = Field(description="The volume that it is bound to, empty if none.")
    pod: str = Field(description="Name of the pod.")
    nodes: int | None = Field(
        description="Nodes left that can use the volume; null if there is no volume, or unknown."
    )


class DrillResult(Shape):
    """What one drill says."""

    kind: Literal["node", "drain", "zone"] = Field(description="What is tried.")
    target: str = Field(description="The node or the zone.")
    mode: Literal["unreachable", "deleted"] | None = Field(
        description="How nodes are lost; null for a drain."
    )
    verdict: VerdictName = Field(description="What becomes of the whole.")
    reasons: list[str] = Field(description="Why it is no better, in CamelCase.")
    assumptions: list[str] = Field(description="What is taken for granted, in CamelCase.")
    recovery_seconds: RecoveryShape
    pods: list[DrilledPod] = Field(description="The pods that it concerns, by name.")
    budgets: list[DrilledBudget] = Field(description="The budgets that cover one of them.")
    rounds: int | None = Field(description="Rounds of evictions of a drain; null for others.")
    volumes: list[DrilledVolume] = Field(description="The claims of these pods.")


class DrillShape(Shape):
    """The output of `drill`."""

    schema_version: int = Field(SCHEMA_VERSION, description="Raised only by a breaking change.")
    inputs: Inputs
    drills: list[DrillResult] = Field(description="Nodes by name, then zones by name.")
