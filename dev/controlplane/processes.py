"""Programs that never outlive the process that started them."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
TAIL_LINES = 20


class ComponentFailedError(RuntimeError):
    """A program ended or did not become ready; the message names it and shows what it last said."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        super().__init__(f"{name} {reason}; the end of its log:\n{tail(log)}")
        self.name = name


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented."""
    with contextlib.suppress(OSError):
        text = log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(f"    {line}" for line in text) or "    (empty)"
    return "    (no log)"


class ProcessGroup:
    """Where programs run: a group that a guard ends once this process is gone (see `guard`)."""

    def __init__(self, folder: Path | None = None) -> None:
        command = [sys.executable, "-I", "-S", str(GUARD), str(folder or "")]
        self._guard = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
        )
        assert self._guard.stdout is not None  # noqa: S101 - a pipe was asked for
        self._id = int(self._guard.stdout.readline())

    def spawn(
        self,
        args: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start a program in the group, all that it says appended to `log`."""
        with log.open("ab") as out:
            return subprocess.Popen(
                args,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                process_group=self._id,
            )

    def close(self) -> None:
        """End what is left, and the guard itself, which removes the folder."""
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                pipe.close()
        self._guard.wait()


class Component:
    """One program of the control plane: it can be stopped, killed, frozen and started again."""

    def __init__(self, name: str, args: Sequence[str], log: Path, group: ProcessGroup) -> None:
        self.name = name
        self.args = list(args)
        self.log = log
        self._group = group
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def wanted(self) -> bool:
        """Whether somebody started it and nobody stopped it since."""
        return self._process is not None

    @property
    def pid(self) -> int | None:
        """Its process id, None while it is stopped."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it; does not wait for it to be ready."""
        self._process = self._group.spawn(self.args, self.log, cwd=self.log.parent)

    def check(self) -> None:
        """Raise when it should live and does not."""
        if self._process is not None and self._process.poll() is not None:
            raise ComponentFailedError(
                self.name, f"ended (exit {self._process.returncode})", self.log
            )

    def signal(self, number: int) -> None:
        """Send it a signal, for example SIGSTOP and later SIGCONT to freeze it for a while."""
        if self._process is not None:
            self._process.send_signal(number)

    def ask_to_stop(self) -> None:
        """SIGTERM without waiting, so that several can end at once."""
        if self.running:
            # A frozen process would take the signal only when it goes on.
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)

    def stop(self, grace: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds."""
        self.ask_to_stop()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        self.kill()

    def kill(self) -> None:
        """SIGKILL, as a crash would be."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def quick_environment(**changes: str) -> dict[str, str]:
    """This process's environment with changes."""
    return {**os.environ, **changes}
