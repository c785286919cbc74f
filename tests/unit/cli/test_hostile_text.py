"""What objects contain never acts: on a terminal, in a file, or in what reads the output."""

import json
import os
import pty
import random
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clusteraudit.cli import output
from clusteraudit.cli.output import Format, machine, plain
from clusteraudit.model.printable import LONGEST
from support import hostile
from support.cli import ROOT, call

WIDE = {"COLUMNS": "120"}
ENV = {**os.environ, "PYTHONPATH": str(ROOT / "operator"), **WIDE}
COMMANDS = (
    ("scan",),
    ("capacity", "--by", "node"),
    ("evictions", "--all"),
    ("drill", "all"),
    ("explain", "--all"),
)
SGR = re.compile(r"\x1b\[[0-9;]*m")
"""Colours: the only orders that we give."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "cluster.jsonl"
    objects = hostile.cluster(hostile.order(random.Random(1)))
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    return path


def told(*arguments: str | Path) -> str:
    """All that a command says; its lines are ours and there is nothing else in it."""
    done = call(*arguments, env=WIDE)
    assert done.returncode == 0, done.stderr
    for text in (done.stdout.decode(), done.stderr.decode()):
        assert text.replace("\n", "").isprintable(), strange(text)
    return done.stdout.decode()


def strange(text: str) -> list[str]:
    return [repr(line) for line in text.split("\n") if not line.isprintable()][:5]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one[0])
def test_a_table_is_text(file: Path, command: tuple[str, ...]) -> None:
    said = told(*command, "-f", file)

    assert r"\x1b" in said, "it is shown as what it is"
    assert not any(line.startswith("CRITICAL XXX000") for line in said.splitlines())
    assert max(map(len, said.splitlines())) <= output.WIDEST


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[4]], ids=lambda one: one[0])
def test_json_and_yaml_are_whole_and_say_the_same(file: Path, command: tuple[str, ...]) -> None:
    read = json.loads(told(*command, "-f", file, "-o", "json"))

    assert read == yaml.load(told(*command, "-f", file, "-o", "yaml"), yaml.CSafeLoader)
    assert "\x1b[2J" in json.dumps(read, ensure_ascii=False).replace("\\u001b", "\x1b"), "untouched"


def test_every_object_is_read_and_found(file: Path) -> None:
    read = json.loads(told("scan", "-f", file, "--complete", "-o", "json"))

    assert read["inputs"]["skipped"] == []
    assert not [one for one in read["rules"] if one["error"]]
    assert len(read["findings"]) > 20
    for one in read["findings"]:
        assert len(one["message"]) <= LONGEST
        assert one["message"].isprintable()


def test_a_terminal_gets_colours_and_nothing_else(file: Path) -> None:
    text = on_a_terminal("scan", "-f", str(file))

    assert SGR.search(text)
    assert SGR.sub("", text).replace("\r\n", "").isprintable(), strange(SGR.sub("", text))


def on_a_terminal(*arguments: str) -> str:
    """What a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "clusteraudit", *arguments]
    env = {key: value for key, value in ENV.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
    with subprocess.Popen(command, env=env, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        text = b"".join(iter(lambda: _read(ours), b""))
        assert running.wait() == 0
    os.close(ours)
    return text.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.mark.parametrize("order", hostile.ORDERS[:11])
def test_an_error_repeats_no_order(order: str) -> None:
    done = call("explain", "-f", "-", f"shop/{order}", stdin=b'{"kind":"Node"}', env=WIDE)

    assert done.returncode == 2
    assert done.stderr.decode().replace("\n", "").isprintable()


def test_a_file_may_be_called_anything(tmp_path: Path) -> None:
    names = [b"\xff\x1b[31m.yaml", "\u202e\n.json".encode(), b"ok.yaml"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"[")
    (tmp_path / "ok.yaml").write_text("{kind: Namespace, apiVersion: v1, metadata: {name: a}}")

    for form in ("table", "json", "yaml"):
        assert "1b[31m" in told("scan", "-f", tmp_path, "-o", form)


# Properties


class Shape(BaseModel):
    """As the shapes of commands are."""

    name: str
    more: dict[str, list[str]]
    inner: list["Shape"] = []


def decoded(longest: int = 200) -> st.SearchStrategy[str]:
    """What UTF-8 can hold, as all of an object does; names of files are escaped when read."""
    return hostile.texts(longest).map(lambda one: one.encode(errors="replace").decode())


SHAPES = st.recursive(
    st.builds(
        Shape,
        name=decoded(),
        more=st.dictionaries(decoded(20), st.lists(decoded(), max_size=3), max_size=3),
    ),
    lambda some: st.builds(
        Shape, name=decoded(), more=st.just({}), inner=st.lists(some, max_size=2)
    ),
    max_leaves=4,
)


@given(SHAPES)
@settings(max_examples=300, deadline=None)
def test_machines_read_what_was_said(shape: Shape) -> None:
    data = shape.model_dump(mode="json")
    for form in (Format.JSON, Format.YAML):
        text = machine(shape, form)
        text.encode()
        assert text.replace("\n", "").isprintable()
        read = json.loads(text) if form is Format.JSON else yaml.load(text, yaml.CSafeLoader)
        assert read == data


@given(SHAPES)
@settings(max_examples=300, deadline=None)
def test_people_see_what_was_said(shape: Shape) -> None:
    shown = plain(shape)
    texts = [shown.name, *shown.more, *(one for each in shown.more.values() for one in each)]
    assert all(one.isprintable() and len(one) <= LONGEST for one in texts)
    if shape.name.isprintable():
        assert shown.name[:100] == shape.name[:100]


@given(hostile.texts())
@settings(max_examples=300, deadline=None)
def test_no_markup_is_read(text: str) -> None:
    """`[bold]`, `[link=...]` and `:skull:` are letters in cells and sentences."""
    (shown,) = plain(Shape(name=text, more={"a": [text]})).more["a"]
    console = Console(
        file=StringIO(), width=5000, markup=False, emoji=False, highlight=False, no_color=True
    )
    table = Table(box=None, show_header=False)
    table.add_row(shown)
    output.show(console, (table, Text(shown)))
    out = console.file
    assert isinstance(out, StringIO)
    assert shown.strip()[:50] in out.getvalue()
