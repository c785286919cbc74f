"""The local control plane: starts its programs, knows when they are ready, and takes them down."""

import asyncio
import contextlib
import functools
import http.client
import json
import secrets
import shutil
import ssl
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from . import components as parts
from .api import Access
from .binaries import Report, print_progress, provide
from .cluster import Cluster
from .components import API_SERVER, COMPONENTS, CONTROLLERS, ETCD
from .objects import Object
from .ports import LOOPBACK
from .processes import Component, ComponentFailedError, ProcessGroup
from .waiting import wait

READY_SECONDS = 60.0
ACCOUNT_PREFIX = "system:serviceaccount:"
GIVES_ITSELF_UP = "Scheduler cache is corrupted"
"""After these words the scheduler exits, and counts on being started again (`cache.go`)."""
MAX_RENEWALS = 3


@dataclass(eq=False)
class ControlPlane(Cluster):
    """A control plane of its own: `with`, `async with`, or `start` and `stop`.

    Several at once do not meet: each has its folder, its ports and its authority.
    """

    # A subset of COMPONENTS, for example ("etcd", "kube-apiserver").
    components: Sequence[str] = COMPONENTS
    # More flags by component: {"kube-controller-manager": ["--node-monitor-grace-period=10s"]}.
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # Fields of the scheduler's configuration, for example its profiles.
    scheduler: Object = field(default_factory=dict)
    # More KWOK stages, beside those of stages.yaml.
    stages: Sequence[Object] = ()
    audit_policy: Object = field(default_factory=parts.default_audit_policy)
    # Where its files are; a temporary folder unless given. It goes when the plane stops.
    folder: Path | None = None
    progress: Report = print_progress
    # Seconds that a component may take to be ready; one that holds a large cluster needs more.
    patience: float = READY_SECONDS

    def __post_init__(self) -> None:
        self._running: dict[str, Component] = {}
        self._renewals = 0
        self._group: ProcessGroup | None = None
        self._exit: contextlib.ExitStack = contextlib.ExitStack()

    def start(self) -> Self:
        """Build what is missing, start all, return when ready; after a failure nothing is left."""
        binaries = provide({*self.components, "kubectl"}, self.progress)
        try:
            self._prepare(binaries)
            for name in self.components:
                self._running[name].start()
            for name in self.components:
                self._await(name)
            self._await_defaults()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all: clients first, then the API server, then etcd, without which that would hang."""
        clients = [each for name, each in self._running.items() if name in parts.CLIENTS]
        for each in clients:
            each.ask_to_stop()
        for each in clients:
            each.stop(1.0)
        for name in (API_SERVER, ETCD):
            if name in self._running:
                self._running[name].stop(3.0)
        self._running.clear()
        self._exit.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _prepare(self, binaries: Mapping[str, Path]) -> None:
        """Files, connections, and components that are not started yet."""
        folder = self.folder or Path(tempfile.mkdtemp(prefix="cluster-audit-"))
        folder.mkdir(parents=True, exist_ok=True)
        group = ProcessGroup(folder)
        self._exit.callback(group.close)
        users = ("admin", *parts.CLIENTS)
        self.layout = parts.new_layout(folder, {user: secrets.token_hex(16) for user in users})
        self._authority = parts.write_files(
            self.layout, self.audit_policy, self.scheduler, self.stages
        )
        self._connect(
            self.layout.access("admin"), self.layout.kubeconfig("admin"), binaries["kubectl"]
        )
        self._exit.callback(self.api.close)
        for name in self.components:
            command = [str(binaries[name]), *self._args(name)]
            self._running[name] = Component(name, command, folder / f"{name}.log", group)

    def _args(self, name: str) -> list[str]:
        args = parts.COMMANDS[name](self.layout)
        if name == API_SERVER and not self.has_controllers:
            # It waits for service accounts that nobody would make.
            args.append("--disable-admission-plugins=ServiceAccount")
        return args + list(self.flags.get(name, ()))

    @property
    def has_controllers(self) -> bool:
        """Whether controllers are among its components."""
        return CONTROLLERS in self.components

    def _await(self, name: str) -> None:
        """Until it says that it is ready."""
        component = self._running[name]
        url = parts.health_url(self.layout, name)
        context = self.access.context()
        try:
            wait(lambda: _answers(url, context), self.patience, name, component.check)
        except TimeoutError:
            reason = f"was not ready within {self.patience:g} s"
            raise ComponentFailedError(name, reason, component.log) from None

    def _await_defaults(self) -> None:
        """What a cluster has from its first seconds, so that a test may begin."""
        if self.has_controllers and API_SERVER in self.components:
            account = functools.partial(self.api.get, "v1", "ServiceAccount", "default", "default")
            self.wait(account, READY_SECONDS, "the default service account")

    def check(self) -> None:
        """Raise when a component has died that nobody stopped.

        A scheduler that gives itself up to be started again is, as a kubelet would do it.
        """
        for component in self._running.values():
            try:
                component.check()
            except ComponentFailedError as error:
                if GIVES_ITSELF_UP not in str(error) or self._renewals >= MAX_RENEWALS:
                    raise
                self._renewals += 1
                print(f"{component.name} gave itself up and is started again", file=sys.stderr)
                self.restart(component.name)

    def component(self, name: str) -> Component:
        """One of its programs: to signal it, to read its log or its process id."""
        return self._running[name]

    def kill(self, name: str) -> None:
        """End a component at once, as a crash would; `restart` starts it again."""
        self._running[name].kill()

    def restart(self, name: str, grace: float = 1.0) -> None:
        """Stop a component if it runs, start it on the same port, and wait until it is ready."""
        self._running[name].stop(grace)
        self._running[name].start()
        self._await(name)

    def save(self) -> Path:
        """A backup of etcd, as of now; the API server and etcd are stopped for it."""
        backup = Path(tempfile.mkdtemp(prefix="backup-", dir=self.layout.folder))
        self._without_storage(lambda data: shutil.copytree(data, backup, dirs_exist_ok=True))
        return backup

    def restore(self, backup: Path) -> None:
        """Go back to a backup: what came after it never was, and versions are given again."""

        def put_back(data: Path) -> None:
            shutil.rmtree(data)
            shutil.copytree(backup, data)

        self._without_storage(put_back)

    def _without_storage(self, work: Callable[[Path], object]) -> None:
        for name in (API_SERVER, ETCD):
            self._running[name].stop(3.0)
        work(self.layout.folder / ETCD)
        for name in (ETCD, API_SERVER):
            self._running[name].start()
            self._await(name)

    def logs(self, name: str) -> str:
        """All that a component has said."""
        return self._running[name].log.read_text(errors="replace")

    def kubeconfig_for(self, user: str, groups: Iterable[str] = ()) -> Path:
        """A kubeconfig of any user and groups, or of `system:serviceaccount:NAMESPACE:NAME`."""
        if user.startswith(ACCOUNT_PREFIX):
            namespace, name = user.removeprefix(ACCOUNT_PREFIX).split(":")
            return self.kubeconfig_for_account(namespace, name)
        certificate, key = self._authority.issue(user, groups)
        access = Access(self.server, self.ca, certificate=certificate, key=key)
        return self._write_kubeconfig(certificate.stem, access)

    @property
    def audit_log(self) -> Path:
        """The file of the audit log."""
        return self.layout.audit_log

    def audit_events(
        self,
        user: str | None = None,
        verbs: Iterable[str] = (),
        since: datetime | None = None,
    ) -> list[Object]:
        """What the API server was asked, by all or by one user, all verbs or some, since a time."""
        wanted = set(verbs)
        return [
            event
            for event in parts.parse_audit(self.audit_log.read_text())
            if (user is None or event["user"].get("username") == user)
            and (not wanted or event["verb"] in wanted)
            and (
                since is None or datetime.fromisoformat(event["requestReceivedTimestamp"]) >= since
            )
        ]

    def compact(self) -> None:
        """Make etcd forget old revisions: once the API server restarts, old watches are gone."""
        revision = self._etcd("maintenance/status", {})["header"]["revision"]
        self._etcd("kv/compaction", {"revision": revision, "physical": True})

    def _etcd(self, path: str, body: Object) -> Object:
        connection = http.client.HTTPConnection(LOOPBACK, self.layout.ports[ETCD], timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", f"/v3/{path}", json.dumps(body))
            answer: Object = json.loads(connection.getresponse().read())
        return answer


def _answers(url: str, context: ssl.SSLContext) -> bool:
    # No proxy: the environment's is not for programs on this machine.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(url, timeout=2) as answer:
        return bool(answer.status == http.client.OK)
