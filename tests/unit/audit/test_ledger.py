"""What becomes of an open finding when its rule cannot tell of somebody."""

from clusteraudit.audit.audit import Audit
from clusteraudit.model import build
from clusteraudit.model.build import NOW, Manifest
from clusteraudit.model.store import Change
from clusteraudit.rules.catalogue import catalogue
from support.clusters import audit_of, changes_of


def full(pool: str, cpu: str) -> list[Manifest]:
    """A pool of one node, and a pod that requests so much of its 8 CPU."""
    node = build.node(f"node-{pool}", "8", labels={"agentpool": pool})
    return [node, build.pod(f"pod-{pool}", on=f"node-{pool}", cpu=cpu)]


def usage(pool: str) -> Manifest:
    return build.node_usage(f"node-{pool}", "100m", "1Gi")


def two_pools() -> Audit:
    """Both are full on paper, and of the second nobody knows what it uses."""
    rules = catalogue().only(["full-on-paper"])
    return audit_of(rules, [*full("a", "8"), usage("a"), *full("b", "8")])[0]


def test_what_is_unknown_of_another_keeps_nothing_open() -> None:
    audit = two_pools()
    assert [str(one.finding.subject) for one in audit.step(now=NOW).entries] == ["Pool a"]

    after = audit.step(changes_of(full("a", "1")), now=NOW)
    assert after.entries == ()
    assert after.tallies[0].outcome == "unknown"


def test_what_is_unknown_of_whom_it_is_about_keeps_it_open_and_stale() -> None:
    audit = two_pools()
    lost = [Change(one.kind, one.key, None) for one in changes_of([usage("a")])]
    after = audit.step(lost, now=NOW)

    assert [(str(one.finding.subject), one.stale) for one in after.entries] == [("Pool a", True)]


def test_who_takes_over_goes_on_from_what_the_other_has_published() -> None:
    """Both have found the same; one was the first, and only it has found something else too."""
    rules = catalogue().only(["full-on-paper"])
    both = [*full("a", "8"), usage("a"), *full("b", "8")]
    _, published = audit_of(rules, [*both, usage("b")], now=NOW)
    heirs, _ = audit_of(rules, both, now=NOW + 60)
    seen = {one.fingerprint: one.since for one in published.entries}
    taken = heirs.adopt(seen, published.entries, NOW + 120)

    told = {str(one.finding.subject): (one.since, one.stale) for one in taken.entries}
    assert told == {"Pool a": (NOW, False), "Pool b": (NOW, True)}, "of b the heir cannot tell"
    again = heirs.step(changes_of([usage("b")]), now=NOW + 180, settled=True)
    assert {(one.since, one.stale) for one in again.entries} == {(NOW, False)}
    after = heirs.step(changes_of(full("a", "1")), now=NOW + 240, settled=True)
    assert [str(one.finding.subject) for one in after.entries] == ["Pool b"]


def test_what_the_other_has_published_and_is_over_does_not_come_back() -> None:
    rules = catalogue().only(["full-on-paper"])
    _, published = audit_of(rules, [*full("a", "8"), usage("a")], now=NOW)
    heirs, _ = audit_of(rules, [*full("a", "1"), usage("a")], now=NOW)
    seen = {one.fingerprint: one.since for one in published.entries}

    assert published.entries
    assert heirs.adopt(seen, published.entries, NOW + 60).entries == ()
