"""Metrics of what the audit says. What cannot be told has no sample: 0 would be an answer."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from clusteraudit.audit.audit import AuditResult
from clusteraudit.audit.ledger import Entry
from clusteraudit.diagnose.chains import diagnose
from clusteraudit.publish.metrics import Metric, Samples
from clusteraudit.report.resource import Spec
from clusteraudit.report.scan import chains, score
from clusteraudit.report.status import shown
from clusteraudit.rules.catalogue import Catalogue
from clusteraudit.rules.kit import Severity
from clusteraudit.simulate.capacity import COMPUTE, Group, Measure, headroom
from clusteraudit.simulate.drill import Verdict

MAX_POOLS = 50
"""Pools that have series, those with most allocatable: 50 x 2 resources x 4 metrics."""
MAX_ZONES = 20
"""Zones that have a series, by name."""
_BASE = {"cpu": 1000}
"""Base units of the model in one of Prometheus': millicores in a core."""


@dataclass(frozen=True)
class Audited:
    """A result, as the main report views it."""

    result: AuditResult
    catalogue: Catalogue
    spec: Spec

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Findings that the report shows, those included for which it has no room."""
        return tuple(one for one in self.result.entries if shown(one, self.spec))

    @cached_property
    def pools(self) -> tuple[tuple[str, Measure], ...]:
        """CPU and memory of the pools that have series."""
        found = self.result.capacity
        pools = _largest(found.pools) if found else ()
        return tuple((one.name, m) for one in pools for m in one.resources if m.resource in COMPUTE)


def _largest(pools: tuple[Group, ...]) -> tuple[Group, ...]:
    cpu = {one.name: m.allocatable for one in pools if (m := one.of("cpu"))}
    names = set(sorted(cpu, key=lambda name: (-cpu[name], name))[:MAX_POOLS])
    return tuple(one for one in pools if one.name in names)


def _findings(audited: Audited) -> Samples:
    number = Counter((one.rule, one.severity) for one in audited.entries)
    return {
        (rule.code, severity.value, rule.loop): number[rule.code, severity]
        for rule in audited.catalogue
        for severity in Severity
    }


def _info(audited: Audited) -> Samples:
    return {(rule.code, rule.name): 1 for rule in audited.catalogue}


def _unknown(audited: Audited) -> Samples:
    return {(one.rule,): one.unknown + one.error for one in audited.result.tallies}


def _cannot_tell(audited: Audited) -> Samples:
    return {
        (one.rule,): int(one.outcome == "unknown" or bool(one.unknown or one.error))
        for one in audited.result.tallies
    }


def _errors(audited: Audited) -> Samples:
    return {(rule,): number for rule, number in audited.result.errors}


def _score(audited: Audited) -> Samples:
    return {(): score(audited.entries)}


def _chains(audited: Audited) -> Samples:
    links = diagnose(audited.result.entries, audited.catalogue)
    return {(): len(chains(audited.entries, links, audited.catalogue))}


def _of_pools(value: Callable[[Measure], float | None]) -> Callable[[Audited], Samples]:
    def samples(audited: Audited) -> Samples:
        values = {(one.resource, pool): value(one) for pool, one in audited.pools}
        return {labels: number for labels, number in values.items() if number is not None}

    return samples


def _stranded(one: Measure) -> float | None:
    return None if one.stranded is None else one.stranded / _BASE.get(one.resource, 1)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _headroom(audited: Audited) -> Samples:
    found = audited.result.capacity
    return {(shape,): number for shape, number in headroom(found)} if found else {}


def _about(rule: str, kind: str) -> Callable[[Audited], Samples]:
    """How many objects of a kind the findings of a rule are about; silent while it cannot tell."""

    def samples(audited: Audited) -> Samples:
        found = next((one for one in audited.catalogue if one.name == rule), None)
        tally = next((t for t in audited.result.tallies if found and t.rule == found.code), None)
        if tally is None or tally.outcome in {"unknown", "error"}:
            return {}
        entries = (one for one in audited.entries if one.rule == tally.rule)
        refs = {ref for one in entries for ref in (one.finding.subject, *one.finding.refs)}
        return {(): sum(ref.kind == kind for ref in refs)}

    return samples


def _nodes_survivable(audited: Audited) -> Samples:
    """Of the nodes of which it can be told."""
    if audited.result.drills is None:
        return {}
    counts = audited.result.drills.counts
    kept = counts[Verdict.SURVIVES] + counts[Verdict.DEGRADES]
    ratio = _ratio(kept, kept + counts[Verdict.FAILS])
    return {} if ratio is None else {(): ratio}


def _zones_survivable(audited: Audited) -> Samples:
    zones = audited.result.drills.zones if audited.result.drills else ()
    told = ((name, said) for name, said in zones if said is not Verdict.UNKNOWN)
    return {(name,): int(said is not Verdict.FAILS) for name, said in islice(told, MAX_ZONES)}


METRICS: tuple[Metric[Audited], ...] = (
    Metric("findings", "Open findings.", _findings, ("rule", "severity", "loop")),
    Metric("rule_info", "Name of a rule, by its code.", _info, ("rule", "name")),
    Metric(
        "rule_unknown_subjects",
        "Objects of which a rule cannot tell, or for which it failed.",
        _unknown,
        ("rule",),
    ),
    Metric(
        "rule_cannot_tell",
        "1 if there is anything of which a rule cannot tell, or for which it failed.",
        _cannot_tell,
        ("rule",),
    ),
    Metric("rule_errors", "How often a rule failed.", _errors, ("rule",), "counter"),
    Metric("score", "100 less 25, 10, 3, 1 for each rule found, by its severity.", _score),
    Metric("chains", "Chains from a cause to what follows from it.", _chains),
    Metric(
        "fragmentation_ratio",
        "Share of what is free that the expected pod cannot use.",
        _of_pools(lambda one: one.fragmented),
        ("resource", "pool"),
    ),
    Metric(
        "stranded",
        "Free on nodes that take no pod of the cluster's own workload: cores, or bytes.",
        _of_pools(_stranded),
        ("resource", "pool"),
    ),
    Metric(
        "largest_fit",
        "The largest amount that is free on one node: cores, or bytes.",
        _of_pools(lambda one: one.largest / _BASE.get(one.resource, 1)),
        ("resource", "pool"),
    ),
    Metric(
        "overcommit_ratio",
        "Limits of all pods by allocatable; what is not limited is not in it.",
        _of_pools(lambda one: _ratio(one.limits, one.allocatable)),
        ("resource", "pool"),
    ),
    Metric(
        "headroom_pods",
        "Copies that fit, of the 20 most frequent shapes of pods.",
        _headroom,
        ("shape",),
    ),
    Metric(
        "eviction_risk_nodes",
        "Nodes on which memory pressure is near.",
        _about("eviction-risk", "Node"),
    ),
    Metric(
        "stranded_volumes",
        "Volumes that no node reaches which could run their pods.",
        _about("volume-out-of-reach", "PersistentVolume"),
    ),
    Metric(
        "node_loss_survivable_ratio",
        "Share of nodes whose loss leaves each workload a pod, and what its budget asks for.",
        _nodes_survivable,
    ),
    Metric(
        "zone_loss_survivable",
        "1 if the loss of the zone leaves each workload a pod, and what its budget asks for.",
        _zones_survivable,
        ("zone",),
    ),
    Metric(
        "last_audit_timestamp_seconds",
        "When the cluster was last audited.",
        lambda audited: {(): audited.result.now},
    ),
)
