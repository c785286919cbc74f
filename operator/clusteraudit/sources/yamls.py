"""YAML, document by document; nothing hostile gets far."""

import re
from collections.abc import Iterator

import yaml

from clusteraudit.sources.chunks import Chunks
from clusteraudit.sources.faults import Faults, ParseError

_MAX_DEPTH = 100
_MAX_NODES = 5_000_000
_BLOCK_NESTING = re.compile(rb"^(?: {200}|(?:- ){100})", re.MULTILINE)
_BEGIN = re.compile(rb"---(?:\s|$)")
_END = re.compile(rb"\.\.\.(?:\s|$)")
_AHEAD = re.compile(rb"\s*$|[#%]")
"""Blank lines, comments and directives belong to the document that follows."""


def documents(chunks: Chunks) -> Iterator[dict[str, object]]:
    """The objects of every document, lists unpacked; raises ParseError at the end."""
    faults = Faults()
    for before, data in _parts(chunks):
        try:
            yield from _of_part(data, before, faults)
        except ParseError as error:
            faults.note(str(error))
    faults.tell()


def _parts(chunks: Chunks) -> Iterator[tuple[int, bytes]]:
    """The text of each document, and how many lines came before it.

    A line that begins with `---` or `...` is never part of a value (YAML 1.2, 9.1.2).
    """
    part: list[bytes] = []
    before, begun = 0, False
    for number, line in enumerate(chunks.lines()):
        if begun and _BEGIN.match(line):
            yield before, b"\n".join(part) + b"\n"
            part, before = [], number
        part.append(line)
        begun = begun or not _AHEAD.match(line)
        if begun and _END.match(line):
            yield before, b"\n".join(part) + b"\n"
            part, before, begun = [], number + 1, False
    yield before, b"\n".join(part)


def _of_part(data: bytes, before: int, faults: Faults) -> Iterator[dict[str, object]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ParseError("is not UTF-8 text") from None
    try:
        if _suspicious(data):
            _measure(text)
        for document in yaml.load_all(text, Loader=_Loader):
            yield from _objects(document, faults)
    except yaml.YAMLError as error:
        raise ParseError(f"is not YAML: {_first_line(error, before)}") from None
    except RecursionError:
        raise ParseError("is nested too deeply") from None
    except ParseError:
        raise
    except ValueError as error:
        raise ParseError(f"is not YAML: {error}") from None


class _Loader(yaml.CSafeLoader):
    """Times stay text, as in JSON; and `on`, `off`, `yes`, `no` stay what YAML 1.1 says."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _objects(document: object, faults: Faults) -> Iterator[dict[str, object]]:
    if document is None:
        return
    if not isinstance(document, dict):
        faults.note("is YAML, but not a Kubernetes object")
        return
    items, kind = document.get("items"), document.get("kind")
    if not isinstance(items, list) or not isinstance(kind, str) or not kind.endswith("List"):
        yield document
        return
    typed = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")}
    for item in items:
        if isinstance(item, dict):
            yield item if item.get("kind") else {**typed, **item}
        else:
            faults.note("is a list that holds more than objects")


def _first_line(error: yaml.YAMLError, before: int) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
    return f"{problem} in line {before + mark.line + 1}" if mark else problem


def _suspicious(data: bytes) -> bool:
    """Whether it can hold many aliases or deep nesting: rare, and slow to make sure of."""
    anchors = b"*" in data and b"&" in data
    flow = max(data.count(b"["), data.count(b"{")) > _MAX_DEPTH
    return anchors or flow or _BLOCK_NESTING.search(data) is not None


def _measure(text: str) -> None:
    """Refuse nesting over a limit, and aliases that would grow into too many nodes."""
    sizes: dict[str, int] = {}
    stack: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append((event.anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = stack.pop()
            _grow(stack, sizes, anchor, size)
        elif isinstance(event, yaml.AliasEvent):
            _grow(stack, sizes, None, sizes.get(event.anchor or "", 1))
        elif isinstance(event, yaml.ScalarEvent):
            _grow(stack, sizes, event.anchor, 1)
        if len(stack) > _MAX_DEPTH:
            raise ParseError("is nested too deeply")


def _grow(
    stack: list[tuple[str | None, int]], sizes: dict[str, int], anchor: str | None, size: int
) -> None:
    if anchor:
        sizes[anchor] = size
    above, total = stack[-1]
    if total + size > _MAX_NODES:
        raise ParseError("has aliases that grow into too many nodes")
    stack[-1] = (above, total + size)
