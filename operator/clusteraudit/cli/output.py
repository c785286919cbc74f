"""Data to stdout: JSON, YAML, or a table."""

import json
import os
import sys
from enum import StrEnum

import yaml
from pydantic import BaseModel
from rich.console import Console

WIDTH = 100


class Format(StrEnum):
    """Formats of output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def console() -> Console:
    """A console on stdout: plain where it is no terminal, and as wide as text is read well."""
    terminal = sys.stdout.isatty()
    width = min(WIDTH, os.get_terminal_size().columns) if terminal else WIDTH
    return Console(width=width, highlight=False, emoji=False, markup=False)


def machine(shape: BaseModel, form: Format) -> str:
    """The shape as JSON or YAML; keys in the order of their declaration."""
    data = shape.model_dump(mode="json", by_alias=True)
    if form is Format.JSON:
        return json.dumps(data, ensure_ascii=False, indent=2)
    return yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True).rstrip()
