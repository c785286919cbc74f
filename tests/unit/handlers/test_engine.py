"""The audit's thread: what fails in it is heard of."""

import pytest
from structlog.testing import capture_logs

from clusteraudit.audit import rehearsal
from clusteraudit.handlers.engine import Engine
from clusteraudit.model import build
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import COMPLETE
from support.clusters import changes_of


@pytest.mark.asyncio
async def test_a_drill_that_fails_is_logged_once_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rehearsal, "node_loss", refuse)
    pods = build.pods_of("web", 2, on="a")
    objects = [build.node("a"), build.node("b"), build.deployment("web", replicas=2), *pods]
    with Engine() as engine, capture_logs() as logged:
        await engine.step(changes_of(objects), dict.fromkeys(KINDS, COMPLETE), settled=True)
        assert (await engine.rehearse())[1]
    errors = [line for line in logged if line["log_level"] == "error"]
    assert [line["lost"] for line in errors] == ["node b"]
