"""Incremental equals full: after any changes, in any order, the audit says what a new one would."""

from collections.abc import Iterator, Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusteraudit.audit.audit import Audit
from clusteraudit.diagnose.chains import diagnose
from clusteraudit.model import build
from clusteraudit.model import store as module
from clusteraudit.model.build import NOW, Manifest
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import Change, Evidence, Store, api_group
from clusteraudit.rules.catalogue import catalogue
from support.clusters import EVERYTHING, changes_of


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """What is kept of large workloads alone is kept of small ones, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LARGE", 2)
        yield


NODES = ["n0", "n1", "n2"]
APPS = ["web", "db"]
NODE = st.sampled_from(NODES)
APP = st.sampled_from(APPS)
ZONE = st.sampled_from(["", "a", "b"])
CPU = st.sampled_from(["", "1", "2", "4", "5"])
WAIT = st.sampled_from([None, 0, 200, 400])
STATUSES: list[Manifest] = [
    {},
    {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": build.ago(600)}]},
    {
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [
            {
                "name": "app",
                "image": "registry.example.com/app:1",
                "state": {"waiting": {"reason": "ImagePullBackOff"}},
            }
        ],
    },
    {"phase": "Succeeded"},
]
"""Ready, unready, without an image, ended: parts of a workload's pods that change by themselves."""


@st.composite
def a_pod(draw: st.DrawFn) -> list[Manifest]:
    app, number = draw(APP), draw(st.integers(0, 2))
    controller = draw(st.sampled_from(["ReplicaSet", "StatefulSet", "Rollout", ""]))
    owner = build.owned_by(controller, f"{app}-1") if controller else []
    on = draw(st.sampled_from(["", *NODES]))
    made = build.pod(
        f"{app}-1-{number}",
        app=draw(APP),
        owner=owner,
        on=on,
        unschedulable=None if on else draw(WAIT),
        cpu=draw(CPU),
        memory=draw(st.sampled_from(["", "1Gi"])),
        claim=draw(st.sampled_from(["", "data"])),
        status=draw(st.sampled_from(STATUSES)),
    )
    if draw(st.integers(0, 3)) == 0:
        cast("Manifest", made["metadata"])["deletionTimestamp"] = build.ago(10)
    return [made]


def a_node() -> st.SearchStrategy[list[Manifest]]:
    cordoned = st.sampled_from([None, 3600, 90_000])
    cpu = st.sampled_from(["2", "4"])
    return st.builds(
        lambda name, cpu, zone, cordoned: [build.node(name, cpu, zone=zone, cordoned=cordoned)],
        NODE,
        cpu,
        ZONE,
        cordoned,
    )


def policies() -> st.SearchStrategy[list[Manifest]]:
    dns: dict[str, object] = {"ports": [{"protocol": "UDP", "port": 53}, {"port": 53}]}
    rules = st.sampled_from([[], [{}], [dns], [{"to": [{"podSelector": {}}]}]])
    app = st.sampled_from(["", "web", "gone"])
    return st.builds(
        lambda app, egress: [build.egress_policy("p", app=app, egress=egress)], app, rules
    )


def budgets() -> st.SearchStrategy[list[Manifest]]:
    return st.builds(
        lambda app, spec: [build.budget("b", app=app, **spec)],
        APP,
        st.sampled_from([{"maxUnavailable": 0}, {"minAvailable": 1}, {"maxUnavailable": "50%"}]),
    )


def usage() -> st.SearchStrategy[list[Manifest]]:
    amount = st.sampled_from(["1Gi", "16200Mi"])
    return st.builds(
        lambda node, much, app: [
            build.node_usage(node, "1", much),
            build.pod_usage(f"{app}-1-0", "1", "2Gi"),
        ],
        NODE,
        amount,
        APP,
    )


EXAMPLES = [one for rule in catalogue() for one in rule.examples]
PARTS = 6
"""Of one long test, so that it is shared between cores; `make check` plays the first two."""
"""Clusters in which rules find, or nearly: a change to one of them moves an answer."""

OBJECTS = st.one_of(
    st.sampled_from([[one] for example in EXAMPLES for one in (*example.objects, *example.mend)]),
    a_pod(),
    a_pod(),
    a_node(),
    policies(),
    budgets(),
    usage(),
    st.builds(lambda app: [build.deployment(app)], APP),
    st.builds(lambda app: [build.replica_set(app)], APP),
    st.just(build.cluster_dns()),
    st.sampled_from([[build.claim("data", "v")], [build.claim("data")]]),
    st.builds(lambda zone: [build.volume("v", zone)], st.sampled_from(["a", "b"])),
)


@st.composite
def a_step(draw: st.DrawFn) -> tuple[list[Change], dict[str, Evidence], int]:
    changes = changes_of(draw(OBJECTS))
    changes = [one for one in changes if not getattr(one.row, "synthetic", False)]
    if draw(st.booleans()):
        changes = [Change(one.kind, one.key, None) for one in changes]
    if draw(st.integers(0, 15)) == 0:
        changes.append(api_group("cilium.io"))
    evidence = {}
    if draw(st.integers(0, 7)) == 0:
        state = draw(st.sampled_from([Evidence("none", "Forbidden"), EVERYTHING["Pod"]]))
        evidence[draw(st.sampled_from(sorted(KINDS)))] = state
    return changes, evidence, draw(st.sampled_from([0, 0, 60, 400]))


