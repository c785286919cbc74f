"""Stands between a process that may be killed at any time and the programs that it started.

It holds a process group of its own, prints that group's id, and waits for its standard input to
end. That happens when the owner closes it, and also when the owner dies, however it dies: the
kernel closes the pipe. Then nothing in the group survives and the folder goes. Unlike a death
signal (PR_SET_PDEATHSIG) this does not depend on which thread started a program, leaves no moment
in which a program is started but not yet known, and works on macOS.

Run as a file (`python -I -S guard.py FOLDER`), so it imports the standard library only.
"""

import contextlib
import os
import shutil
import signal
import sys
import time

PATIENCE = 3.0


def anchor() -> int:
    """A child that does nothing but keep the group's id alive while programs come and go in it."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        while True:
            signal.pause()
    # Both sides set it, so that it holds whichever of them runs first.
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    return child


def end(group: int, folder: str) -> None:
    """Kill all of the group and remove the folder; a program that is still dying may yet write."""
    os.killpg(group, signal.SIGKILL)
    os.waitpid(group, 0)
    deadline = time.monotonic() + PATIENCE
    while folder and os.path.lexists(folder) and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)


def main(folder: str) -> None:
    """Guard until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    group = anchor()
    sys.stdout.write(f"{group}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    end(group, folder)


if __name__ == "__main__":
    main(sys.argv[1])
