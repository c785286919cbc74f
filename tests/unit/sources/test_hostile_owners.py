"""Names that an API server takes where no object of that name can be, and what becomes of them."""

import pytest
from structlog.testing import capture_logs

from clusteraudit.handlers.pending import Pending
from clusteraudit.model import build
from clusteraudit.model.rows import PodRow
from clusteraudit.report.resource import Spec
from clusteraudit.report.status import View, dump, status
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.sources.gather import of_manifests
from support.clusters import audit_of

ALL = catalogue()


def owned(**owner: str) -> build.Manifest:
    """A pod that waits, of an owner that nobody has checked."""
    made = build.pod("p", unschedulable=900, cpu="1")
    held = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u", **owner}
    meta = made["metadata"]
    assert isinstance(meta, dict)
    meta["ownerReferences"] = [{**held, "controller": True}]
    return made


@pytest.mark.parametrize(
    "owner",
    [{"kind": "x" * 3000}, {"name": "n" * 5000}, {"apiVersion": f"{'g' * 4000}/v1"}],
    ids=lambda one: next(iter(one)),
)
def test_what_is_too_long_for_an_object_owns_nothing(owner: dict[str, str]) -> None:
    (row,) = (one.row for one in of_manifests([owned(**owner)])[0] if one.kind == "Pod")

    assert isinstance(row, PodRow)
    assert row.template.owner is None
    result = audit_of(ALL, [owned(**owner), build.node("a", "100m")])[1]
    assert {str(one.finding.subject) for one in result.entries} >= {"Pod shop/p"}
    assert dump(status(result, ALL, View(Spec())))


def test_what_acts_owns_and_is_shown_as_text() -> None:
    result = audit_of(ALL, [owned(name="\x1b[2J\n"), build.node("a", "100m")])[1]

    assert result.entries
    assert all(one.message.isprintable() for one in result.entries)


def test_a_resource_of_a_long_name_is_reported() -> None:
    name = f"{'a' * 60}.{'b' * 60}.example.com/{'r' * 63}"
    node = build.node("a")
    held = node["status"]
    assert isinstance(held, dict)
    held["allocatable"][name] = "3"
    made = status(audit_of(ALL, [node])[1], ALL, View(Spec()))

    assert name in {one.resource for one in made.capacity}


def test_the_log_says_why() -> None:
    pending = Pending()
    with capture_logs() as logged:
        for number in range(300):
            for _ in range(2):
                pending.skipped("Pod", "n", f"p-{number}", "InvalidQuantity", "\x1b" * 5000)

    assert len(logged) == 100
    assert logged[0]["name"] == "p-0"
    assert logged[0]["why"].startswith(r"InvalidQuantity: \x1b")
    assert len(pending.skips) == 300
    pending.put("Pod", ("n", "p-0"), None)
    assert len(pending.skips) == 299
