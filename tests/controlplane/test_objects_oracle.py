"""Whatever a real API server takes is modelled, or skipped with a reason and counted.

Objects are made of the server's own schema. `CLUSTER_AUDIT_OBJECTS` and `CLUSTER_AUDIT_SEED` in the
environment make it larger, and another one.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from clusteraudit.model.kinds import KINDS, USAGE, Kind
from clusteraudit.report.crd import crd
from controlplane import ApiError, ControlPlane, Object
from controlplane.components import API_SERVER, ETCD
from demo.operator import Operator, report, status_of
from support import spec

COUNT = int(os.environ.get("CLUSTER_AUDIT_OBJECTS", "240"))
SEED = int(os.environ.get("CLUSTER_AUDIT_SEED", "1"))
ROUND = 480
"""Objects after which all is compared."""
INTRICATE = ("Pod", "Pod", "Pod", "Deployment", "StatefulSet", "DaemonSet", "EndpointSlice")
"""Kinds with so many fields that they are tried more often."""
NAMESPACES = ("hostile-a", "hostile-b")
PUT_BACK = 4
"""How often what the server names in its refusal is taken out."""
SERIES = re.compile(r'cluster_audit_operator_kind_(objects|skipped)\{kind="(\w+)"\} (\S+)')


@dataclass
class Tally:
    tried: int = 0
    refused: int = 0
    created: Counter[str] = field(default_factory=Counter)
    statuses: int = 0
    last: float = 0.0
    """When the server took the last of them."""
    skipped: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def server() -> Iterator[ControlPlane]:
    """etcd and the API server alone: nobody else acts on what is created."""
    with ControlPlane(components=(ETCD, API_SERVER)) as started:
        started.install_metrics()
        started.apply([crd()])
        for name in NAMESPACES:
            started.add_namespace(name)
        started.apply([report(publishInterval=1)])
        started.wait(lambda: described(started), 60, "the schema of usage")
        yield started


def described(server: ControlPlane) -> bool:
    """Whether the server tells the schema of usage: it does so a moment after it serves it."""
    try:
        said = spec.Schemas(server.api.request("GET", "/openapi/v3/apis/metrics.k8s.io/v1beta1"))
        return all(said.of("metrics.k8s.io", "v1beta1", one) for one in USAGE)
    except (ApiError, LookupError):
        return False


@pytest.fixture(scope="module")
def operator(server: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    log = tmp_path_factory.mktemp("hostile") / "log"
    with Operator(server.kubeconfig, log) as running:
        yield running
        assert running.process is not None
        assert running.process.poll() is None
        assert running.stop(60) == 0  # how soon it stops is another test's question


class Source:
    """Makes objects of every audited kind, one after the other."""

    def __init__(self, server: ControlPlane, seed: int) -> None:
        self.rng = Random(seed)
        self._server = server
        self._schemas: dict[str, spec.Schemas] = {}
        self._names: list[tuple[str, str, str]] = []
        self._number = 0

    def schemas(self, kind: Kind) -> spec.Schemas:
        root = "apis" if "/" in kind.api_version else "api"
        path = f"/openapi/v3/{root}/{kind.api_version}"
        if path not in self._schemas:
            self._schemas[path] = spec.Schemas(self._server.api.request("GET", path))
        return self._schemas[path]

    def make(self, kind: Kind, fields: int) -> Object:
        rng, made = self.rng, spec.plain(kind.name)
        self._number += 1
        made |= {"apiVersion": kind.api_version, "kind": kind.name}
        named = made.setdefault("metadata", {})
        named["name"] = self._name(kind)
        if kind.namespaced:
            named["namespace"] = rng.choice(NAMESPACES)
        group, _, version = kind.api_version.rpartition("/")
        schemas = self.schemas(kind)
        spec.Maker(schemas, rng).spoil(made, schemas.of(group, version, kind.name), fields=fields)
        self._more(kind, made)
        self._names.append((kind.api_version, kind.name, named["name"]))
        return made

    def _name(self, kind: Kind) -> str:
        stem = f"{kind.plural[:20]}-{self._number}"
        long = f"{stem}.{spec.LONG}"[:253].rstrip(".-")
        return long if self.rng.random() < 0.05 and kind.name != "Service" else stem

    def _more(self, kind: Kind, made: Object) -> None:
        meta, rng = made["metadata"], self.rng
        if rng.random() < 0.3:
            meta["ownerReferences"] = spec.owned(rng, self._names[-200:])
        if rng.random() < 0.02:
            meta["annotations"] = spec.annotated(rng)
        if rng.random() < 0.02:
            meta["labels"] = spec.labelled()
        if kind.name == "Pod" and rng.random() < 0.03:
            spec.laden(made["spec"], rng)


def create(server: ControlPlane, made: Object) -> Object | ApiError:
    """As the server took it, what it named in a refusal left out; or why it did not."""
    for turn in range(PUT_BACK + 1):
        try:
            return server.api.create_one(made)
        except ApiError as error:
            named = [] if turn == PUT_BACK else [*refused_fields(error)]
            if not less(made, named):
                return error
    raise AssertionError("unreachable")


def less(made: Object, fields: Iterable[list[str | int]]) -> bool:
    """Take these fields away; whether one of them was there."""
    return sum(spec.without(made, path) for path in fields) > 0


def refused_fields(error: ApiError) -> Iterator[list[str | int]]:
    """What is wrong, as the API server says."""
    for named in error.fields:
        yield from spec.paths(named)


def with_status(server: ControlPlane, source: Source, kind: Kind, held: Object) -> bool:
    """Give it a status, which creating it leaves out."""
    group, _, version = kind.api_version.rpartition("/")
    schemas = source.schemas(kind)
    below = schemas.of(group, version, kind.name)["properties"].get("status")
    if below is None or kind.name in USAGE:
        return False
    made = {"status": spec.Maker(schemas, source.rng).value(below, "status", 0)}
    for _ in range(PUT_BACK):
        try:
            server.api.patch(held, made, "status")
        except ApiError as error:
            if not less(made, refused_fields(error)):
                return False
        else:
            return True
    return False


def served(server: ControlPlane, kind: Kind) -> int:
    return len(server.api.items(kind.api_version, kind.name))


def figures(operator: Operator) -> dict[str, dict[str, int]]:
    """What the operator says that it holds, and has skipped, by kind."""
    found: dict[str, dict[str, int]] = {}
    for what, kind, value in SERIES.findall(operator.get("/metrics", operator.metrics_port)):
        found.setdefault(kind, {})[what] = int(float(value))
    return found


def all_told(server: ControlPlane, operator: Operator) -> bool:
    """Whether each object that the server holds is modelled, or skipped and counted."""
    told = figures(operator)
    return all(
        told[kind.name]["objects"] + told[kind.name]["skipped"] == served(server, kind)
        for kind in KINDS.values()
        if kind.name not in USAGE
    )


def command(server: ControlPlane, *arguments: str) -> str:
    env = {**os.environ, "KUBECONFIG": str(server.kubeconfig)}
    run = [sys.executable, "-m", "clusteraudit", *arguments]
    done = subprocess.run(run, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def round_of(server: ControlPlane, source: Source, tally: Tally, number: int) -> list[Object]:
    """So many attempts, the kinds in turn; what is refused is tried again with less in it."""
    kinds, made = [*KINDS.values(), *(KINDS[one] for one in INTRICATE)], []
    end, turn, fields = tally.tried + number, 0, 8
    while tally.tried < end:
        kind = kinds[turn % len(kinds)]
        tally.tried += 1
        answer = create(server, source.make(kind, source.rng.randint(1, fields)))
        if isinstance(answer, ApiError):
            tally.refused += 1
            turn, fields = (turn, fields // 2) if fields > 1 else (turn + 1, 8)
            continue
        turn, fields = turn + 1, 8
        made.append(answer)
        tally.created[kind.name] += 1
        tally.last = time.time()
        if source.rng.random() < 0.5:
            tally.statuses += with_status(server, source, kind, answer)
    return made


def compared(server: ControlPlane, tally: Tally, tmp_path: Path) -> Any:
    """A live scan and one of a snapshot say the same, and no rule fails."""
    file, now = tmp_path / "hostile.jsonl.gz", ["--now", "2031-01-01T00:00:00Z", "-o", "json"]
    live = command(server, "scan", *now)
    command(server, "snapshot", "-o", str(file))
    again = command(server, "scan", "-f", str(file), *now)
    one, other = json.loads(live), json.loads(again)
    assert one["findings"] == other["findings"], (SEED, tally.tried)
    assert one["rules"] == other["rules"], (SEED, tally.tried)
    assert [each for each in one["rules"] if each["error"]] == [], (SEED, tally.tried)
    return one


def test_whatever_the_server_takes_is_survived(
    server: ControlPlane, operator: Operator, tmp_path: Path
) -> None:
    source, tally = Source(server, SEED), Tally()
    rounds = range(max(1, COUNT // ROUND))
    for _ in rounds:
        made = round_of(server, source, tally, min(COUNT, ROUND))
        server.wait(lambda: all_told(server, operator), 60, "each object to be told of")
        said = compared(server, tally, tmp_path)
        for one in said["inputs"]["skipped"]:
            tally.skipped[one["object"].split(" ")[0]] += 1
            tally.why[one["reason"]] += 1
        assert_alive(server, operator, tally.last)
        holds = figures(operator)
        ours = Counter(one["object"].split(" ")[0] for one in said["inputs"]["skipped"])
        for kind in KINDS:
            if kind not in USAGE:
                assert holds[kind]["skipped"] == ours[kind], (SEED, tally.tried, kind)
        print(f"\nseed {SEED}: {tally}", flush=True)
        server.delete([one for one in made if one["kind"] != "Namespace"], grace=0)
    server.wait(lambda: all_told(server, operator), 60, "what was deleted to be gone")
    assert set(tally.created) == set(KINDS), "of every kind something was taken"
    assert sum(tally.created.values()) > tally.tried // 3


def assert_alive(server: ControlPlane, operator: Operator, since: float) -> None:
    """The process runs, an audit is younger than that, and nothing was thrown."""
    assert operator.process is not None
    assert operator.process.poll() is None

    def audited() -> bool:
        text = operator.get("/metrics", operator.metrics_port)
        found = re.search(r"^cluster_audit_last_audit_timestamp_seconds (\S+)", text, re.MULTILINE)
        return found is not None and float(found[1]) >= int(since) - 1

    server.wait(audited, 60, "an audit after the objects")
    assert status_of(server)["lastAuditTime"]
    log = operator.log.read_text()
    assert "Traceback" not in log, log[log.index("Traceback") - 2000 :][:6000]
    assert log.replace("\n", "").isprintable()
