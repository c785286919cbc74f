"""A cluster of objects alone, an operator behind a proxy, and random faults and churn for both.

No controllers run, so what is in the cluster is what was put there, and it is at rest at once.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from clusteraudit.model.kinds import KINDS, USAGE
from clusteraudit.report.crd import crd
from clusteraudit.report.rights import rights, role
from controlplane import ApiError, ControlPlane
from controlplane.faults import ANSWERS, ERRORS, Cut, Down, Stream, bookmark, deleted, error, grown
from controlplane.proxy import Proxy
from demo import stage
from demo.operator import NAMESPACE, RELEASE, USER, Operator, report, status_of
from support.staged import RULES, SPEC

PATIENCE = 60
PLURALS = [KINDS[kind].plural for kind in KINDS if kind not in USAGE]
OURS = ("clusterauditreports", "clusterauditreports/status")
NEVER_OF_EVENTS = {"403", "404", "410", "429-retry-never"}
"""Answers after which an Event is given up, or not sent within the minute, as is documented."""
ODD: tuple[Any, ...] = ("abc", "", "1", 7, None, "9" * 30)


@dataclass
class Faulty:
    """A plane, a proxy before it, an operator behind that."""

    plane: ControlPlane
    proxy: Proxy
    operator: Operator
    kubeconfig: Path
    """Of the operator's account, past the proxy."""

    def scan(self) -> dict[str, Any]:
        """A fresh audit of what there is now."""
        settings = self.kubeconfig.with_name("settings.yaml")
        settings.write_text(yaml.safe_dump({"spec": {"rules": SPEC["rules"]}}))
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        run = [sys.executable, "-m", "clusteraudit", "scan", "-o", "json"]
        run += ["--settings", str(settings)]
        done = subprocess.run(run, env=env, check=True, capture_output=True, text=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def equals(self, fresh: dict[str, Any]) -> bool:
        """Whether the report says what a fresh audit says; raises AssertionError if not."""
        status = status_of(self.plane)
        unlike = _findings(status["findings"]) ^ _findings(fresh["findings"])
        assert not unlike, f"findings of one of both: {unlike}"
        stale = [one["name"] for one in status["findings"] if one.get("stale")]
        assert not stale, f"stale: {stale}"
        unknown = {one["rule"] for one in fresh["rules"] if one["unknown"] or _blind(one)}
        blind = {one["rule"] for one in status["unknown"]} ^ unknown
        assert not blind, f"unknown in one of both: {blind}"
        objects = set(self.objects().items()) ^ set(fresh["inputs"]["kinds"].items())
        assert not objects, f"objects of one of both: {objects}"
        return True

    def objects(self) -> dict[str, int]:
        """How many of each kind the operator holds; those that it has none of are left out."""
        held = self.figure("cluster_audit_operator_kind_objects", "kind")
        return {kind: int(count) for kind, count in held.items() if count}

    def figure(self, name: str, label: str = "") -> dict[str, float]:
        """Samples of a metric by a label."""
        text = self.operator.get("/metrics", self.operator.metrics_port)
        families = {one.name: one.samples for one in text_string_to_metric_families(text)}
        return {one.labels.get(label, ""): one.value for one in families[name]}

    def converges(self, what: str) -> float:
        """Wait until the report says what a fresh audit says; the seconds that it took."""
        start = time.monotonic()
        fresh = self.scan()
        self.plane.wait(lambda: self.equals(fresh), PATIENCE, f"convergence {what}")
        assert self.operator.process is not None
        assert self.operator.process.poll() is None, "the operator has ended"
        return time.monotonic() - start

    def weight(self) -> dict[str, int]:
        """What grows when something leaks: open files, threads, tasks, resident memory in KiB."""
        assert self.operator.process is not None
        folder = Path("/proc") / str(self.operator.process.pid)
        lines = (folder / "status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        return {
            "files": len(list((folder / "fd").iterdir())),
            "threads": int(status["Threads"]),
            "tasks": int(self.figure("cluster_audit_operator_tasks")[""]),
            "KiB": int(status["VmRSS"].split()[0]),
        }


def _findings(found: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    return {(one["rule"], one["fingerprint"], one["severity"], one["message"]) for one in found}


def _blind(row: dict[str, Any]) -> bool:
    return bool(row["outcome"] == "unknown" or row["error"])


@contextmanager
def faulty(plane: ControlPlane, folder: Path, **spec: object) -> Iterator[Faulty]:
    """An operator behind a proxy, its report filled for the first time."""
    plane.install_metrics()
    account = prepare(plane)
    plane.apply([report(**{**SPEC, "maxFindings": 200, **spec})])
    pki = plane.layout.pki
    with Proxy(plane.server, plane.ca, pki / "server.crt", pki / "server.key") as proxy:
        through = proxy.kubeconfig(account)
        quick = ["-v", "--pulse-window", "0.5"]
        with Operator(through, folder / "operator.log", quick) as operator:
            stage_ = Faulty(plane, proxy, operator, account)
            plane.wait(lambda: status_of(plane).get("ledger") is not None, PATIENCE, "a report")
            yield stage_
    text = (folder / "operator.log").read_text(errors="replace")
    assert "Traceback" not in text, text[text.index("Traceback") - 500 :][:4000]


def prepare(plane: ControlPlane) -> Path:
    """Our CRD and an account with the chart's rights; its kubeconfig."""
    named = {"name": RELEASE}
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": RELEASE, "namespace": NAMESPACE}
    plane.apply(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            crd(),
            {
                "apiVersion": f"{group}/v1",
                "kind": "ClusterRole",
                "metadata": named,
                "rules": role(rights()),
            },
            {
                "apiVersion": f"{group}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": named,
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": RELEASE},
                "subjects": [account],
            },
        ]
    )
    meta = {"name": RELEASE, "namespace": NAMESPACE}
    plane.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}])
    return plane.kubeconfig_for(USER)


