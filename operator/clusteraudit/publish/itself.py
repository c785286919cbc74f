"""Metrics of the operator itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clusteraudit.publish.metrics import Metric, Samples
from clusteraudit.publish.recorder import Dropped
from clusteraudit.publish.summary import ACTIONS_OF_ALL


@dataclass(frozen=True)
class KindFigures:
    """Of one kind: whether it is in sync, how much of it there is, how it is followed."""

    synced: bool
    objects: int
    relists: int
    skipped: int
    silent: float
    """Seconds since it was heard of."""


@dataclass(frozen=True)
class Figures:
    """Everything that is measured of the operator, at one moment."""

    version: str
    leader: bool
    kinds: Mapping[str, KindFigures]
    tasks: int
    audits: int
    audit_cpu_seconds: float
    status_writes: int
    status_failures: int
    events_sent: Mapping[str, int]
    """By action; those counted up included."""
    events_dropped: Mapping[Dropped, int]
    """By reason."""
    events_waiting: int
    requests: Mapping[tuple[str, str, int], int]
    stalls: Mapping[str, float]
    """The longest of the event loop in the last minutes: `wall` by the clock, `cpu` its own."""
    cpu_seconds: Mapping[str, float]
    """CPU time so far, by what it went into."""
    log_dropped: int
    """Lines that nobody took in time."""


def _one(value: Callable[[Figures], float]) -> Callable[[Figures], Samples]:
    return lambda figures: {(): value(figures)}


def _kinds(value: Callable[[KindFigures], float]) -> Callable[[Figures], Samples]:
    return lambda figures: {(kind,): value(one) for kind, one in figures.kinds.items()}


def _requests(figures: Figures) -> Samples:
    return {(verb, what, str(code)): n for (verb, what, code), n in figures.requests.items()}


METRICS: tuple[Metric[Figures], ...] = (
    Metric(
        "operator_build_info",
        "Version of the operator, as a label.",
        lambda figures: {(figures.version,): 1},
        ("version",),
    ),
    Metric(
        "operator_leader",
        "1 if this replica publishes; others keep their model warm.",
        _one(lambda f: f.leader),
    ),
    Metric("operator_tasks", "Tasks of the operator's loop.", _one(lambda f: f.tasks)),
    Metric("operator_audits", "Audits done.", _one(lambda f: f.audits), kind="counter"),
    Metric(
        "operator_last_audit_cpu_seconds",
        "CPU time of the last audit.",
        _one(lambda f: f.audit_cpu_seconds),
    ),
    Metric(
        "operator_loop_stall_seconds",
        "Longest time in the last minutes for which the event loop had no turn for others: by the"
        " clock (wall), without what its thread or that of the audit waited for a core (process),"
        " and the CPU time of its own (cpu). Wall without process is a lack of CPU.",
        lambda figures: {(one,): seconds for one, seconds in figures.stalls.items()},
        ("time",),
    ),
    Metric(
        "operator_cpu_seconds",
        "CPU time of the event loop, of audits and of drills in the background.",
        lambda figures: {(one,): seconds for one, seconds in figures.cpu_seconds.items()},
        ("part",),
        "counter",
    ),
    Metric(
        "operator_log_dropped",
        "Log lines that were not written, since whoever takes them was too slow.",
        _one(lambda f: f.log_dropped),
        kind="counter",
    ),
    Metric(
        "operator_status_writes",
        "Statuses of reports written.",
        _one(lambda f: f.status_writes),
        kind="counter",
    ),
    Metric(
        "operator_status_failures",
        "Statuses of reports that were refused.",
        _one(lambda f: f.status_failures),
        kind="counter",
    ),
    Metric(
        "operator_events_sent",
        "Events sent, new ones and repetitions.",
        lambda figures: {(one,): figures.events_sent.get(one, 0) for one in ACTIONS_OF_ALL},
        ("action",),
        "counter",
    ),
    Metric(
        "operator_events_dropped",
        "Events that were called for and given up.",
        lambda figures: {(why.value,): figures.events_dropped.get(why, 0) for why in Dropped},
        ("reason",),
        "counter",
    ),
    Metric(
        "operator_events_waiting",
        "Events that are called for and not sent yet.",
        _one(lambda figures: figures.events_waiting),
    ),
    Metric(
        "operator_kind_synced",
        "1 if a kind is known in full.",
        _kinds(lambda one: one.synced),
        ("kind",),
    ),
    Metric(
        "operator_kind_silent_seconds",
        "Seconds since anything was heard of a kind; over 150 its rules cannot tell.",
        _kinds(lambda one: one.silent),
        ("kind",),
    ),
    Metric("operator_kind_objects", "Objects known.", _kinds(lambda one: one.objects), ("kind",)),
    Metric(
        "operator_kind_skipped",
        "Objects that cannot be evaluated.",
        _kinds(lambda one: one.skipped),
        ("kind",),
    ),
    Metric(
        "operator_kind_relists",
        "Lists made again.",
        _kinds(lambda one: one.relists),
        ("kind",),
        "counter",
    ),
    Metric(
        "operator_api_requests",
        "Requests to the API server.",
        _requests,
        ("verb", "resource", "code"),
        "counter",
    ),
)
