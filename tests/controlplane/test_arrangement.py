"""Kopf's contract: what we rely on of it, held against the real API server."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from clusteraudit.audit.audit import Audit, AuditResult, Tally
from clusteraudit.handlers import arrangement as module
from clusteraudit.handlers.arrangement import Arrangement
from clusteraudit.handlers.reports import Seen
from clusteraudit.kube.credentials import KubeconfigCredentials
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import COMPLETE
from clusteraudit.report.resource import PLURAL
from clusteraudit.rules.catalogue import catalogue
from controlplane import ControlPlane
from demo.operator import RELEASE, install, report, uninstall

USER = "kopf-alone"


class Told:
    """What the arrangement passed on."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.lost: list[str] = []

    def see(self, seen: Seen) -> None:
        self.seen.append(seen)

    def lose(self, name: str, uid: str) -> None:
        self.lost.append(name)


@pytest.fixture(scope="module")
def kubeconfig(plane: ControlPlane) -> Iterator[Path]:
    """A user of its own with the chart's rights, so that the audit log tells Kopf's part alone."""
    install(plane, report={"create": False})
    rbac = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": USER},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": RELEASE},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": USER}],
    }
    plane.apply([binding])
    yield plane.kubeconfig_for(USER)
    plane.delete([binding])
    uninstall(plane)


@pytest.fixture
async def running(plane: ControlPlane, kubeconfig: Path) -> AsyncIterator[tuple[Arrangement, Told]]:
    told = Told()
    credentials = KubeconfigCredentials(str(kubeconfig), None)
    arranged = Arrangement(credentials, told.see, told.lose)
    arranged.start()
    yield arranged, told
    start = time.monotonic()
    await asyncio.to_thread(arranged.stop)
    assert time.monotonic() - start < 3
    assert not arranged._thread.is_alive()
    plane.kubectl("delete", PLURAL, "--all")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.05)


def _so_many(delivered: list[str], number: int) -> bool:
    return len(delivered) == number


def result(error: str = "") -> AuditResult:
    made = Audit(catalogue(), 1).step(evidence=dict.fromkeys(KINDS, COMPLETE), now=1)
    if not error:
        return made
    tallies = [
        msgspec.structs.replace(one, error=1, reasons=("ZeroDivisionError: ",))
        if one.rule == error
        else one
        for one in made.tallies
    ]
    return msgspec.structs.replace(made, tallies=tuple(tallies))


async def test_the_life_of_a_report_is_attended(
    plane: ControlPlane, running: tuple[Arrangement, Told]
) -> None:
    _, told = running
    plane.apply([report("life", maxFindings=7)])
    await until(lambda: told.seen)
    assert told.seen[-1].spec["maxFindings"] == 7

    plane.apply([report("life", maxFindings=8)])
    await until(lambda: told.seen[-1].spec["maxFindings"] == 8)
    assert told.seen[-1].generation == 2

    count = len(told.seen)
    plane.kubectl("label", PLURAL, "life", "a=b")
    await asyncio.sleep(1)
    assert len(told.seen) == count

    plane.kubectl("delete", PLURAL, "life")
    await until(lambda: told.lost == ["life"])
    plane.apply([report("life")])
    await until(lambda: len(told.seen) == count + 1)


async def test_every_audit_is_delivered_to_the_handler_of_each_rule(
    plane: ControlPlane, running: tuple[Arrangement, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    arranged, told = running
    delivered: list[str] = []
    threads: list[threading.Thread] = []
    real = module._handler

    def recording(tally: Tally) -> Callable[..., Coroutine[None, None, None]]:
        handler = real(tally)

        async def outcome(**given: object) -> None:
            delivered.append(tally.rule)
            threads.append(threading.current_thread())
            await handler(**given)

        return outcome

    monkeypatch.setattr(module, "_handler", recording)
    plane.apply([report("delivery")])
    await until(lambda: told.seen)
    every = sorted(rule.code for rule in catalogue())
    for number in (1, 2, 3):
        arranged.tell(result())
        await until(partial(_so_many, delivered, number * len(every)))
    assert sorted(delivered) == sorted(every * 3)
    assert len(set(threads)) == 1, "a thread for each rule costs more than all that it does"


async def test_a_failure_of_one_rule_is_logged_there_and_stops_nothing(
    plane: ControlPlane, running: tuple[Arrangement, Told], caplog: pytest.LogCaptureFixture
) -> None:
    arranged, told = running
    plane.apply([report("failure")])
    await until(lambda: told.seen)
    with caplog.at_level(logging.ERROR):
        arranged.tell(result("CMP102"))
        await until(lambda: "CMP102: ZeroDivisionError" in caplog.text)
        caplog.clear()
        arranged.tell(result("STO101"))
        await until(lambda: "STO101: ZeroDivisionError" in caplog.text)
    assert "pod-pending" not in caplog.text


async def test_kopf_writes_nothing(plane: ControlPlane, running: tuple[Arrangement, Told]) -> None:
    arranged, told = running
    plane.apply([report("quiet")])
    await until(lambda: told.seen)
    arranged.tell(result("CMP102"))
    await asyncio.sleep(1)

    assert {one["verb"] for one in plane.audit_events(USER)} <= {"get", "list", "watch"}
