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
