"""The rights that the operator needs: one declaration for the chart, the tests and the docs.

Read what is audited, write the status of our own reports, Events, and the Lease by which replicas
elect who publishes; no wildcard, no Secret. A
verb is here only if it is used: a test compares with the API server's audit log.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clusteraudit.model.kinds import KINDS, USAGE, Kind
from clusteraudit.report.resource import GROUP, PLURAL
from clusteraudit.rules.catalogue import Catalogue, catalogue

WATCH = ("list", "watch")
"""What an informer asks for: servers that cannot stream a list are asked for it in pages."""
POLL = ("list",)
"""metrics.k8s.io has no watch."""


@dataclass(frozen=True)
class Right:
    """What may be done with some resources of an API group, and why."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()
    """Only objects of these names; all if empty."""

    def rule(self) -> dict[str, list[str]]:
        """As a row of a ClusterRole."""
        row = {"apiGroups": [self.group], "resources": list(self.resources)}
        if self.names:
            row["resourceNames"] = list(self.names)
        return {**row, "verbs": list(self.verbs)}


OWN = (
    Right(GROUP, (PLURAL,), ("get", "list", "watch"), "reports: what they ask for"),
    Right(GROUP, (f"{PLURAL}/status",), ("patch",), "reports: what the audit says"),
    Right(
        "events.k8s.io",
        ("events",),
        ("create", "get", "patch"),
        "Events: what becomes of a finding; one that is there is read, and counted up",
    ),
    Right(
        "apiextensions.k8s.io",
        ("customresourcedefinitions",),
        WATCH,
        "Kopf waits here for our definition to come, change or go",
    ),
    Right(
        "apiextensions.k8s.io",
        ("customresourcedefinitions",),
        ("get",),
        "whether our definition knows every field of the status",
        names=(f"{PLURAL}.{GROUP}",),
    ),
)
"""Beside what is audited."""


REVIEWS = (
    Right(
        "authentication.k8s.io",
        ("tokenreviews",),
        ("create",),
        "whose the token is that comes with a request for /metrics",
    ),
    Right(
        "authorization.k8s.io",
        ("subjectaccessreviews",),
        ("create",),
        "whether its owner may read /metrics",
    ),
)
"""Where the metrics ask for a token."""


def election(lease: str) -> tuple[Right, ...]:
    """In the operator's own namespace, where there is more than one replica."""
    group, leases = "coordination.k8s.io", ("leases",)
    return (
        Right(group, leases, ("get", "update"), "who of the replicas publishes", names=(lease,)),
        Right(group, leases, ("create",), "the Lease, if somebody has deleted it"),
    )


def rights() -> tuple[Right, ...]:
    """All of them: of what is audited by kind, then of our own."""
    rules = catalogue()
    return (*(_audited(kind, rules) for kind in KINDS.values()), *OWN)


def _audited(kind: Kind, rules: Catalogue) -> Right:
    codes = [rule.code for rule in rules if kind.name in rule.kinds]
    verbs = POLL if kind.name in USAGE else WATCH
    return Right(kind.group, (kind.plural,), verbs, ", ".join(codes) or "the model")


def role(every: Iterable[Right]) -> list[dict[str, list[str]]]:
    """The rows of a ClusterRole: resources of one group with the same verbs share a row."""
    rows: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for one in every:
        rows.setdefault((one.group, one.verbs, one.names), []).extend(one.resources)
    return [
        Right(group, tuple(sorted(resources)), verbs, "", names).rule()
        for (group, verbs, names), resources in rows.items()
    ]


def granted(rules: Iterable[Mapping[str, list[str]]]) -> set[tuple[str, str, str]]:
    """Verb, group and resource of all that the rows of a ClusterRole allow."""
    return {
        (verb, group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
