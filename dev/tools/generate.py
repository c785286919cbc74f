"""Writes the files that are made from declarations, or checks that they are up to date.

A row of TABLE names a function that returns the text of each of its files by path. The function
may live anywhere in `clusteraudit` or `dev`; it reads no file that it writes.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusteraudit.report.capacity_shapes import CapacityShape
from clusteraudit.report.drill_shapes import DrillShape
from clusteraudit.report.evictions import EvictionsShape
from clusteraudit.report.explain import ExplainShape
from clusteraudit.report.pages import pages
from clusteraudit.report.shapes import ScanShape
from demo.snapshot import snapshot
from scale import pages as scale_pages
from tools import chart, concepts, dashboard, events, metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[2]
SHAPES: dict[str, type[BaseModel]] = {
    "capacity": CapacityShape,
    "drill": DrillShape,
    "evictions": EvictionsShape,
    "explain": ExplainShape,
    "scan": ScanShape,
}
"""What each command prints as JSON."""
REMEDY = "run `make generate` and commit the result"


@dataclass(frozen=True)
class Generated:
    """What one function makes."""

    texts: Callable[[], Mapping[str, str]]
    """Text by path, relative to the repository."""
    owns: tuple[str, ...] = ()
    """Globs of which every file is made here: one that `texts` no longer names is removed."""


def schemas() -> dict[str, str]:
    """JSON Schemas of what the commands print."""
    found = {name: shape.model_json_schema(mode="serialization") for name, shape in SHAPES.items()}
    return {
        f"docs/schema/{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in found.items()
    }


def demo() -> dict[str, str]:
    """The snapshot of act 1: the rules' broken examples, side by side in one cluster."""
    return {"dev/demo/cluster.jsonl": snapshot()}


TABLE: tuple[Generated, ...] = (
    Generated(chart.files, owns=("crds/*", f"{chart.CHART}/crds/*", f"{chart.CHART}/files/*")),
    Generated(pages, owns=("docs/rules/*.md", "docs/rules/*/*.md")),
    Generated(concepts.pages),
    Generated(metrics.pages),
    Generated(dashboard.pages),
    Generated(events.pages),
    Generated(dashboard.files, owns=("charts/cluster-audit/dashboards/*",)),
    Generated(demo),
    Generated(scale_pages.pages),
    Generated(schemas, owns=("docs/schema/*",)),
)


def wanted(table: Sequence[Generated]) -> dict[str, str]:
    """Return the text of every generated file by its path."""
    texts: dict[str, str] = {}
    for row in table:
        for path, text in row.texts().items():
            if path in texts:
                message = f"{path} is generated twice"
                raise ValueError(message)
            texts[path] = text
    return texts


def stale(root: Path, table: Sequence[Generated]) -> Iterator[tuple[str, str | None]]:
    """Yield each path whose file differs, and the text it should hold; None if it should go."""
    texts = wanted(table)
    for path, text in sorted(texts.items()):
        file = root / path
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            yield path, text
    for glob in sorted({glob for row in table for glob in row.owns}):
        for file in sorted(root.glob(glob)):
            path = file.relative_to(root).as_posix()
            if file.is_file() and path not in texts:
                yield path, None


def write(root: Path, path: str, text: str | None) -> None:
    """Bring one file up to date."""
    file = root / path
    if text is None:
        file.unlink()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")


def main(
    arguments: Sequence[str] | None = None,
    root: Path = ROOT,
    table: Sequence[Generated] = TABLE,
) -> int:
    """Write what is stale, or with --check name it and fail."""
    parser = argparse.ArgumentParser(prog="generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if any is stale")
    check = parser.parse_args(arguments).check
    changes = list(stale(root, table))
    for path, text in changes:
        word = "removed" if text is None else "written"
        print(f"stale: {path}" if check else f"{word}: {path}")
        if not check:
            write(root, path, text)
    if check and changes:
        print(REMEDY, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
