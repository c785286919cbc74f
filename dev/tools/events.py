"""The page of all Events, made of the rules' declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusteraudit.handlers.herald import ATTEMPTS, BURST, RATE
from clusteraudit.publish.recorder import Dropped
from clusteraudit.publish.summary import TOPICS, loop_kind, topic_kind
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import LOOPS, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusteraudit.rules.kit import EventKind

PAGE = "docs/events.md"
_HEAD = """# Events

The operator tells what becomes of a finding in `events.k8s.io/v1` Events of the object that it is
about, so that `kubectl describe` of a workload, a node, a claim or a budget shows them. (It shows
none of a NetworkPolicy or a Namespace; `kubectl events --for namespace/NAME` does.) They follow the
main report: its `namespaces` and `minSeverity` limit what is told. The first audit is the baseline
and tells nothing. Events of nodes, and of the report itself, are in namespace `default`, where
kubectl looks for them. What is no object, such as a pool or a zone, is told of with the report.

```sh
kubectl events -A --types=Warning               # the newest last
kubectl describe car cluster                    # the report's own
kubectl get events.events.k8s.io -A -o wide     # the API of these Events
```

The API server forgets an Event after an hour (`--event-ttl`). What is open now is in the report.
"""
_WHEN = {
    Turn.OPENED: "it is found",
    Turn.RAISED: "it is worse than it was",
    Turn.RESOLVED: "it is gone",
    Turn.UNKNOWN: "its evidence is missing; it stays open in the report, as stale",
}
_ONCE = f"""## Once

The name of an Event is `<fingerprint>.<transition>`; the transition is `opened`, `resolved`,
`unknown`, or `raised-` and the severity. Name, reason, action, type and note never change. When the
same happens again while the Event is there, its `series` is counted up.

Status and Events are one write: the status names the Events that it calls for (`status.events`)
until they are known to be sent. So a restart, a crash at any moment, or a second replica neither
loses nor doubles one ([how](decisions/0003-events.md)). What opens and closes between two writes of
the status (`publishInterval`) is told by neither.

At most {BURST} Events go at once and {RATE:g} a second in the long run, worst first; what is over
that is dropped. A server that refuses for now (429, 5xx) is asked {ATTEMPTS} times.
`cluster_audit_operator_events_dropped_total` counts what is dropped:

| reason | meaning |
|---|---|"""
_DROPPED = {
    Dropped.RATE: "More at once than the rate allows; the report has them.",
    Dropped.NAMESPACE: "The namespace is being terminated, or gone.",
    Dropped.FORBIDDEN: "The operator may not write Events there.",
    Dropped.REFUSED: "The API server does not take it.",
    Dropped.UNAVAILABLE: "The API server went on to refuse for now.",
}


def pages() -> dict[str, str]:
    """The page by its path."""
    parts = [
        _HEAD,
        "## Of findings\n",
        "| when | action | type of a failure | type of hygiene |\n|---|---|---|---|",
        *_turns(),
        "\n| reason | rule | type when opened |\n|---|---|---|",
        *_reasons(),
        "\n## Of the report\n",
        "| reason | action | type | when |\n|---|---|---|---|",
        *_report(),
        f"\n{_ONCE}",
        *(f"| `{why.value}` | {_DROPPED[why]} |" for why in Dropped),
    ]
    return {PAGE: "\n".join(parts) + "\n"}


def _turns() -> Iterator[str]:
    rules = list(catalogue())
    failure, hygiene = (next(one for one in rules if one.hygiene is each) for each in (False, True))
    for turn in Turn:
        loud, quiet = failure.event_kind(turn), hygiene.event_kind(turn)
        yield f"| {_WHEN[turn]} | `{loud.action}` | {loud.type} | {quiet.type} |"


def _reasons() -> Iterator[str]:
    for rule in catalogue():
        page = f"rules/{rule.loop}/{rule.name}.md"
        kind = rule.event_kind(Turn.OPENED)
        yield f"| `{kind.reason}` | [{rule.code}]({page}) {rule.title} | {kind.type} |"


def _report() -> Iterator[str]:
    for loop in LOOPS:
        worse = "its worst finding is worse than it was, and of medium severity or worse"
        yield _row(loop_kind(loop, healthy=False), worse)
        yield _row(loop_kind(loop, healthy=True), "no such finding is open any more")
    for topic in TOPICS:
        yield _row(topic_kind(topic, good=False), f"condition `{topic.condition}` turns False")
        yield _row(topic_kind(topic, good=True), f"condition `{topic.condition}` is True again")


def _row(kind: EventKind, when: str) -> str:
    return f"| `{kind.reason}` | `{kind.action}` | {kind.type} | {when} |"
