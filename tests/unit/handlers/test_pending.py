"""What is known of each kind: since when it is not, and what is left of what was skipped."""

import time

from structlog.testing import capture_logs

from clusteraudit.handlers.pending import Pending, changes
from clusteraudit.model.rows import NamespaceRow
from clusteraudit.sources.feed import KindState


def test_what_is_stale_is_unknown_since_it_was_heard_of_last() -> None:
    pending = Pending()
    pending.state("Node", KindState(synced=True, since=1))
    pending.take()
    pending.heard("Node", stale=True, silent=200)
    first = pending.take()[1]["Node"]
    pending.heard("Node", stale=True, silent=900)
    assert pending.take()[1] == {}, "nothing is new while it stays so"
    pending.heard("Node", stale=False, silent=0)
    after = pending.take()[1]["Node"]

    assert (first.state, first.reason) == ("none", "Stale")
    assert first.since is not None
    assert abs(time.time() - 200 - first.since) < 5
    assert after.state == "complete"


def test_usage_that_cannot_be_had_says_why() -> None:
    pending = Pending()
    pending.state("NodeMetrics", KindState(served=False, reason="Unavailable", since=7))
    evidence = pending.take()[1]["NodeMetrics"]
    assert (evidence.state, evidence.reason, evidence.since) == ("none", "Unavailable", 7)


def test_what_was_skipped_and_is_gone_is_counted_no_more() -> None:
    pending = Pending()
    pending.skipped("Pod", "n", "a", "InvalidQuantity", "1K")
    assert len(pending.skips) == 1
    pending.put("Pod", ("n", "a"), None)
    assert not pending.skips


def test_a_kind_that_was_refused_and_is_served_no_more_may_not_be_read_again() -> None:
    pending = Pending()
    with capture_logs() as logged:
        pending.state("Pod", KindState(forbidden=True, reason="Forbidden"))
        pending.state("Pod", KindState(synced=True, served=False, reason="NotServed"))
    assert [one["event"] for one in logged] == ["a kind may not be read"]


def test_a_refusal_and_its_end_are_told_once() -> None:
    pending = Pending()
    refused = KindState(forbidden=True, reason="Forbidden", since=1)
    with capture_logs() as logged:
        for state in (
            KindState(),
            refused,
            refused,
            KindState(synced=True),
            KindState(synced=True),
        ):
            pending.state("Pod", state)
    told = [(one["log_level"], one["event"], one["kind"]) for one in logged]
    assert told == [
        ("warning", "a kind may not be read", "Pod"),
        ("info", "a kind may be read again", "Pod"),
    ]


def test_what_comes_is_told_before_what_goes_and_of_each_object_the_last() -> None:
    pending = Pending()
    pending.put("Namespace", ("", "a"), NamespaceRow("", "a"))
    for name in "bcd":
        pending.put("Namespace", ("", name), None)
    pending.put("Namespace", ("", "c"), NamespaceRow("", "c"))
    rows, _ = pending.take()
    assert [(one.key[1], one.row is None) for one in changes(rows)] == [
        ("a", False),
        ("c", False),
        ("b", True),
        ("d", True),
    ]
    assert not pending.take()[0]
