"""The audit's thread: what fails in it is heard of; and it holds nobody up."""

import asyncio
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from clusteraudit.audit import rehearsal
from clusteraudit.handlers import operator
from clusteraudit.handlers.engine import Engine
from clusteraudit.handlers.turns import Turns
from clusteraudit.kube.credentials import InClusterCredentials
from clusteraudit.model import build
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import COMPLETE
from support.clusters import rows_of


@pytest.mark.asyncio
async def test_a_drill_that_fails_is_logged_once_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rehearsal, "node_loss", refuse)
    pods = build.pods_of("web", 2, on="a")
    objects = [build.node("a"), build.node("b"), build.deployment("web", replicas=2), *pods]
    with Engine() as engine, capture_logs() as logged:
        await engine.step(rows_of(objects), dict.fromkeys(KINDS, COMPLETE), settled=True)
        assert (await engine.rehearse())[1]
    errors = [line for line in logged if line["log_level"] == "error"]
    assert [line["lost"] for line in errors] == ["node b"]


def test_rules_are_imported_before_there_is_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold the loop up for a tenth of a second."""
    held_up: list[asyncio.AbstractEventLoop] = []
    ran: list[Engine] = []

    class Noted(Engine):
        def __init__(self, turns: Turns) -> None:
            with suppress(RuntimeError):
                held_up.append(asyncio.get_running_loop())
            super().__init__(turns)

    async def run(_: object, __: object, engine: Engine, ___: object) -> None:
        ran.append(engine)

    monkeypatch.setattr(operator, "Engine", Noted)
    monkeypatch.setattr(operator, "_operate", run)
    operator.operate(InClusterCredentials("a", "1"), operator.Options())
    assert held_up == []
    assert len(ran) == 1
