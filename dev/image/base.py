"""The base of the build: the Dockerfile's own; where none can be had, one of Debian's packages."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from image.tools import ROOT, ImageError, output, succeeds

LOCAL = "localhost/cluster-audit-base"
SUITE = "bookworm"
PACKAGES = ("ca-certificates", "python3", "python3-venv")


def base(tool: str) -> str:
    """The image to build on; the one that the Dockerfile names, if it can be had."""
    named = default()
    if succeeds(tool, "pull", "--quiet", named):
        return named
    image = f"{LOCAL}:{SUITE}"
    if not _is_here(tool, image):
        _debian(tool, image)
    return image


def default() -> str:
    """The base that the Dockerfile names."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"^ARG PYTHON=(\S+)$", text, re.MULTILINE)
    if found is None:
        raise ImageError("the Dockerfile has no line ARG PYTHON=")
    return found[1]


def _is_here(tool: str, image: str) -> bool:
    return succeeds(tool, "inspect", "--type", "image", image)


def _debian(tool: str, image: str) -> None:
    """Make it with debootstrap, from the mirror that debootstrap knows."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise ImageError(
            "No image registry can be reached, so the base is made by debootstrap, as root: "
            "install the package debootstrap, or name a base (make image BASE=...)."
        )
    with tempfile.TemporaryDirectory() as folder:
        root, tar = Path(folder) / "root", Path(folder) / "root.tar"
        wanted = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
        output("debootstrap", *wanted, SUITE, str(root))
        output(
            "tar", "--create", "--exclude=./var/cache/apt/*", "-C", str(root), "-f", str(tar), "."
        )
        _import(tool, tar, image)


def _import(tool: str, tar: Path, image: str) -> None:
    if tool == "docker":
        output("docker", "import", str(tar), image)
        return
    container = output("buildah", "from", "scratch")
    try:
        output("buildah", "add", "--quiet", container, str(tar), "/")
        output("buildah", "commit", "--quiet", container, image)
    finally:
        output("buildah", "rm", container)
