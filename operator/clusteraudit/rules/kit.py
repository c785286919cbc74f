"""What a rule is made of: its declaration, its findings, its examples.

A rule is one pure generator under the decorator `rule`. A local rule is asked per subject, by
`(subject, cluster, settings)`; a cluster rule as a whole, by `(cluster, settings)`.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Literal, TypeAlias

import msgspec
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from clusteraudit.model.build import NOW, Manifest
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.printable import sentence
from clusteraudit.model.rows import Ref


class Severity(StrEnum):
    """How bad a finding is; members are ordered, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Layer(IntEnum):
    """Where a fault lives, from the ground up."""

    CONTROL_PLANE = 1
    NODE_CAPACITY = 2
    WORKLOAD = 3
    SCHEDULING = 4
    NETWORKING = 5
    STORAGE = 6

    def __str__(self) -> str:
        """As it is published: `L4`."""
        return f"L{self.value}"


class Failure(StrEnum):
    """Classes of failure."""

    CONTROL_PLANE = "control-plane degradation"
    SCHEDULING = "scheduling and resources"
    CONNECTIVITY = "connectivity and policy"
    STATE = "state and placement"
    IDENTITY = "identity and access"


class Turn(StrEnum):
    """What becomes of a finding, as Events tell it."""

    OPENED = "opened"
    RAISED = "raised"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True)
class EventKind:
    """What is the same in all Events of a rule and a turn: the API lets nobody change it later."""

    reason: str
    action: str
    type: EventType


ACTIONS: Mapping[Turn, str] = {
    Turn.OPENED: "Opened",
    Turn.RAISED: "SeverityRaised",
    Turn.RESOLVED: "Resolved",
    Turn.UNKNOWN: "EvidenceLost",
}

LOOPS: Mapping[str, str] = {
    "compute": "CMP",
    "storage": "STO",
    "network": "NET",
    "identity": "IDN",
    "controlplane": "CTL",
    "platform": "PLT",
}
"""Control loops, which are also the folders of rules, and the prefix of their codes."""

SubjectKind = Literal[
    "Workload",
    "Node",
    "PersistentVolumeClaim",
    "Namespace",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "StorageClass",
    "Cluster",
]

Value: TypeAlias = int | str | bool | tuple[str, ...]
Evidence: TypeAlias = tuple[tuple[str, Value], ...]
MAX_REFS = 10
MAX_NAMES = 5


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What a rule found: about whom, and the figures. Sentences are made of it later."""

    subject: Ref
    refs: tuple[Ref, ...] = ()
    evidence: Evidence = ()
    words: tuple[tuple[str, str], ...] = ()
    """Figures as people read them, for message and remedy only."""
    severity: Severity | None = None
    key: str = ""
    """Tells findings of one rule and subject apart."""


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """That a rule cannot tell of a subject, and which evidence is missing, in CamelCase."""

    subject: Ref
    missing: str


Answer: TypeAlias = Finding | Unknown


def found(
    subject: Ref,
    *,
    refs: Sequence[Ref] = (),
    severity: Severity | None = None,
    key: str = "",
    words: Mapping[str, str] | None = None,
    **evidence: Value,
) -> Finding:
    """A finding; keys of the evidence are camelCase and carry their unit."""
    distinct = tuple(dict.fromkeys(refs))[:MAX_REFS]
    spoken = tuple(sorted((words or {}).items()))
    return Finding(subject, distinct, tuple(sorted(evidence.items())), spoken, severity, key)


class Settings(BaseModel):
    """Settings of a rule: bounded fields, each with a sentence."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


@dataclass(frozen=True)
class Example:
    """A cluster in which a rule finds, or stays silent; one source for tests, demo and docs."""

    says: str
    objects: tuple[Manifest, ...]
    finds: bool
    mend: tuple[Manifest, ...] = ()
    """Objects that take the place of those of the same name; then nothing is found."""
    settings: Mapping[str, object] = field(default_factory=dict)
    now: int = NOW


Objects: TypeAlias = Manifest | Sequence[Manifest]


def broken(
    says: str, *objects: Objects, mend: Objects, settings: Mapping[str, object] | None = None
) -> Example:
    """A cluster with the fault, and what mends it."""
    return Example(says, _flat(objects), finds=True, mend=_flat((mend,)), settings=settings or {})


def sound(says: str, *objects: Objects, settings: Mapping[str, object] | None = None) -> Example:
    """A cluster that looks like it and has not the fault."""
    return Example(says, _flat(objects), finds=False, settings=settings or {})


def _flat(objects: Sequence[Objects]) -> tuple[Manifest, ...]:
    return tuple(
        one for each in objects for one in ((each,) if isinstance(each, dict) else tuple(each))
    )


