"""Where the programs of the control plane come from.

`KUBEBUILDER_ASSETS`, when it is set; what is not there is built by Go from the modules in `tools`,
once for each state of their go.mod and go.sum, into a cache outside the tree.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .golang import BinariesError, find_go
from .processes import ProcessGroup, quick_environment, tail

TOOLS = Path(__file__).with_name("tools")
VERSION = "k8s.io/component-base/version"


@dataclass(frozen=True, order=True)
class Tool:
    """A program: its module's folder, its package, whether Kubernetes' version is stamped in."""

    module: str
    package: str
    stamped: bool = False


BUILT = {
    "etcd": Tool("kubernetes", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": Tool("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", stamped=True),
    "kubectl": Tool("kubernetes", "k8s.io/kubernetes/cmd/kubectl", stamped=True),
    "kube-controller-manager": Tool(
        "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", stamped=True
    ),
    "kube-scheduler": Tool("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", stamped=True),
    "kwok": Tool("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    "helm": Tool("helm", "helm.sh/helm/v4/cmd/helm"),
    "prometheus": Tool("prometheus", "github.com/prometheus/prometheus/cmd/prometheus"),
    "promtool": Tool("prometheus", "github.com/prometheus/prometheus/cmd/promtool"),
}
# What setup-envtest installs: a folder without them is not what the variable is for.
ASSETS = ("etcd", "kube-apiserver", "kubectl")


@dataclass(frozen=True)
class Progress:
    """One tool begins (`seconds` is None) or is built; the demo shows these."""

    name: str
    number: int
    total: int
    seconds: float | None = None


Report = Callable[[Progress], None]


def print_progress(step: Progress) -> None:
    """On standard error: name, n of m, seconds; a line per tool on a terminal, else two."""
    terminal = sys.stderr.isatty()
    if step.seconds is None:
        text = f"  building {step.name} ({step.number} of {step.total}) ..."
        print(text, end="" if terminal else "\n", file=sys.stderr, flush=True)
    else:
        text = (
            f" {step.seconds:.0f} s" if terminal else f"  built {step.name} in {step.seconds:.0f} s"
        )
        print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    """A line on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)


def cache_home() -> Path:
    """The folder of this project's control plane in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "cluster-audit" / "controlplane"


def cache_key(module: str, tools: Path = TOOLS, table: Mapping[str, Tool] = BUILT) -> str:
    """Changes when a program of the module could: with its modules, packages, kind of machine."""
    digest = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
    rows = sorted((name, tool) for name, tool in table.items() if tool.module == module)
    digest.update(repr(rows).encode())
    for path in sorted((tools / module).glob("go.*")):
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def kubernetes_version(tools: Path = TOOLS) -> str:
    """The version that is built, from its one place: go.mod."""
    text = (tools / "kubernetes" / "go.mod").read_text()
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", text, re.MULTILINE)
    if found is None:
        raise BinariesError(f"{tools}/kubernetes/go.mod does not require k8s.io/kubernetes.")
    return found[1]


def link_flags(tool: Tool, version: str) -> str:
    """Without symbols; Kubernetes' programs know their version only from here."""
    if not tool.stamped:
        return "-s -w"
    major, minor, *_ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X {VERSION}.{key}={value}" for key, value in stamps.items())])


def assets(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """The programs in `KUBEBUILDER_ASSETS`; none when it is not set, an error when it is wrong."""
    folder = environment.get("KUBEBUILDER_ASSETS")
    if not folder:
        return {}
    found = {name: Path(folder) / name for name in BUILT if os.access(Path(folder) / name, os.X_OK)}
    if missing := [name for name in ASSETS if name not in found]:
        raise BinariesError(
            f"KUBEBUILDER_ASSETS={folder} does not hold {', '.join(missing)}:"
            " name a folder that does, or unset it to have them built."
        )
    return found


def provide(names: Iterable[str] = BUILT, progress: Report = print_progress) -> dict[str, Path]:
    """The paths of programs, built first when they are not there yet."""
    wanted = list(names)
    if lacking := missing(wanted):
        _build_all(lacking, progress)
    return {name: assets().get(name, cached(name)) for name in wanted}


def missing(names: Iterable[str] = BUILT) -> list[str]:
    """Programs that are neither given nor built yet."""
    given = assets()
    return [name for name in names if name not in given and not cached(name).exists()]


def cached(name: str) -> Path:
    """Where a program is once it is built."""
    module = BUILT[name].module
    return cache_home() / f"{module}-{cache_key(module)}" / name


def _build_all(names: list[str], progress: Report) -> None:
    """One after the other: Go uses all cores for one already, and what is done stays done."""
    work = cache_home() / "work"
    with _alone(cache_home() / "lock.build"):
        lacking = [name for name in names if not cached(name).exists()]
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        go = find_go(cache_home(), say) if lacking else ""
        group = ProcessGroup(work)
        try:
            for number, name in enumerate(lacking, 1):
                progress(Progress(name, number, len(lacking)))
                start = time.monotonic()
                _build(go, name, work, group)
                cached(name).parent.mkdir(exist_ok=True)
                (work / name).rename(cached(name))
                progress(Progress(name, number, len(lacking), time.monotonic() - start))
        finally:
            group.close()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two clones do not build the same at the same time; the second then finds it built."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process builds the control plane: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(go: str, name: str, work: Path, group: ProcessGroup) -> None:
    tool = BUILT[name]
    command = [go, "build", "-mod=readonly", "-trimpath"]
    command += ["-ldflags", link_flags(tool, kubernetes_version())]
    command += ["-o", str(work / name), tool.package]
    environment = quick_environment(
        CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="", GOWORK="off", GOTMPDIR=str(work)
    )
    log = work / f"{name}.log"
    process = group.spawn(command, log, environment, TOOLS / tool.module)
    try:
        status = process.wait()
    except BaseException:
        # Whatever interrupts, Ctrl-C above all: its children are the guard's to end.
        process.kill()
        process.wait()
        raise
    if status != 0:
        raise BinariesError(
            f"{name} could not be built (go build: exit {status}); if modules could not be fetched,"
            f" see to GOPROXY and the network and try again, what is built stays:\n{tail(log)}"
        )


def describe(path: Path) -> str:
    """What a program says its version is, in one line."""
    flag = {"kubectl": ["version", "--client"], "helm": ["version", "--short"]}
    command = [str(path), *flag.get(path.name, ["--version"])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return next(iter(done.stdout.splitlines()), "unknown")
