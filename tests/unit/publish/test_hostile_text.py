"""Names and labels that try to forge series, and a report that stays within what the API takes."""

import json
import random

import pytest
from prometheus_client.parser import text_string_to_metric_families

from clusteraudit.audit.audit import AuditResult
from clusteraudit.model.build import NOW
from clusteraudit.publish import audited
from clusteraudit.publish.audited import Audited
from clusteraudit.publish.events import NOTE_BYTES, Said, call, news
from clusteraudit.publish.metrics import render
from clusteraudit.report.resource import Spec
from clusteraudit.report.status import CAP_BYTES, View, dump, size, status
from clusteraudit.rules.catalogue import catalogue
from support import hostile
from support.clusters import audit_of

ALL = catalogue()
LONGEST = 1024
SEEDS = range(6)


def result_of(seed: int) -> AuditResult:
    """Every rule broken, in objects of hostile names and labels."""
    return audit_of(ALL, hostile.cluster(hostile.order(random.Random(seed))))[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_no_label_makes_a_series(seed: int) -> None:
    result = result_of(seed)
    text = render(audited.METRICS, Audited(result, ALL, Spec())).decode()
    families = list(text_string_to_metric_families(text))

    assert {one.name for one in families} <= {
        metric.exposed.removesuffix("_total") for metric in audited.METRICS
    }
    (score,) = (one for one in families if one.name == "cluster_audit_score")
    assert [one.value for one in score.samples] == [0.0]
    assert len(text.splitlines()) < 1500


@pytest.mark.parametrize("seed", SEEDS)
def test_the_status_is_what_the_api_takes(seed: int) -> None:
    made = status(result_of(seed), ALL, View(Spec()))

    assert len(made.findings) > 20
    assert size(made) <= CAP_BYTES
    json.dumps(dump(made)).encode()
    messages = [
        *(text for one in made.findings for text in (one.message, one.remedy)),
        *(one.summary for one in made.chains),
        *(one.message for one in made.conditions),
    ]
    assert all(one.isprintable() and len(one) <= LONGEST for one in messages)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_note_is_a_line_that_the_api_takes(seed: int) -> None:
    result = result_of(seed)
    nothing = Said({}, frozenset(), {})
    told = list(call(news(nothing, result, ALL, Spec()), result, ALL, "cluster", NOW))

    assert len(told) > 20
    for one in told:
        assert len(one.note.encode()) <= NOTE_BYTES
        assert one.note.isprintable()
