"""ClusterAuditReport: its spec and status. The CRD is generated from these models.

In the status there are integers and strings only, and no ages: nothing changes because time passes.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from clusteraudit.report.shapes import (
    LoopName,
    ObjectReference,
    Outcome,
    SeverityName,
    Shape,
    Summary,
)

GROUP = "clusteraudit.io"
VERSION = "v1alpha1"
KIND = "ClusterAuditReport"
PLURAL = "clusterauditreports"

Fingerprint = Annotated[str, Field(max_length=16)]
Moment = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
MAX_FINDINGS = 200
MAX_RULES = 256
MAX_LEDGER = 5000
MAX_EVENTS = 50


class RuleTuning(Shape):
    """What is to be different of one rule."""

    code: str = Field(description="Code of the rule, such as CMP101.", max_length=6, min_length=6)
    enabled: bool = Field(default=True, description="Whether it is asked at all.")
    severity: SeverityName | None = Field(None, description="Severity of all of its findings.")
    settings: dict[str, JsonValue] = Field(
        {}, description="Settings of the rule, as its page lists them.", max_length=32
    )


class Spec(Shape):
    """What is wanted of the report."""

    rules: list[RuleTuning] = Field(
        [],
        description="Rules to tune, by code. Only the main report may; elsewhere it is refused.",
        max_length=MAX_RULES,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["code"]},
    )
    system_namespaces: list[Annotated[str, Field(max_length=63)]] | None = Field(
        None,
        description="Patterns of namespaces in which hygiene rules are silent; if absent, those "
        "of the usual distributions, which docs/rules lists. An empty list asks them everywhere.",
        max_length=256,
    )
    namespaces: list[Annotated[str, Field(max_length=63)]] = Field(
        [],
        description="Namespaces whose findings are shown, all if empty; the audit sees all.",
        max_length=1000,
    )
    min_severity: SeverityName = Field("info", description="Findings below it are not shown.")
    max_findings: int = Field(
        MAX_FINDINGS, description="Findings shown at most.", ge=1, le=MAX_FINDINGS
    )
    publish_interval: int = Field(
        30, description="Seconds between two writes of the status, at least.", ge=1, le=3600
    )


class Condition(Shape):
    """A condition, as everywhere in Kubernetes."""

    type: str = Field(description="What it is about.", max_length=64)
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(description="Why, in CamelCase.", max_length=64)
    message: str = Field("", description="Why, in words.", max_length=1024)
    last_transition_time: Moment = Field(description="Since when it has this status.")
    observed_generation: int = Field(0, description="Generation of the spec that it is about.")


class StatusFinding(Shape):
    """A finding, as the report keeps it."""

    rule: str = Field(description="Code of the rule.", max_length=6)
    name: str = Field(description="Name of the rule.", max_length=64)
    severity: SeverityName = Field(description="How bad it is.")
    loop: LoopName = Field(description="Control loop.")
    layer: str = Field(description="Layer of the failure, L1 to L6.", max_length=2)
    object: ObjectReference = Field(description="Object that it is about.")
    message: str = Field(description="What is wrong, in a sentence.", max_length=1024)
    remedy: str = Field(description="What to do.", max_length=1024)
    fingerprint: Fingerprint = Field(description="The same over restarts and between clusters.")
    since: Moment = Field(description="Since when it is open.")
    stale: bool | None = Field(None, description="True where its rule cannot tell any more.")
    caused_by: list[Fingerprint] = Field(description="Its nearest causes.", max_length=100)
    effects: list[Fingerprint] = Field(description="Its nearest effects.", max_length=100)


class StatusChain(Shape):
    """A cause and all that follows from it."""

    root: Fingerprint = Field(description="The cause.")
    effects: list[Fingerprint] = Field(description="Its effects, nearest first.", max_length=100)
    summary: str = Field(description="From symptom to cause, in a line.", max_length=1024)


class StatusUnknown(Shape):
    """A rule that cannot tell, of some or all of its subjects."""

    rule: str = Field(description="Code of the rule.", max_length=6)
    name: str = Field(description="Name of the rule.", max_length=64)
    outcome: Outcome = Field(description="The gravest outcome that occurs.")
    subjects: int = Field(description="Of how many it cannot tell, or failed.")
    reasons: list[Annotated[str, Field(max_length=256)]] = Field(
        description="Why, most frequent first.", max_length=10
    )


class StatusInput(Shape):
    """How much of a kind the answer rests on."""

    kind: str = Field(description="Kind.", max_length=63)
    synced: bool = Field(description="Whether it is known in full.")
    reason: str = Field("", description="If not, why.", max_length=256)
    since: Moment | None = Field(None, description="If not, since when.")
    objects: int = Field(description="Objects known.")


class StatusCapacity(Shape):
    """What is free of a resource, in its base unit: millicores, bytes, or a count."""

    resource: str = Field(
        description="cpu, memory, pods (slots), then others by name.", max_length=317
    )
    allocatable: int = Field(description="Allocatable of all nodes.")
    requested: int = Field(description="Requested by pods that have a node.")
    free: int = Field(description="Free on nodes that take pods.")
    unavailable: int = Field(description="Free on nodes that are cordoned or NotReady.")
    fragmented_permille: int = Field(
        description="Share of what is free that the expected pod cannot use."
    )
    stranded: int = Field(
        description="Free on nodes that take no pod of the cluster's own workload."
    )


class StatusVerdicts(Shape):
    """Of how many nodes the loss is survived, or not."""

    survives: int = Field(description="Every pod finds another node.")
    degrades: int = Field(description="Some do not, but no workload and no budget falls.")
    fails: int = Field(description="A workload has no pod left, or fewer than its budget asks for.")
    unknown: int = Field(description="It cannot be told.")


class StatusZone(Shape):
    """What the loss of a zone would do."""

    zone: str = Field(description="The zone.", max_length=63)
    verdict: Literal["survives", "degrades", "fails", "unknown"] = Field(description="Verdict.")


class StatusDrills(Shape):
    """What the loss of each node and of each zone would do, as `cluster-audit drill` says."""

    as_of: Moment = Field(description="When the drills began.")
    mode: Literal["unreachable", "deleted"] = Field(description="How they are lost.")
    nodes: StatusVerdicts = Field(description="Verdicts of nodes, counted.")
    fatal: list[Annotated[str, Field(max_length=253)]] = Field(
        description="Nodes whose loss fails, the first of them by name.", max_length=10
    )
    zones: list[StatusZone] = Field(
        description="Zones, those whose loss fails first.", max_length=20
    )


class RuleCount(Shape):
    """How many findings of a rule there are, and how many are kept here."""

    rule: str = Field(description="Code of the rule.", max_length=6)
    total: int = Field(description="Findings there are.")
    kept: int = Field(description="Findings that are listed.")


class Totals(Summary):
    """Findings counted, all of them."""

    chains: int = Field(description="Chains from cause to symptom.")
    findings: int = Field(description="Findings in all.")
    unknown: int = Field(description="Rules that cannot tell of all of their subjects.")


class StatusEvent(Shape):
    """An Event that this status calls for."""

    name: str = Field(description="Its name: fingerprint and transition.", max_length=64)
    at: Moment = Field(description="When it was called for; tells a repetition from a retry.")
    type: Literal["Normal", "Warning"] = Field(description="Its type.")
    reason: str = Field(description="Its reason.", max_length=128)
    action: str = Field(description="Its action.", max_length=128)
    regarding: ObjectReference = Field(description="Object that it is shown with.")
    related: ObjectReference | None = Field(None, description="Object that is the cause.")
    note: str = Field(description="What it says.", max_length=1024)


class Status(Shape):
    """What the audit says."""

    conditions: list[Condition] = Field(
        description="Ready, SpecValid, SchemaCurrent, InputsSynced, Complete, Truncated, and one "
        "<Loop>Healthy for each control loop.",
        max_length=32,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    observed_generation: int = Field(0, description="Generation of the spec that is in force.")
    score: int = Field(description="100 less 25/10/3/1 for each rule found.", ge=0, le=100)
    summary: Totals = Field(description="Findings counted.")
    capacity: list[StatusCapacity] = Field(
        [], description="What is free; empty unless all nodes and pods are known.", max_length=8
    )
    drills: StatusDrills | None = Field(
        None, description="Loss of nodes and zones; absent until it is known."
    )
    findings: list[StatusFinding] = Field(
        description="Worst first; every chain's cause is kept, then at most 20 of a rule.",
        max_length=MAX_FINDINGS,
    )
    findings_by_rule: list[RuleCount] = Field(
        description="Findings by rule, those not listed included.", max_length=MAX_RULES
    )
    chains: list[StatusChain] = Field(
        description="From causes to their effects.", max_length=MAX_FINDINGS
    )
    unknown: list[StatusUnknown] = Field(
        description="Rules that cannot tell, and why.", max_length=MAX_RULES
    )
    ledger: list[Annotated[str, Field(max_length=32)]] = Field(
        [],
        description="Of the main report: fingerprint and first seen (seconds since the epoch) of "
        "open findings, those not listed included; it survives a restart of the operator.",
        max_length=MAX_LEDGER,
    )
    events: list[StatusEvent] = Field(
        [],
        description="Of the main report: Events that are called for and not known to be sent, so "
        "that a restart of the operator neither loses nor doubles one.",
        max_length=MAX_EVENTS,
    )
    inputs: list[StatusInput] = Field(description="What the answer rests on.", max_length=64)
    nodes: int = Field(description="Nodes audited.")
    pods: int = Field(description="Pods audited.")
    last_audit_time: Moment = Field(description="When the cluster was last audited.")


class Report(Shape):
    """What is wrong with this cluster, and what the actual cause is."""

    spec: Spec = Field(Spec(), description="What is wanted of the report.")
    status: Status | None = Field(None, description="What the audit says.")
