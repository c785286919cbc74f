"""Builds the Dockerfile, and says what came of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from image.base import base
from image.tools import ROOT, ImageError, output

TAG = "localhost/cluster-audit:dev"
# Of buildah no layer is kept (`--layers`): it would take one of another commit for its own, for its
# cache knows the names of build arguments, not their values.
BUILD = {
    "docker": ("docker", "build"),
    "buildah": ("buildah", "build", "--isolation", "chroot"),
}
PIP_FILES = ("/etc/pip.conf", "~/.config/pip/pip.conf")


def build(tool: str, tag: str = TAG, given: str = "", *, anew: bool = False) -> None:
    """Build the image on a base that is given, or on the one that can be had.

    The same commit on the same base gives the same image, to the byte: no time is in it but that
    of the commit. `anew` takes nothing over from an earlier build.
    """
    arguments = {
        "PYTHON": given or base(tool),
        "VERSION": version(),
        "REVISION": revision(),
        "SOURCE_DATE_EPOCH": committed(),
    }
    told = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
    held = [
        part for name, path in secrets().items() for part in ("--secret", f"id={name},src={path}")
    ]
    command = [
        *BUILD[tool],
        *(("--timestamp", committed()) if tool == "buildah" else ()),
        *(("--no-cache",) if anew else ()),
        *told,
        *held,
        "--tag",
        tag,
        "--file",
        str(ROOT / "Dockerfile"),
        str(ROOT),
    ]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode:
        raise ImageError(f"{tool} could not build the image; what it said stands above.")


def version() -> str:
    """The version of the package."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    return found[1] if found else "dev"


def revision() -> str:
    """The commit."""
    return output("git", "-C", str(ROOT), "rev-parse", "HEAD")


def committed() -> str:
    """When the commit was made, in seconds since 1970."""
    return output("git", "-C", str(ROOT), "log", "-1", "--format=%ct")


def digest(tool: str, tag: str = TAG) -> str:
    """What names the image by its content: the digest of its configuration, layers included."""
    inspect = {
        "docker": ("docker", "image", "inspect", "--format", "{{.Id}}"),
        "buildah": ("buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}"),
    }
    return output(*inspect[tool], tag).removeprefix("sha256:")


def secrets() -> dict[str, Path]:
    """How this machine's pip reaches its index: the configuration, and the authorities it names."""
    files = [path for name in PIP_FILES if (path := Path(name).expanduser()).is_file()]
    if not files:
        return {}
    named = re.search(r"^\s*cert\s*=\s*(\S+)", files[-1].read_text(encoding="utf-8"), re.MULTILINE)
    trusted = {"ca.crt": Path(named[1])} if named else {}
    return {"pip.conf": files[-1], **trusted}


def size(tool: str, tag: str = TAG) -> int:
    """Bytes of all files of the image."""
    if tool == "docker":
        return int(output("docker", "image", "inspect", "--format", "{{.Size}}", tag))
    container = output("buildah", "from", tag)
    try:
        root = output("buildah", "mount", container)
        return int(output("du", "--summarize", "--bytes", root).split()[0])
    finally:
        output("buildah", "rm", container)


def configuration(tool: str, tag: str = TAG) -> dict[str, Any]:
    """User, entry point, labels and the rest, as the OCI configuration has them."""
    if tool == "docker":
        found = json.loads(output("docker", "image", "inspect", tag))[0]["Config"]
    else:
        found = json.loads(output("buildah", "inspect", "--type", "image", tag))["OCIv1"]["config"]
    return dict(found)
