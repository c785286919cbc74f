"""Gathers the root file system of the image: `root.py VENV TARGET`, in the build stage.

What the image needs is the virtual environment, the interpreter behind it with its library, and
the shared libraries that these are linked with; all else of the base stays behind. Runs on the
base's Python, so it imports the standard library alone.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

STDLIB_LEFT = (
    *(
        "config-*",
        "dist-packages",
        "site-packages",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
    ),
    *("test", "tests", "tkinter", "turtledemo", "turtle.py", "__pycache__"),
)
"""Of the standard library, what no server asks for: tests, windows, and the way to get pip."""

PACKAGES_LEFT = ("tests", "__pycache__", "*.pyi", "*.h", "*.a")
AIO = "kubernetes/aio"
"""A second client, asynchronous, 40 MB: ours are only the credentials of the first."""

UNCOMPILED = re.compile(r"/(kubernetes|pygments)/")
"""Large and rarely imported: their bytecode is 27 MB, and saves 0.2 s to who reads a kubeconfig."""

SCRIPTS = ("cluster-audit", "python", "python3")
LOADED = ("libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2")
"""Libraries that libc opens when it runs, so that nobody is linked with them."""

FILES = (
    "/etc/os-release",
    "/etc/ssl/certs/ca-certificates.crt",
    "/usr/lib/ssl/openssl.cnf",
)
WRITTEN = {
    "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\naudit:x:65532:65532::/:/sbin/nologin\n",
    "etc/group": "root:x:0:\naudit:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
EMPTY = ("dev", "proc", "run", "sys", "tmp", "var/run")


def main(venv: Path, target: Path) -> None:
    """Make the root file system."""
    trim(venv)
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    keep(venv, target)
    keep(stdlib, target, STDLIB_LEFT)
    for path in (venv / "bin/python", *libraries([venv, stdlib]), *map(Path, FILES)):
        if path.exists():
            keep(path, target)
    for name, text in WRITTEN.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(text, encoding="utf-8")
    for name in EMPTY:
        (target / name).mkdir(parents=True, exist_ok=True)
    (target / "tmp").chmod(0o1777)
    precompile(target, [venv, stdlib])
    date(target, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))


def trim(venv: Path) -> None:
    """Leave out of the environment what is not needed when it runs."""
    packages = venv / f"lib/python{sysconfig.get_python_version()}/site-packages"
    left = [path for name in PACKAGES_LEFT for path in packages.rglob(name)]
    for path in (*left, packages / AIO):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in (venv / "bin").iterdir():
        if path.name not in SCRIPTS and not path.name.startswith("python3."):
            path.unlink()


def keep(path: Path, target: Path, left: tuple[str, ...] = ()) -> None:
    """Copy a file or a folder, and every symbolic link on the way to it."""
    at = Path("/")
    for number, part in enumerate(path.parts[1:], 2):
        at /= part
        if at.is_symlink():
            _link(at, target)
            return keep(at.parent.joinpath(at.readlink(), *path.parts[number:]), target, left)
    place = target / _normal(path).relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        ignored = shutil.ignore_patterns(*left)
        shutil.copytree(path, place, symlinks=True, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copy2(path, place)
    return None


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _link(link: Path, target: Path) -> None:
    place = target / _normal(link).relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(link.readlink())


def libraries(folders: list[Path]) -> Iterator[Path]:
    """Shared libraries that the interpreter and the extensions in these folders are linked with."""
    extensions = [path for folder in folders for path in folder.rglob("*.so*") if path.is_file()]
    linked = subprocess.run(
        ["ldd", sys.executable, *extensions], capture_output=True, text=True, check=False
    ).stdout
    found = {Path(name) for name in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", linked, re.MULTILINE)}
    outside = {one for one in found if not any(one.is_relative_to(f) for f in folders)}
    beside = {one.parent / name for one in outside for name in LOADED}
    return iter(sorted(outside | {one for one in beside if one.exists()}))


def precompile(target: Path, folders: list[Path]) -> None:
    """Write bytecode now, since nobody can when the root is read-only."""
    for folder in folders:
        compileall.compile_dir(
            target / folder.relative_to("/"),
            rx=UNCOMPILED,
            quiet=1,
            stripdir=str(target),
            prependdir="/",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )


def date(target: Path, moment: int) -> None:
    """One time for every file: that of the build would make each image another one."""
    for path in (*target.rglob("*"), target):
        os.utime(path, (moment, moment), follow_symlinks=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
