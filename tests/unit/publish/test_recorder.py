"""The recorder against a scripted server: what it sends, and what it makes of each answer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from clusteraudit.kube.errors import UnreachableError
from clusteraudit.kube.session import Session
from clusteraudit.model.rows import Ref
from clusteraudit.publish.recorder import Dropped, DroppedError, LaterError, Recorder
from clusteraudit.report.resource import StatusEvent
from clusteraudit.report.shapes import ObjectReference
from support.apiserver import Answer, Server, refuses, says, serving
from support.credentials import Credentials

AT = "2026-01-01T12:00:00Z"
MICRO = "2026-01-01T12:00:00.000000Z"
ROOT = "/apis/events.k8s.io/v1/namespaces"
EVENTS = f"{ROOT}/shop/events"
NAME = "0123456789abcdef.opened"
BUDGETS = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
TERMINATING = (
    'events "x" is forbidden: unable to create new content in namespace shop '
    "because it is being terminated"
)


def event(about: ObjectReference | None = None, at: str = AT) -> StatusEvent:
    return StatusEvent(
        name=NAME,
        at=at,
        type="Warning",
        reason="BudgetBlocksDrain",
        action="Opened",
        regarding=about or reference("policy/v1", "PodDisruptionBudget", "db"),
        related=None,
        note="No pod may ever be evicted.",
    )


def reference(api_version: str, kind: str, name: str, namespace: str = "shop") -> ObjectReference:
    return ObjectReference(api_version=api_version, kind=kind, namespace=namespace, name=name)


def metadata(**more: Any) -> Answer:
    return says({"items": [{"metadata": {"uid": "u-1", **more}}]})


def there(last: str = "", count: int = 0) -> Answer:
    """An Event of that name, as it is read."""
    series = {"series": {"count": count, "lastObservedTime": last}} if count else {}
    return says({"metadata": {"resourceVersion": "7"}, "eventTime": MICRO, **series})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusteraudit.kube.gate.backoff", lambda *_: 0.01)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        running.on(BUDGETS, metadata())
        yield running


async def send(server: Server, one: StatusEvent | None = None, child: Ref | None = None) -> bool:
    async def child_of(_: Ref) -> Ref | None:
        return child

    async with Session(Credentials(server.url)) as session:
        return await Recorder(session, child_of).send(one or event())


async def test_an_event_has_the_uid_of_the_object_and_its_time(server: Server) -> None:
    server.on(EVENTS, says({}, 201))

    assert await send(server)
    assert server.asked[0] == (BUDGETS, {"fieldSelector": "metadata.name=db"})
    (verb, path, body) = server.written[0]
    assert (verb, path) == ("POST", EVENTS)
    assert body["metadata"] == {"namespace": "shop", "name": NAME}
    assert body["regarding"]["uid"] == "u-1"
    assert body["eventTime"] == MICRO
    assert (body["type"], body["reason"], body["action"]) == (
        "Warning",
        "BudgetBlocksDrain",
        "Opened",
    )
    assert body["reportingController"] == "cluster-audit"
    assert body["reportingInstance"]
    assert "series" not in body


async def test_an_object_of_the_cluster_is_told_of_in_default(server: Server) -> None:
    server.on("/api/v1/nodes", metadata())
    server.on(f"{ROOT}/default/events", says({}, 201))

    assert await send(server, event(reference("v1", "Node", "a", "")))
    body = server.written[0][2]
    assert body["metadata"]["namespace"] == "default"
    assert "namespace" not in body["regarding"]


async def test_the_report_has_a_uid_too(server: Server) -> None:
    path = "/apis/clusteraudit.io/v1alpha1/clusterauditreports"
    server.on(path, metadata())
    server.on(f"{ROOT}/default/events", says({}, 201))
    about = reference("clusteraudit.io/v1alpha1", "ClusterAuditReport", "cluster", "")

    assert await send(server, event(about))
    assert server.written[0][2]["regarding"]["uid"] == "u-1"


async def test_a_controller_of_an_unread_kind_has_the_uid_that_its_child_tells(
    server: Server,
) -> None:
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "u-9"}
    server.on("/apis/apps/v1/namespaces/shop/replicasets", metadata(ownerReferences=[owner]))
    server.on(EVENTS, says({}, 201))
    about = reference("argoproj.io/v1alpha1", "Rollout", "web")

    assert await send(server, event(about), Ref("apps/v1", "ReplicaSet", "shop", "web-1"))
    assert server.written[0][2]["regarding"]["uid"] == "u-9"


@pytest.mark.parametrize("answer", [refuses(404), refuses(403), says({"items": []})])
async def test_an_object_that_is_gone_or_not_shown_has_no_uid(
    server: Server, answer: Answer
) -> None:
    server.script[BUDGETS] = [answer]
    server.on(EVENTS, says({}, 201))

    assert await send(server)
    assert "uid" not in server.written[0][2]["regarding"]


async def test_what_was_sent_is_not_sent_again(server: Server) -> None:
    server.on(EVENTS, refuses(409))
    server.on(f"{EVENTS}/{NAME}", there())

    assert not await send(server)
    assert [verb for verb, _, _ in server.written] == ["POST"]


@pytest.mark.parametrize("at", ["2026-01-01T12:00:05Z", "2026-01-01T11:00:00Z"])
async def test_what_was_counted_is_not_counted_again(server: Server, at: str) -> None:
    server.on(EVENTS, refuses(409))
    server.on(f"{EVENTS}/{NAME}", there("2026-01-01T12:00:05.000000Z", 2))

    assert not await send(server, event(at=at))
    assert [verb for verb, _, _ in server.written] == ["POST"]


@pytest.mark.parametrize(("before", "count"), [(there(), 2), (there(MICRO, 4), 5)])
async def test_a_repetition_is_counted_in_the_series_alone(
    server: Server, before: Answer, count: int
) -> None:
    server.on(EVENTS, refuses(409))
    server.on(f"{EVENTS}/{NAME}", before, says({}))

    assert await send(server, event(at="2026-01-01T12:10:00Z"))
    series = {"count": count, "lastObservedTime": "2026-01-01T12:10:00.000000Z"}
    assert server.written[1:] == [
        (
            "PATCH",
            f"{EVENTS}/{NAME}",
            {"metadata": {"resourceVersion": "7"}, "series": series},
        )
    ]


async def test_somebody_else_counted_first(server: Server) -> None:
    later = "2026-01-01T12:10:00Z"
    server.on(EVENTS, refuses(409))
    counted = there(later.replace("Z", ".000000Z"), 2)
    server.on(f"{EVENTS}/{NAME}", there(), refuses(409), counted)

    assert not await send(server, event(at=later))
    assert [verb for verb, _, _ in server.written] == ["POST", "PATCH", "POST"]


async def test_an_event_that_expires_meanwhile_is_made_anew(server: Server) -> None:
    server.on(EVENTS, refuses(409), says({}, 201))
    server.on(f"{EVENTS}/{NAME}", refuses(404))

    assert await send(server)
    assert [verb for verb, _, _ in server.written] == ["POST", "POST"]


async def test_a_race_without_end_is_put_off(server: Server) -> None:
    server.on(EVENTS, refuses(409))
    server.on(f"{EVENTS}/{NAME}", refuses(404))

    with pytest.raises(LaterError):
        await send(server)
    assert len(server.written) == 5


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (refuses(403, TERMINATING), Dropped.NAMESPACE),
        (refuses(404, 'namespaces "shop" not found'), Dropped.NAMESPACE),
        (refuses(403, "no"), Dropped.FORBIDDEN),
        (refuses(422, "note is too long"), Dropped.REFUSED),
        (refuses(400), Dropped.REFUSED),
    ],
)
async def test_what_will_never_be_taken_is_dropped(
    server: Server, answer: Answer, why: Dropped
) -> None:
    server.on(EVENTS, answer)

    with pytest.raises(DroppedError) as dropped:
        await send(server)
    assert dropped.value.why is why


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_be_taken_later_says_when(server: Server, status: int) -> None:
    server.on(EVENTS, refuses(status, "not now", **{"Retry-After": "3"}))

    with pytest.raises(LaterError) as later:
        await send(server)
    assert later.value.after == 3


async def test_a_server_that_is_away_is_no_answer() -> None:
    async with serving() as running:
        away = Server(url=running.url)
    with pytest.raises(UnreachableError):
        await send(away)
