"""The command line within this process: one of its own takes a second, and there are hundreds.

`test_a_process_of_its_own_says_the_same` compares.
"""

import gc
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from clusteraudit.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
Done = subprocess.CompletedProcess[bytes]


def call(*arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
    """What a command says, and how it ends; none of its streams is a terminal."""
    command = ["cluster-audit", *map(str, arguments)]
    streams = {name: io.TextIOWrapper(io.BytesIO(), "utf-8") for name in ("stdout", "stderr")}
    streams["stdin"] = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, env or {}))
        stack.enter_context(mock.patch.object(sys, "argv", command))
        for name, stream in streams.items():
            stack.enter_context(mock.patch.object(sys, name, stream))
        stack.enter_context(_collecting_as_before())
        code = _code()
    return subprocess.CompletedProcess(command, code, *map(_bytes, list(streams.values())[:2]))


def _code() -> int:
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def _bytes(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


@contextmanager
def _collecting_as_before() -> Iterator[None]:
    """A command sets for itself how often cycles are looked for."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def spawn(*arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
    """The same by a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "clusteraudit", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "operator"), **(env or {})},
        check=False,
    )
