"""Data to stdout: JSON, YAML, or a table."""

import json
import os
import sys
from collections.abc import Iterable
from enum import StrEnum

import yaml
from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.table import Table

PROSE = 100
"""Columns within which sentences are read well; tables take what the terminal has."""
WIDEST = 200


class Format(StrEnum):
    """Formats of output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def console() -> Console:
    """A console on stdout: as wide as the terminal, and wide and plain where it is none."""
    terminal = sys.stdout.isatty()
    width = min(WIDEST, os.get_terminal_size().columns) if terminal else WIDEST
    return Console(width=width, highlight=False, emoji=False, markup=False)


def show(console: Console, parts: Iterable[RenderableType]) -> None:
    """Print the parts one below the other, without the blanks with which rich fills lines up."""
    with console.capture() as capture:
        for part in parts:
            wide = isinstance(part, Table)
            console.print(part, width=console.width if wide else min(PROSE, console.width))
    for line in capture.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def machine(shape: BaseModel, form: Format) -> str:
    """The shape as JSON or YAML; keys in the order of their declaration."""
    data = shape.model_dump(mode="json", by_alias=True)
    if form is Format.JSON:
        return json.dumps(data, ensure_ascii=False, indent=2)
    return yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True).rstrip()
