"""Reading files, folders and standard input into a gathering."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from clusteraudit.sources.faults import ParseError
from clusteraudit.sources.gather import Gathering
from clusteraudit.sources.parse import objects

SUFFIXES = (".yaml", ".yml", ".json", ".jsonl")
Progress = Callable[[str, int], None]


class UnreadableError(ValueError):
    """No input could be read at all; the message names what was tried, and why it failed."""


def gather(paths: Iterable[str], progress: Progress) -> Gathering:
    """Read everything that the paths name; raises UnreadableError if nothing could be read."""
    gathering = Gathering()
    for path in paths:
        for source in _sources(path, gathering):
            _read(source, gathering, progress)
    if not gathering.read and gathering.header is None:
        raise UnreadableError(_why(gathering, list(paths)))
    return gathering


def _why(gathering: Gathering, paths: list[str]) -> str:
    if gathering.skipped:
        first = gathering.skipped[0]
        return f"{first.source} {first.message}"
    return f"no Kubernetes objects in {', '.join(paths)}"


def _sources(path: str, gathering: Gathering) -> Iterator[str]:
    """The files that a path stands for."""
    try:
        files = None if path == "-" else _inside(Path(path))
    except OSError as error:  # a folder on the way may not be entered
        gathering.fail(path, "Unreadable", f"cannot be read: {error.strerror or error}")
        return
    if files is None:
        yield path
    elif not files:
        gathering.fail(path, "Empty", f"holds no file that ends in {', '.join(SUFFIXES)}")
    else:
        yield from files


def _inside(path: Path) -> list[str] | None:
    """The files of a folder that can be read; None for what is no folder."""
    if not path.is_dir():
        return None
    return [str(one) for one in sorted(path.rglob("*")) if one.is_file() and _wanted(one)]


def _wanted(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(SUFFIXES)


def _read(source: str, gathering: Gathering, progress: Progress) -> None:
    try:
        with _opened(source) as stream:
            for payload in objects(source, stream):
                gathering.add(source, payload)
                progress(source, gathering.read)
    except OSError as error:
        gathering.fail(source, "Unreadable", f"cannot be read: {error.strerror or error}")
    except ParseError as error:
        gathering.fail(source, "Unparsable", str(error))


def _opened(source: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if source == "-" else Path(source).open("rb")
