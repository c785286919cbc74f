"""Who builds images here: Docker, or buildah, which needs no daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ImageError(RuntimeError):
    """The image cannot be built here; the message says what is missing."""


def tool() -> str:
    """`docker` where its daemon answers, else `buildah`."""
    if succeeds("docker", "info"):
        return "docker"
    if shutil.which("buildah") and os.geteuid() == 0:
        return "buildah"
    raise ImageError(
        "An image is built by Docker or, as root, by buildah, and neither is here: "
        "start Docker, or install the package buildah."
    )


def succeeds(*command: str) -> bool:
    """Whether a command is there and says yes."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def output(*command: str) -> str:
    """What a command prints; raises ImageError with what it complains of."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"{' '.join(command[:3])} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout.strip()
