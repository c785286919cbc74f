"""Whom rules are asked of: objects of other kinds are evidence, and nobody's subject."""

import random

from clusteraudit.audit.audit import Audit, in_order
from clusteraudit.model import build
from clusteraudit.model.rows import Ref
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


def test_subjects_are_asked_in_the_order_that_sorting_gives_them() -> None:
    chance = random.Random(7)
    words = [("apps/v1", "v1"), ("Pod", "Node"), ("", "shop", "db"), tuple("abcdefghij")]
    subjects = {Ref(*map(chance.choice, words)) for _ in range(300)}
    assert list(in_order(subjects)) == sorted(subjects)
