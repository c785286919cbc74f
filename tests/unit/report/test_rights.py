"""The rights: enough for what is declared, and nothing that writes what is audited."""

from clusteraudit.model.kinds import KINDS
from clusteraudit.report.rights import election, granted, rights, role
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.sources.resources import POLLED, WATCHED

ROLE = role(rights())
PAIRS = granted(ROLE)


def test_what_every_rule_reads_may_be_read() -> None:
    for rule in catalogue():
        for kind in (KINDS[name] for name in rule.kinds):
            assert ("list", kind.group, kind.plural) in PAIRS, rule.code


def test_what_is_followed_may_be_followed() -> None:
    for one in WATCHED:
        assert ("watch", one.api_version.rpartition("/")[0], one.plural) in PAIRS
    for one in POLLED:
        group = one.api_version.rpartition("/")[0]
        assert ("list", group, one.plural) in PAIRS
        assert ("watch", group, one.plural) not in PAIRS


def test_nothing_that_is_audited_may_be_written() -> None:
    audited = {(kind.group, kind.plural) for kind in KINDS.values()}
    verbs = {verb for verb, group, resource in PAIRS if (group, resource) in audited}

    assert verbs <= {"get", "list", "watch"}


def test_there_is_no_wildcard_and_no_secret() -> None:
    words = {word for pair in PAIRS for word in pair}
    assert not words & {"*", "secrets", "nodes/proxy", "pods/exec", "pods/log"}


def test_a_name_limits_only_its_own_row() -> None:
    named = [row for row in ROLE if "resourceNames" in row]
    assert [(row["resources"], row["verbs"]) for row in named] == [
        (["customresourcedefinitions"], ["get"])
    ]
    assert ("list", "apiextensions.k8s.io", "customresourcedefinitions") in PAIRS


def test_replicas_add_the_lease_by_name_and_to_make_it() -> None:
    rows = role(election("ours"))
    assert granted(rows) == {
        (verb, "coordination.k8s.io", "leases") for verb in ("get", "update", "create")
    }
    assert [row["verbs"] for row in rows if "resourceNames" not in row] == [["create"]]
    assert not granted(rows) & PAIRS


def test_every_right_says_what_it_is_for() -> None:
    assert all(one.why for one in rights())
