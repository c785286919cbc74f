"""All kinds that are watched: what is called alike has one text, whatever came first."""

import asyncio
import contextlib

import pytest

from clusteraudit.kube.session import Session
from clusteraudit.model.rows import Key, Row
from clusteraudit.sources.feed import KindState
from clusteraudit.sources.followed import followed
from clusteraudit.sources.resources import path, resource
from support.apiserver import lists, serving
from support.credentials import Credentials

ALIKE = ("Service", "Deployment", "PodDisruptionBudget")
"""As charts make them, in no order of theirs."""
CONTROLLED = ("Pod", "ReplicaSet")


class Sink:
    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        assert row is not None
        self.rows[kind] = row

    def state(self, kind: str, state: KindState) -> None:
        """Refused are the other kinds."""

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        raise AssertionError(message)


async def test_kinds_share_the_names_of_what_is_called_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many names were seen since."""
    monkeypatch.setattr("clusteraudit.sources.reader._named", lambda key: key)
    sink = Sink()
    async with serving() as server, Session(Credentials(server.url)) as session:
        for kind in (*ALIKE, *CONTROLLED):
            one = resource(kind)
            server.on(path(one.api_version, one.plural), lists("web"))
        informers, names = followed(session, sink)
        work = [asyncio.create_task(one.run()) for one in informers]
        async with asyncio.timeout(60):
            while sink.rows.keys() < {*ALIKE, *CONTROLLED}:
                await asyncio.sleep(0.01)
        for task in work:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    held = {id(sink.rows[kind].name) for kind in ALIKE}
    keys = {id(one.known["n", "web"]) for one in informers if one.kind in ALIKE}
    assert len(held) == len(keys) == 1
    assert names.get(("n", "web")) is not None
    assert names.get(("n", "other")) is None