# Faults and churn

Step = Callable[[], object]


class Chance:
    """Random faults and changes of one sequence: the same for the same seed."""

    def __init__(self, scene: Faulty, seed: int) -> None:
        self.seed = seed
        self.said: list[str] = []
        self._rng = random.Random(seed)
        self._scene = scene

    def play(self) -> None:
        """Some faults with churn between them, then quiet."""
        for _ in range(self._rng.randint(1, 4)):
            self._rng.choice(_FAULTS)(self)
            for _ in range(self._rng.randint(0, 3)):
                self._change()
            time.sleep(self._rng.uniform(0, 1.5))
        self._scene.proxy.heal()
        self._scene.proxy.up()

    # Churn

    def _change(self) -> None:
        """One change; what the server does not allow, as a claim's volume to change, is none."""
        with contextlib.suppress(ApiError):
            self._try_to_change()

    def _try_to_change(self) -> None:
        rule, plane = self._rng.choice(RULES), self._scene.plane
        what = self._rng.choice(("break", "mend", "delete", "label", "pods"))
        self.said.append(f"{what} {rule.name}")
        if what == "break":
            plane.apply(stage.broken(rule))
        elif what == "mend" and self._there(rule.name):
            plane.apply([one for one in stage.mended(rule) if one["kind"] != "Namespace"])
        elif what == "delete":
            self._delete([one for one in stage.broken(rule) if one["kind"] != "Namespace"])
        elif what == "label":
            self._label()
        else:
            self._pods()

    def _there(self, namespace: str) -> bool:
        found = self._scene.plane.api.items("v1", "Namespace")
        return namespace in {one["metadata"]["name"] for one in found}

    def _delete(self, objects: list[dict[str, Any]]) -> None:
        kept = {"PersistentVolume", "PersistentVolumeClaim"}  # finalizers that nobody takes away
        self._scene.plane.delete([one for one in objects if one["kind"] not in kept], grace=0)

    def _label(self) -> None:
        nodes = self._scene.plane.api.items("v1", "Node")
        if nodes:
            node = {**self._rng.choice(nodes), "apiVersion": "v1", "kind": "Node"}
            change = {"spec": {"unschedulable": self._rng.random() < 0.5}}
            self._scene.plane.api.patch(node, change)

    def _pods(self) -> None:
        # Fewer than a report lists of one rule: each of them may be a finding.
        names = [f"bare-{self._rng.randrange(15)}" for _ in range(self._rng.randint(1, 15))]
        pods = [bare_pod(name) for name in sorted(set(names))]
        if self._rng.random() < 0.5:
            self._scene.plane.apply(pods)
        else:
            self._scene.plane.delete(pods, grace=0)

    # Faults

    def _resource(self) -> str:
        return self._rng.choice((*PLURALS, *OURS, "*", "*", "pods", "nodes"))

    def _cut(self) -> None:
        resource, how = self._resource(), self._rng.choice(list(Cut))
        self.said.append(f"cut {resource} {how}: {self._scene.proxy.cut(resource, how)}")

    def _mute(self) -> None:
        resource = self._resource()
        self.said.append(f"mute {resource}: {self._scene.proxy.mute(resource)}")

    def _answer(self) -> None:
        resource = self._rng.choice((self._resource(), "events"))
        name = self._rng.choice(sorted(ANSWERS))
        if resource in {"*", "events"} and name in NEVER_OF_EVENTS:
            resource = "pods"
        times = 1 if name == "429-retry-never" else self._rng.choice((1, 1, 2, 3, 20))
        self._scene.proxy.inject(ANSWERS[name], resource, times=times)
        self.said.append(f"{times} x {name} for {resource}")
        if self._rng.random() < 0.7:
            self._cut()

    def _line(self) -> None:
        resource = self._resource()
        name = self._rng.choice(sorted(_LINES))
        sent = self._scene.proxy.send(resource, _LINES[name](self._rng))
        self.said.append(f"{name} to {resource}: {sent}")

    def _down(self) -> None:
        how = self._rng.choice(list(Down))
        self._scene.proxy.down(how)
        seconds = self._rng.uniform(0.2, 4)
        self.said.append(f"down, {how}, for {seconds:.1f} s")
        self._change()
        time.sleep(seconds)
        self._scene.proxy.up()

    def _restart(self) -> None:
        self.said.append("etcd compacted, all watches cut")
        self._scene.plane.compact()
        self._scene.proxy.cut("*", Cut.RESET)

    def _by_hand(self) -> None:
        self.said.append("status edited by hand")
        self._scene.plane.wait(self._edited, 10, "an edit by hand")

    def _edited(self) -> bool:
        """Of the status as it is: to go back to an older one would call for Events."""
        there, api = report(), self._scene.plane.api
        (found,) = api.items(there["apiVersion"], there["kind"])
        listed = found.get("status", {}).get("findings", [])
        said = [{**one, "message": "nothing to see here"} for one in listed]
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        status = {"findings": said, "chains": [], "score": 100}
        api.patch(there, {"metadata": version, "status": status}, "status")
        return True


