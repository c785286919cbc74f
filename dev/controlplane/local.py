"""The one control plane that a developer has running: started in the background, found again later.

Its supervisor is a process of its own that holds a lock as long as it lives; process ids are used
again by others, a lock is not.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .api import Access, Api
from .binaries import cache_home, describe, provide
from .components import COMPONENTS
from .objects import Object
from .plane import ControlPlane
from .processes import tail

START_SECONDS, STOP_SECONDS = 120.0, 30.0


class LocalError(RuntimeError):
    """The background control plane did not do what it should; the message says what is known."""


@dataclass(frozen=True)
class State:
    """The folder where the supervisor and the commands meet."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """A path that stays the same from one start to the next."""
        return self.folder / "kubeconfig"

    @property
    def log(self) -> Path:
        """What the supervisor says, that is why it could not start."""
        return self.folder / "supervisor.log"

    @property
    def facts(self) -> Path:
        """Written when the control plane is ready."""
        return self.folder / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor."""
        return self.folder / "lock"

    def read(self) -> Object:
        """What the supervisor wrote; empty while it is not ready."""
        try:
            facts: Object = json.loads(self.facts.read_text())
        except (OSError, ValueError):
            return {}
        return facts

    def running(self) -> bool:
        """Whether a supervisor lives."""
        if not self.lock.exists():
            return False
        with self.lock.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def default_state() -> State:
    """The developer's own, in the cache."""
    return State(cache_home() / "local")


def up(state: State) -> Object:
    """Start it unless it runs, and return what is known about it."""
    if not state.running():
        provide([*COMPONENTS, "kubectl"])
        state.folder.mkdir(parents=True, exist_ok=True)
        state.facts.unlink(missing_ok=True)
        _detach(state)
    return _await_facts(state)


def _detach(state: State) -> None:
    """In a session of its own: neither Ctrl-C nor the end of the terminal reaches it."""
    with state.log.open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "controlplane", "supervise", str(state.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _until(lambda: supervisor.poll() is not None or bool(state.read()), START_SECONDS)
    # Zero means that another one was quicker: its facts are awaited next.
    if supervisor.returncode:
        raise LocalError(f"the control plane did not start:\n{tail(state.log)}")
    # It outlives this process on purpose: without a return code the interpreter would warn of it.
    supervisor.returncode = 0


def _await_facts(state: State) -> Object:
    """Another `up` may still be starting it."""
    if not _until(lambda: bool(state.read()), START_SECONDS):
        raise LocalError(f"the control plane is not ready:\n{tail(state.log)}")
    return state.read()


def down(state: State) -> bool:
    """Stop it; False when it did not run."""
    if not state.running():
        return False
    if not state.read():
        raise LocalError("the control plane is being started: try again when it is ready.")
    pid: int = state.read()["pid"]
    os.kill(pid, signal.SIGTERM)
    if not _until(lambda: not state.running(), STOP_SECONDS):
        raise LocalError(f"process {pid} did not end within {STOP_SECONDS:g} s.")
    return True


def is_healthy(state: State) -> bool:
    """Whether its API server answers that it is ready."""
    facts = state.read()
    api = Api(Access(facts["server"], Path(facts["ca"]), facts["token"]))
    try:
        return bool(api.request("GET", "/readyz").get("text") == "ok")
    except (OSError, RuntimeError):
        return False
    finally:
        api.close()


def supervise(state: State) -> None:
    """Hold a control plane until SIGTERM, or until one of its programs dies."""
    state.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with state.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        try:
            with ControlPlane(folder=state.folder / "plane") as plane:
                _publish(state, plane)
                while True:
                    plane.check()
                    time.sleep(1)
        finally:
            state.facts.unlink(missing_ok=True)


def _publish(state: State, plane: ControlPlane) -> None:
    shutil.copy(plane.kubeconfig, state.kubeconfig)
    facts = {
        "pid": os.getpid(),
        "server": plane.server,
        "ca": str(plane.ca),
        "token": plane.token,
        "kubectl": str(plane.kubectl_path),
        "audit log": str(plane.audit_log),
        "versions": _versions(plane),
    }
    new = state.facts.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(json.dumps(facts))
    new.rename(state.facts)


def _versions(plane: ControlPlane) -> dict[str, str]:
    return {name: describe(Path(plane.component(name).args[0])) for name in plane.components}


def _until(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