def said(audit: Audit, now: int) -> tuple[object, ...]:
    result = audit.step(now=now)
    marks = [
        (one.fingerprint, one.message, one.severity) for one in result.entries if not one.stale
    ]
    return (marks, result.capacity), result.tallies, diagnose(result.entries, catalogue()).chains


def anew(store: Store, now: int) -> Audit:
    audit = Audit(catalogue(), now)
    rows = [Change(k, key, row) for k, table in store.tables.items() for key, row in table.items()]
    audit.step(rows, evidence=store.evidence, now=now)
    return audit


@pytest.mark.parametrize(
    "part", [0, 1, *(pytest.param(part, marks=pytest.mark.slow) for part in range(2, PARTS))]
)
@settings(max_examples=1500 // PARTS, deadline=None)
@given(st.data(), st.lists(a_step(), min_size=1, max_size=12))
def test_incremental_equals_full(
    part: int,
    data: st.DataObject,
    steps: Sequence[tuple[list[Change], dict[str, Evidence], int]],
) -> None:
    base, now = data.draw(st.sampled_from(EXAMPLES[part::PARTS])), NOW
    audit = Audit(catalogue(), now)
    audit.step(changes_of(base.objects), evidence=EVERYTHING, now=now)
    for changes, evidence, later in steps:
        now += later
        known = [c for c in changes if c.row or c.key in audit.store.tables[c.kind]]
        audit.step(known, evidence=evidence, now=now)
        marks, tallies, _ = said(audit, now)

        expected = said(anew(audit.store, now), now)
        assert (marks, tallies) == expected[:2]


@settings(max_examples=50, deadline=None)
@given(st.lists(a_step(), min_size=1, max_size=12))
def test_what_is_deleted_leaves_nothing_behind(
    steps: Sequence[tuple[list[Change], dict[str, Evidence], int]],
) -> None:
    audit = Audit(catalogue(), NOW)
    audit.step(evidence=EVERYTHING, now=NOW)
    for changes, _, _ in steps:
        audit.step([c for c in changes if c.row], now=NOW)
    store = audit.store
    rows = [Change(k, key, None) for k, table in store.tables.items() for key in table]
    result = audit.step(rows, evidence=EVERYTHING, now=NOW)

    assert result.entries == ()
    assert not any(store.tables.values())
    assert not any(store.buckets.values())
    assert not any(store.groups.values())
    assert not store.workloads
    assert not store.templates
    assert not store._pool
    assert not store._told
    whole = {rule.code for rule in catalogue() if not rule.local}
    openers = audit.cluster.recorder.opened
    assert {one for one in openers if isinstance(one, str)} == whole | {"capacity"}
    assert audit.cluster.recorder.values.keys() == {c for c in openers if isinstance(c, tuple)}


def test_a_change_of_one_pod_asks_few() -> None:
    audit = Audit(catalogue(), NOW)
    objects = [one for n in range(30) for one in build.pods_of(f"app-{n}", 3, on="n0")]
    audit.step(changes_of(objects), evidence=EVERYTHING, now=NOW)
    change = changes_of(
        [build.pod("app-1-1-0", app="app-1", owner=build.owned_by("ReplicaSet", "app-1-1"))]
    )

    assert audit.step(change, now=NOW).asked <= 3


def test_an_equal_row_asks_nobody() -> None:
    audit = Audit(catalogue(), NOW)
    objects = changes_of(build.pods_of("web", 3, on="n0"))
    audit.step(objects, evidence=EVERYTHING, now=NOW)

    assert audit.step(objects, now=NOW).asked == 0


def test_a_deadline_fires_without_an_event() -> None:
    audit = Audit(catalogue().only(["pod-pending"]), NOW)
    pods = build.pods_of("web", unschedulable=200, cpu="2", memory="1Gi")
    waiting = changes_of([build.node("n0", "1"), *pods])
    first = audit.step(waiting, evidence=EVERYTHING, now=NOW)
    assert first.entries == ()
    assert first.wake == NOW + 100

    due = audit.step(now=NOW + 100)
    assert [one.rule for one in due.entries] == ["CMP102"]


def test_first_seen_survives_a_restart() -> None:
    objects = changes_of([build.node("n0", "1"), *build.pods_of("web", unschedulable=900, cpu="2")])
    first = Audit(catalogue(), NOW)
    seen = {
        o.fingerprint: o.since for o in first.step(objects, evidence=EVERYTHING, now=NOW).entries
    }

    second = Audit(catalogue(), NOW + 5000, first_seen=seen)
    result = second.step(objects, evidence=EVERYTHING, now=NOW + 5000)

    assert seen
    assert {one.fingerprint: one.since for one in result.entries} == seen