Lines = Callable[[random.Random], Callable[[Stream], bytes | None]]


def _says(event: bytes) -> Callable[[Stream], bytes | None]:
    return lambda _: event


def _of_last(make: Callable[[bytes], bytes], stream: Stream) -> bytes | None:
    return make(stream.sent[-1]) if stream.sent else None


def _again(which: int) -> Callable[[Stream], bytes | None]:
    return lambda stream: stream.sent[which] if len(stream.sent) >= -which else None


_LINES: dict[str, Lines] = {
    "an ERROR event": lambda rng: _says(error(rng.choice(ERRORS))),
    "an odd bookmark": lambda rng: _says(bookmark(rng.choice(ODD))),
    "DELETED of the unknown": lambda _: lambda stream: _of_last(deleted, stream),
    "the last event twice": lambda _: _again(-1),
    "an old event late": lambda rng: _again(-rng.randint(2, 5)),
    "an event of 3 MB": lambda _: lambda stream: _of_last(grown, stream),
    "HTML": lambda _: _says(b"<html>\n"),
    "wrong JSON": lambda _: _says(b'{"type": "ADDED", "object": {\n'),
    "no UTF-8": lambda _: _says(b'{"type": "MODIFIED", "object": {"metadata": "\xff"}}\n'),
    "no object": lambda _: _says(b'{"type": "MODIFIED", "object": 7}\n'),
    "an unknown type": lambda _: _says(b'{"type": "WAT", "object": {}}\n'),
}
_FAULTS: tuple[Callable[[Chance], None], ...] = (
    Chance._cut,
    Chance._cut,
    Chance._mute,
    Chance._answer,
    Chance._answer,
    Chance._answer,
    Chance._line,
    Chance._line,
    Chance._line,
    Chance._down,
    Chance._restart,
    Chance._by_hand,
)


def bare_pod(name: str) -> dict[str, Any]:
    requests = {"cpu": "1m", "memory": "1Mi"}
    container = {"name": "app", "image": "example.com/app", "resources": {"requests": requests}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container]},
    }