Asked: TypeAlias = Callable[..., Iterator[Answer]]


class Needs(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Kinds that a rule reads, and those of them that must be known in full."""

    reads: tuple[str, ...]
    complete: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule as the catalogue holds it."""

    code: str
    title: str
    subject: SubjectKind
    layer: Layer
    failure: Failure
    severity: Severity
    reads: tuple[str, ...]
    """Kinds without which it cannot tell."""
    complete: tuple[str, ...]
    """Those of `reads` that must be known in full: what is absent would change the answer."""
    uses: tuple[str, ...]
    """Kinds that it reads for more words only."""
    leads_to: tuple[str, ...]
    """Names of rules whose findings can be effects of this one's."""
    message: str
    remedy: str
    examples: tuple[Example, ...]
    since: str
    hygiene: bool
    ask: Asked
    settings: type[Settings]
    loop: str
    local: bool
    forced: Severity | None = None
    """Set by whoever tunes the rule: stands before what the rule says itself."""

    @property
    def name(self) -> str:
        """`zone-without-node`."""
        return self.ask.__name__.replace("_", "-")

    @property
    def event(self) -> str:
        """`ZoneWithoutNode`, the reason of its Events."""
        return self.name.title().replace("-", "")

    def event_kind(self, turn: Turn) -> EventKind:
        """What Events say of this turn; of hygiene nothing is a warning but that it is not seen."""
        loud = turn is Turn.UNKNOWN or (turn is not Turn.RESOLVED and not self.hygiene)
        return EventKind(self.event, ACTIONS[turn], "Warning" if loud else "Normal")

    @property
    def page(self) -> str:
        """Its page: the docstring of its module."""
        return inspect.getdoc(inspect.getmodule(self.ask)) or ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind that it may read."""
        return (*self.reads, *self.uses)

    @cached_property
    def needs(self) -> Needs:
        """What it must know of."""
        return Needs(self.reads, self.complete)

    @cached_property
    def defaults(self) -> Settings:
        """Its settings where nobody has set any."""
        return self.settings()

    def say(self, finding: Finding) -> str:
        """The message of a finding."""
        return self._fill(self.message, finding)

    def advise(self, finding: Finding) -> str:
        """The remedy for a finding."""
        return self._fill(self.remedy, finding)

    def _fill(self, template: str, finding: Finding) -> str:
        parts = {name: _spoken(value) for name, value in finding.evidence}
        said = {"subject": finding.subject, **parts, **dict(finding.words)}
        return sentence(template.format_map(said))

    def severity_of(self, finding: Finding) -> Severity:
        """The one that is forced, else the finding's own, else the rule's."""
        return self.forced or finding.severity or self.severity


def _spoken(value: Value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def rule(
    *,
    code: str,
    title: str,
    subject: SubjectKind,
    layer: Layer,
    failure: Failure,
    severity: Severity,
    reads: Sequence[str],
    message: str,
    remedy: str,
    examples: Sequence[Example],
    since: str,
    complete: Sequence[str] = (),
    uses: Sequence[str] = (),
    leads_to: Sequence[str] = (),
    hygiene: bool = False,
    settings: type[Settings] = Settings,
) -> Callable[[Asked], Rule]:
    """Declare the function as a rule; the loop is the folder that its file is in."""

    def declare(ask: Asked) -> Rule:
        return Rule(
            code=code,
            title=title,
            subject=subject,
            layer=layer,
            failure=failure,
            severity=severity,
            reads=tuple(reads),
            complete=tuple(complete),
            uses=tuple(uses),
            leads_to=tuple(leads_to),
            message=message,
            remedy=remedy,
            examples=tuple(examples),
            since=since,
            hygiene=hygiene,
            ask=ask,
            settings=settings,
            loop=ask.__module__.split(".")[-2],
            local=len(inspect.signature(ask).parameters) == len(("subject", "cluster", "settings")),
        )

    return declare


def some(names: Sequence[str]) -> str:
    """Names for a sentence: the first few, and how many more there are."""
    shown = ", ".join(names[:MAX_NAMES])
    return shown if len(names) <= MAX_NAMES else f"{shown} and {len(names) - MAX_NAMES} more"


def count(number: int, one: str, many: str = "") -> str:
    """`1 pod`, `3 pods`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


__all__ = [
    "Answer",
    "Cluster",
    "Example",
    "Failure",
    "Finding",
    "Layer",
    "Ref",
    "Rule",
    "Settings",
    "Severity",
    "Unknown",
    "broken",
    "count",
    "found",
    "rule",
    "some",
    "sound",
]
