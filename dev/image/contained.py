"""Runs the image as a pod under the restricted profile would, on the machine's own network.

Its user, no privilege to gain, a read-only root with an empty /tmp. buildah's own `run` knows no
read-only root: what it mounts is bound read-only here, in a mount namespace that ends with the
process.
"""

from __future__ import annotations

import shlex
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image.build import TAG, configuration
from image.tools import output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TMP = "/tmp"  # noqa: S108 - a place in the image, which nobody shares


@dataclass(frozen=True)
class Start:
    """How to start it; what is empty is as the image says."""

    arguments: Sequence[str] = ()
    entrypoint: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(default_factory=dict)
    """Folders of the machine by where they are seen, read-only."""


@contextmanager
def contained(tool: str, start: Start, tag: str = TAG) -> Iterator[list[str]]:
    """The command line that runs it; a signal to that process reaches the one inside."""
    if tool == "docker":
        yield _docker(tag, start)
        return
    container = output("buildah", "from", tag)
    try:
        root = Path(output("buildah", "mount", container))
        yield _chroot(root, configuration(tool, tag), start)
    finally:
        output("buildah", "rm", container)


def _docker(tag: str, start: Start) -> list[str]:
    told = [f"--env={name}={value}" for name, value in start.environment.items()]
    told += [f"--volume={path}:{place}:ro" for place, path in start.mounts.items()]
    told += [f"--entrypoint={start.entrypoint}"] if start.entrypoint else []
    limits = ("--read-only", f"--tmpfs={TMP}", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    return ["docker", "run", "--rm", "--network=host", *limits, *told, tag, *start.arguments]


def _chroot(root: Path, config: Mapping[str, Any], start: Start) -> list[str]:
    variables = [f"{name}={value}" for name, value in start.environment.items()]
    entrypoint = [start.entrypoint] if start.entrypoint else config["Entrypoint"]
    program = [*entrypoint, *(start.arguments or config["Cmd"])]
    chroot = [shutil.which("chroot") or "chroot", f"--userspec={config['User']}", str(root)]
    inside = ["setpriv", "--no-new-privs", "env", "-i", *config["Env"], *variables, *chroot]
    script = " && ".join([*_mounts(root, start.mounts), 'exec "$@"'])
    return ["unshare", "--mount", "sh", "-c", script, "sh", *inside, *program]


def _mounts(root: Path, mounts: Mapping[str, Path]) -> Iterator[str]:
    at = shlex.quote(str(root))
    yield f"mount --bind {at} {at}"
    for place, path in {"/dev": "/dev", "/proc": "/proc", **mounts}.items():
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        yield f"mount --rbind {shlex.quote(str(path))} {at}{place}"
    yield f"mount -o remount,bind,ro {at}"
    yield f"mount -t tmpfs tmpfs {at}{TMP}"
