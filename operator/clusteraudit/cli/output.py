"""Data to stdout: JSON, YAML, or a table."""

import json
import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar, cast

import yaml
from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.table import Table

from clusteraudit.model.printable import sentence

K = TypeVar("K")
T = TypeVar("T", bound=BaseModel)

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
    columns = os.get_terminal_size().columns if terminal else 0  # also of one that has no size
    width = min(WIDEST, columns or WIDEST)
    return Console(width=width, highlight=False, emoji=False, markup=False)


def show(console: Console, parts: Iterable[RenderableType]) -> None:
    """Print the parts one below the other, without the blanks with which rich fills lines up."""
    with console.capture() as capture:
        for part in parts:
            wide = isinstance(part, Table)
            console.print(part, width=console.width if wide else min(PROSE, console.width))
    for line in capture.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def plain(shape: T) -> T:
    """The shape with texts that can be shown on a terminal; itself where all can."""
    seen = _plain(shape)
    return cast("T", seen)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return sentence(value)
    if isinstance(value, BaseModel):
        changed = _changed((name, getattr(value, name)) for name in type(value).model_fields)
        return value.model_copy(update=dict(changed)) if changed else value
    if isinstance(value, dict):
        return {_plain(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value)) if _changed(enumerate(value)) else value
    return value


def _changed(parts: Iterable[tuple[K, object]]) -> list[tuple[K, object]]:
    """The parts that cannot be shown as they are, as they are shown."""
    shown = ((key, one, _plain(one)) for key, one in parts)
    return [(key, new) for key, one, new in shown if new is not one and new != one]


def machine(shape: BaseModel, form: Format) -> str:
    """The shape as JSON or YAML; keys in the order of their declaration."""
    data = shape.model_dump(mode="json", by_alias=True)
    text = _written(data, form, unicode=True)
    return text if text.replace("\n", "").isprintable() else _written(data, form, unicode=False)


def _written(data: object, form: Format, *, unicode: bool) -> str:
    """As text; without Unicode both formats escape all that a terminal could take for an order."""
    if form is Format.JSON:
        return json.dumps(data, ensure_ascii=not unicode, indent=2).replace("\x7f", "\\u007f")
    return yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=unicode).rstrip()
