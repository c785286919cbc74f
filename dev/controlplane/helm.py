"""helm as a developer runs it, but with its files in a folder of ours."""

import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .binaries import provide

_HOMES = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")


class HelmError(RuntimeError):
    """helm failed; the message holds the command and what it said."""


def helm_command(args: Iterable[str]) -> list[str]:
    """The command line, for who runs it in the background."""
    return [str(provide(("helm",))["helm"]), *args]


def helm_environment(folder: Path, kubeconfig: Path | None = None) -> dict[str, str]:
    """The environment: a cluster only if one is named."""
    environment = dict(os.environ)
    environment |= {name: str(folder / name.lower()) for name in _HOMES}
    environment["KUBECONFIG"] = str(kubeconfig or folder / "no-kubeconfig")
    return environment


def run_helm(args: Iterable[str], kubeconfig: Path | None = None, text: str | None = None) -> str:
    """Run helm and return what it printed; raises HelmError with what it complained about."""
    command = helm_command(args)
    with tempfile.TemporaryDirectory(prefix="cluster-audit-helm-") as folder:
        done = subprocess.run(
            command,
            input=text,
            env=helm_environment(Path(folder), kubeconfig),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise HelmError(f"helm {' '.join(command[1:])}: exit {done.returncode}: {said}")
    return done.stdout
