"""Shapes of what goes out, shared by every command and by the report in the cluster.

Keys are camelCase outside. Amounts are integers in the base unit of their resource.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

SCHEMA_VERSION = 1
SeverityName = Literal["critical", "high", "medium", "low", "info"]
Outcome = Literal["found", "error", "unknown", "clear", "notApplicable"]
LoopName = Literal["compute", "storage", "network", "identity", "controlplane", "platform"]


class Shape(BaseModel):
    """What every shape is made of."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )


class ObjectReference(Shape):
    """Names an object."""

    api_version: str = Field(description="API version of the object.", max_length=317)
    kind: str = Field(description="Kind of the object.", max_length=63)
    namespace: str = Field("", description="Namespace, empty if cluster-scoped.", max_length=63)
    name: str = Field(description="Name of the object.", max_length=253)


class SkippedObject(Shape):
    """An object that could not be evaluated."""

    source: str = Field(description="File that it came from; empty for the live cluster.")
    object: str = Field(description="`Kind namespace/name`; empty for a whole file.")
    reason: str = Field(description="Why, in CamelCase.")
    message: str = Field(description="Why, in words.")


class UnreadKind(Shape):
    """A kind of which nothing is known."""

    kind: str = Field(description="Kind.")
    reason: str = Field(description="Why, in CamelCase.")


class Inputs(Shape):
    """What the answer rests on."""

    kinds: dict[str, int] = Field(description="Objects read, by kind.")
    partial: list[str] = Field(description="Kinds of which more may exist than was read.")
    unread: list[UnreadKind] = Field(description="Kinds of which nothing is known.")
    ignored: dict[str, int] = Field(description="Objects of kinds that are not audited.")
    skipped: list[SkippedObject] = Field(description="Objects that could not be evaluated.")
    duplicates: int = Field(0, description="Objects that were there more than once.")


class ClusterShape(Shape):
    """Which cluster, and when."""

    name: str = Field(description="Name by which it was reached, or the files.")
    version: str = Field(description="Version of its API server, empty if not known.")
    taken_at: str = Field(description="The moment of the audit.")
    nodes: int = Field(description="Nodes read.")
    pods: int = Field(description="Pods read.")


class Summary(Shape):
    """Findings counted."""

    by_severity: dict[SeverityName, int] = Field(description="Findings by severity.")
    by_loop: dict[LoopName, int] = Field(description="Findings by control loop.")


class FindingShape(Shape):
    """What is wrong, with what object, and what to do."""

    rule: str = Field(description="Code of the rule.")
    name: str = Field(description="Name of the rule.")
    severity: SeverityName = Field(description="How bad it is.")
    loop: LoopName = Field(description="Control loop.")
    layer: str = Field(description="Layer of the failure, L1 to L6.")
    failure_class: str = Field(description="Class of failure.")
    object: ObjectReference = Field(description="Object that it is about.")
    message: str = Field(description="What is wrong, in a sentence.")
    evidence: dict[str, int | str | bool | list[str]] = Field(description="Figures.")
    remedy: str = Field(description="What to do.")
    fingerprint: str = Field(description="The same over restarts and between clusters.")
    caused_by: list[str] = Field(description="Fingerprints of its nearest causes.")
    effects: list[str] = Field(description="Fingerprints of its nearest effects.")


class ChainShape(Shape):
    """A cause and all that follows from it."""

    root: str = Field(description="Fingerprint of the cause.")
    effects: list[str] = Field(description="Fingerprints of its effects, nearest first.")
    summary: str = Field(description="From symptom to cause, in a line.")


class RuleShape(Shape):
    """What a rule said of all of its subjects."""

    rule: str = Field(description="Code of the rule.")
    name: str = Field(description="Name of the rule.")
    outcome: Outcome = Field(description="The gravest outcome that occurs.")
    subjects: int = Field(description="How many were asked.")
    found: int = Field(description="How many have a finding.")
    unknown: int = Field(description="Of how many it cannot tell.")
    error: int = Field(description="For how many it failed.")
    reasons: list[str] = Field(description="Why it cannot tell, most frequent first.")


class ScanShape(Shape):
    """The output of `scan`."""

    schema_version: int = Field(SCHEMA_VERSION, description="Raised only by a breaking change.")
    cluster: ClusterShape
    inputs: Inputs
    score: int = Field(description="100 less 25/10/3/1 for each rule found.", ge=0, le=100)
    summary: Summary
    findings: list[FindingShape] = Field(description="Worst first.")
    chains: list[ChainShape] = Field(description="From causes to their effects.")
    rules: list[RuleShape] = Field(description="Every rule, by code.")
