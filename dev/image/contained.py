"""Runs the image as a pod under the restricted profile would: its user, no privilege to gain, a
read-only root with an empty /tmp; on the machine's own network.

buildah's own `run` knows no read-only root. What it mounts is bound read-only instead, in a mount
namespace that ends with the process.
"""

from __future__ import annotations

import shlex
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image.build import TAG, configuration
from image.tools import output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Mounts = "Mapping[str, Path]"
"""Folders of the machine by where they are seen, read-only."""


@contextmanager
def contained(
    tool: str,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    mounts: Mapping[str, Path] | None = None,
    tag: str = TAG,
) -> Iterator[list[str]]:
    """The command line that runs the image with these arguments; a signal reaches the process."""
    if tool == "docker":
        yield _docker(tag, arguments, environment or {}, mounts or {})
        return
    container = output("buildah", "from", tag)
    try:
        root = Path(output("buildah", "mount", container))
        config = configuration(tool, tag)
        yield _chroot(root, config, arguments, environment or {}, mounts or {})
    finally:
        output("buildah", "rm", container)


def _docker(
    tag: str, arguments: Sequence[str], environment: Mapping[str, str], mounts: Mapping[str, Path]
) -> list[str]:
    told = [f"--env={name}={value}" for name, value in environment.items()]
    seen = [f"--volume={path}:{place}:ro" for place, path in mounts.items()]
    limits = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    return ["docker", "run", "--rm", "--network=host", *limits, *told, *seen, tag, *arguments]


def _chroot(
    root: Path,
    config: Mapping[str, Any],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    mounts: Mapping[str, Path],
) -> list[str]:
    steps = ["mount --bind {root} {root}"]
    for place, path in {"/dev": "/dev", "/proc": "/proc", **mounts}.items():
        (root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        steps.append(f"mount --rbind {shlex.quote(str(path))} {{root}}{place}")
    steps += ["mount -o remount,bind,ro {root}", "mount -t tmpfs tmpfs {root}/tmp"]
    variables = [*config["Env"], *(f"{name}={value}" for name, value in environment.items())]
    told = [*config["Entrypoint"], *(arguments or config["Cmd"])]
    chroot = [shutil.which("chroot") or "chroot", f"--userspec={config['User']}", str(root)]
    started = ["setpriv", "--no-new-privs", "env", "-i", *variables, *chroot, *told]
    script = " && ".join([*(one.format(root=shlex.quote(str(root))) for one in steps), "exec \"$@\""])
    return ["unshare", "--mount", "sh", "-c", script, "sh", *started]
