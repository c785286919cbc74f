"""Several replicas of the operator, each with a network of its own; and what the API server saw."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from clusteraudit.kube import lease
from clusteraudit.report.resource import PLURAL
from controlplane import ControlPlane, Object
from controlplane.components import default_audit_policy
from demo.operator import NAMESPACE, RELEASE, USER, Operator
from support.relay import Relay

LEASE = (f"{lease.GROUP}/{lease.VERSION}", lease.KIND, RELEASE, NAMESPACE)
ELECT = ("--leader-elect", "--leader-elect-resource-namespace", NAMESPACE)
CREDENTIAL = "authentication.kubernetes.io/credential-id"
PATIENCE = 60.0


def audit_policy() -> Object:
    """With the bodies of what replicas write."""
    policy = default_audit_policy()
    whole = [
        {"group": "clusteraudit.io", "resources": [f"{PLURAL}/status"]},
        {"group": lease.GROUP, "resources": [lease.PLURAL]},
    ]
    ours = {"level": "RequestResponse", "users": [USER], "resources": whole}
    return {**policy, "rules": [{**ours, "verbs": ["create", "update", "patch"]}, *policy["rules"]]}


@dataclass
class Replica:
    """An operator, its network, and the credential by which the audit log tells it from others."""

    name: str
    operator: Operator
    relay: Relay
    credential: str

    def measured(self, metric: str) -> float | None:
        """The value of a series, by its name and labels; None where it has no sample."""
        text = self.operator.get("/metrics", self.operator.metrics_port)
        lines = (one for one in text.splitlines() if one.startswith(f"{metric} "))
        return next((float(one.split()[1]) for one in lines), None)

    def knows(self, kind: str) -> bool:
        """Whether a kind is known in full; raises AssertionError with the replica's log if not."""
        known = self.measured(f'cluster_audit_operator_kind_synced{{kind="{kind}"}}')
        assert known == 1, self.operator.log.read_text()
        return True

    @property
    def leads(self) -> bool:
        """By its own word."""
        return self.measured("cluster_audit_operator_leader") == 1

    def send(self, number: signal.Signals) -> None:
        """A signal; after SIGKILL it is gone when this returns."""
        process = self.operator.process
        assert process is not None
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait()

    @property
    def identity(self) -> str:
        """The word for it in the Lease: the last line of its log that names one."""
        lines = [json.loads(one) for one in self.operator.log.read_text().splitlines()]
        return next(str(one["identity"]) for one in reversed(lines) if "identity" in one)


@dataclass
class Replicas:
    """So many of them, started together; use it as a context manager."""

    plane: ControlPlane
    folder: Path
    number: int = 3
    more: tuple[str, ...] = ()
    every: list[Replica] = field(default_factory=list)
    _exit: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        port = int(self.plane.server.rpartition(":")[2])
        for n in range(self.number):
            relay = self._exit.enter_context(Relay(port))
            kubeconfig, credential = self._kubeconfig(n, relay)
            log = self.folder / f"replica-{n}.log"
            operator = Operator(kubeconfig, log, [*ELECT, *self.more])
            self._exit.enter_context(operator)
            self.every.append(Replica(f"replica-{n}", operator, relay, credential))
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.every:
            one.relay.mend()
            if one.operator.process and one.operator.process.poll() is None:
                one.send(signal.SIGCONT)
        self._exit.close()

    def _kubeconfig(self, n: int, relay: Relay) -> tuple[Path, str]:
        """The chart's account by a token of its own, through the relay."""
        issued = self.plane.kubeconfig_for(USER)
        path = self.folder / f"replica-{n}.kubeconfig"
        path.write_text(
            issued.read_text().replace(self.plane.server, f"https://127.0.0.1:{relay.port}")
        )
        before = len(self.plane.audit_events())
        self.plane.kubectl("--kubeconfig", str(issued), "get", PLURAL)
        seen = self.plane.audit_events()[before:]
        own = next(one for one in seen if one["user"].get("username") == USER)
        return path, own["user"]["extra"][CREDENTIAL][0]

    def leader(self) -> Replica:
        """The one that says that it leads; raises AssertionError unless there is one."""
        running = (one for one in self.every if _answers(one))
        leading = [one for one in running if one.leads]
        assert len(leading) == 1, [one.name for one in leading]
        return leading[0]

    def wait_for_leader(self, other_than: Replica | None = None) -> Replica:
        """Until one leads and has published."""

        def led() -> Replica:
            leader = self.leader()
            assert leader is not other_than
            return leader

        return self.plane.wait(led, PATIENCE, "a replica to lead")


def _answers(replica: Replica) -> bool:
    process = replica.operator.process
    stopped = process is None or process.poll() is not None
    return not stopped and not _frozen(process.pid if process else 0)


def _frozen(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


# What the API server saw


@dataclass(frozen=True)
class Write:
    """A write to the Lease or to a status."""

    resource: str
    name: str
    who: str
    at: float
    """When it was asked for, in seconds since 1970."""
    code: int
    version: int
    """The revision that it made; of etcd, so Lease and statuses have one order."""
    over: int
    """The revision over which it was asked for."""
    holder: str

    @property
    def accepted(self) -> bool:
        """Whether it was, and changed something."""
        return self.code < 400 and self.version != self.over


def writes(plane: ControlPlane) -> list[Write]:
    """All writes of replicas, in the order of the log."""
    return [one for event in plane.audit_events(USER) for one in _write(event)]


def _write(event: Object) -> Iterator[Write]:
    ref = event.get("objectRef", {})
    asked, said = event.get("requestObject"), event.get("responseObject", {})
    if ref.get("resource") in {PLURAL, lease.PLURAL} and asked and event["verb"] != "get":
        yield Write(
            resource=ref["resource"],
            name=ref.get("name", ""),
            who=event["user"]["extra"][CREDENTIAL][0],
            at=datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp(),
            code=event["responseStatus"]["code"],
            version=_version(said),
            over=_version(asked),
            holder=asked.get("spec", {}).get("holderIdentity", ""),
        )


def _version(manifest: Any) -> int:
    return int(manifest.get("metadata", {}).get("resourceVersion", "0") or 0)


def check_writes(every: list[Write]) -> int:
    """Each accepted status came from who held the Lease then, over the last one; how many.

    Revisions are etcd's: what came first is certain, by no clock of anybody.
    """
    accepted = sorted((one for one in every if one.accepted), key=lambda one: one.version)
    holder, statuses = "", 0
    last: dict[str, int] = {}
    for one in accepted:
        if one.resource == lease.PLURAL:
            holder = one.who if one.holder else ""
            continue
        assert one.who == holder, f"{one} while {holder} held the Lease"
        assert one.over >= last.get(one.name, 0), f"{one} was written over an older status"
        last[one.name] = one.version
        statuses += 1
    return statuses


def refused_as_stale(every: list[Write]) -> int:
    """Statuses that met a conflict, from who did not hold the Lease when they arrived."""
    holder, number = "", 0
    for one in sorted(every, key=lambda one: one.at):
        if one.resource == lease.PLURAL and one.accepted:
            holder = one.who if one.holder else ""
        elif one.resource == PLURAL and one.code == 409:
            number += one.who != holder
    return number


def published_after(plane: ControlPlane, moment: float, but: Replica) -> float:
    """Seconds from the moment until another replica had a status accepted."""

    def first() -> float:
        later = (one for one in writes(plane) if one.resource == PLURAL and one.accepted)
        others = (one.at for one in later if one.at > moment and one.who != but.credential)
        return next(others, 0.0)

    return plane.wait(first, PATIENCE, "another replica's status") - moment
