"""Go writes a list of nothing as null: that is an empty list, and no fault of the answer."""

from collections.abc import AsyncIterator

import pytest

from clusteraudit.kube.session import Session
from clusteraudit.model.rows import Ref
from clusteraudit.publish.recorder import Recorder
from clusteraudit.publish.status import ROOT, reports
from clusteraudit.report.resource import StatusEvent
from clusteraudit.report.shapes import ObjectReference
from support.apiserver import Server, says, serving
from support.credentials import Credentials


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as running:
        yield running


async def nobody(_: Ref) -> None:
    return None


async def test_an_event_about_what_is_gone_is_sent(server: Server) -> None:
    about = ObjectReference(api_version="v1", kind="Pod", namespace="n", name="gone")
    event = StatusEvent(
        name="f.resolved",
        at="2030-01-01T00:00:00Z",
        type="Normal",
        reason="Gone",
        action="Resolved",
        note="Resolved: it is gone",
        regarding=about,
    )
    server.on("/api/v1/namespaces/n/pods", says({"kind": "List", "items": None}))
    server.on("/apis/events.k8s.io/v1/namespaces/n/events", says({}))
    async with Session(Credentials(server.url)) as session:
        assert await Recorder(session, nobody).send(event)


async def test_no_reports_are_none(server: Server) -> None:
    server.on(ROOT, says({"items": None}))
    async with Session(Credentials(server.url)) as session:
        assert await reports(session) == {}
