"""Make the corpus that is kept of what fuzzing found: `python -m fuzz.smallest TARGET FOLDER...`.

The smallest inputs first, each kept if it takes a step from line to line that none before it took.
"""

import base64
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.seeds import CORPUS, kept, seeds
from fuzz.targets import TARGETS

Step = tuple[str, int, int]


def main(name: str, *folders: str) -> None:
    """Write the corpus of a target anew, of the old one and of these folders."""
    held = {path.read_bytes() for folder in folders for path in Path(folder).iterdir()}
    file = CORPUS / f"{name}.txt"
    held |= set(kept(name)) if file.exists() else set()
    chosen = smallest(TARGETS[name], held, set(seeds(name)))
    file.write_text("".join(f"{base64.b64encode(one).decode()}\n" for one in sorted(chosen)))


def smallest(
    target: Callable[[bytes], None], inputs: set[bytes], before: set[bytes]
) -> Iterator[bytes]:
    """Inputs that reach what those before them do not."""
    reached: set[Step] = set()
    for data in (*before, *sorted(inputs, key=lambda one: (len(one), one))):
        steps = traced(target, data)
        if not steps <= reached:
            reached |= steps
            if data not in before:
                yield data


def traced(target: Callable[[bytes], None], data: bytes) -> set[Step]:
    """The steps from line to line within the product."""
    steps: set[Step] = set()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if "clusteraudit" not in frame.f_code.co_filename:
            return None
        if event == "line":
            step = (frame.f_code.co_filename, last.get(frame, 0), frame.f_lineno)
            steps.add(step)
            last[frame] = frame.f_lineno
        return trace

    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return steps


if __name__ == "__main__":
    main(*sys.argv[1:])
