"""Whom rules are asked of: objects of other kinds are evidence, and nobody's subject."""

from clusteraudit.audit.audit import Audit
from clusteraudit.model import build
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.sources.gather import of_manifests


def test_an_object_that_no_rule_is_asked_of_is_not_asked_as_an_owner_of_pods() -> None:
    objects = [
        build.volume("v", "a"),
        build.quota("q"),
        build.endpoints("e"),
        build.pod_usage("p", "1", "1Gi"),
    ]
    changes, evidence = of_manifests(objects, complete=())
    audit = Audit(catalogue().only(["pod-pending"]), build.NOW)
    audit.step(now=build.NOW)  # the first step asks everybody; this one those that are born

    result = audit.step(changes, evidence=evidence, now=build.NOW)

    assert result.asked == 0
    assert [(one.subjects, one.unknown) for one in result.tallies] == [(0, 0)]
