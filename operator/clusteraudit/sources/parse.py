"""From bytes to objects: JSON, JSON lines and YAML, lists unpacked; nothing hostile gets far."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias, cast

import msgspec
import yaml

Payload: TypeAlias = bytes | dict[str, object]
"""One object: as JSON text, or as YAML constructs it."""

MAX_LINE = 2**28
"""Bytes without a line end, at most: a list of 100,000 objects in one line is shorter."""
_PIECE = 2**20
_MAX_DEPTH = 100
_MAX_NODES = 5_000_000
_BLOCK_NESTING = re.compile(rb"^(?: {200}|(?:- ){100})", re.MULTILINE)


class ParseError(ValueError):
    """A text that holds no objects, or not only objects; the message names where and why."""


class Faults:
    """What is wrong with parts of a text: told at its end, so that it takes nothing else along."""

    def __init__(self) -> None:
        self._first = ""
        self._more = 0

    def note(self, message: str) -> None:
        """A part that holds no object."""
        self._more += bool(self._first)
        self._first = self._first or message

    def tell(self) -> None:
        """Raise ParseError for all of them, if there is one."""
        if self._first:
            more = f", and {self._more} more of it is wrong" if self._more else ""
            raise ParseError(self._first + more)


class Peek(msgspec.Struct, rename="camel", gc=False):
    """What tells an object, or a list of them, apart."""

    api_version: str = ""
    kind: str = ""
    items: list[msgspec.Raw] | None = None


def objects(name: str, data: bytes) -> Iterator[Payload]:
    """Every object in a file of that name, lists unpacked; raises ParseError."""
    if name.endswith(".gz"):
        data, name = _gunzip(data), name.removesuffix(".gz")
    if not data.strip():
        raise ParseError("is empty")
    if b"\0" in data[:4096]:
        raise ParseError("is binary, not JSON or YAML")
    if name.endswith(".jsonl"):
        yield from _lines(data)
    elif data.lstrip()[:1] in {b"{", b"["}:
        yield from _json_or_lines(data)
    else:
        yield from _yaml(data)


def whole(stream: BinaryIO) -> bytes:
    """All of a stream; raises ParseError for a line that is longer than any object could be."""
    pieces: list[bytes] = []
    line = 0
    while piece := stream.read(_PIECE):
        pieces.append(piece)
        line = len(piece) - piece.rfind(b"\n") - 1 if b"\n" in piece else line + len(piece)
        if line > MAX_LINE:
            raise ParseError(f"has a line of more than {MAX_LINE >> 20} MiB")
    return b"".join(pieces)


def _gunzip(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return whole(cast("BinaryIO", stream))
    except (OSError, EOFError, zlib.error):
        raise ParseError("is not a whole gzip file") from None


def _json_or_lines(data: bytes) -> Iterator[Payload]:
    """JSON; or JSON lines under another name, as they come on standard input."""
    try:
        peek = _peek(data)
    except ParseError as error:
        head = data.split(b"\n", 1)[0].strip()
        if head.startswith(b"{") and head.endswith(b"}") and b"\n" in data.strip():
            yield from _lines(data)
            return
        if data.lstrip()[:1] == b"{" and _looks_like_flow_yaml(data):
            yield from _yaml(data)
            return
        raise ParseError(str(error)) from None
    yield from _unpack(data, peek)


def _looks_like_flow_yaml(data: bytes) -> bool:
    return b'"' not in data[:200] or b"\n---" in data


def _lines(data: bytes) -> Iterator[Payload]:
    faults = Faults()
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            peek = _peek(line) if line.strip() else None
        except ParseError as error:
            faults.note(f"line {number} {error}")
            continue
        if peek:
            yield from _unpack(line, peek)
    faults.tell()


def _peek(data: bytes) -> Peek:
    try:
        return msgspec.json.decode(data, type=Peek)
    except msgspec.ValidationError:
        raise ParseError("is JSON, but not a Kubernetes object") from None
    except msgspec.DecodeError as error:
        raise ParseError(f"is not whole JSON: {error}") from None
    except RecursionError:
        raise ParseError("is nested too deeply") from None
    except UnicodeDecodeError:
        raise ParseError("is not UTF-8 text") from None


def _unpack(data: bytes, peek: Peek) -> Iterator[Payload]:
    if peek.items is None or not peek.kind.endswith("List"):
        yield data
        return
    kind, version = peek.kind.removesuffix("List"), peek.api_version
    for item in peek.items:
        yield _with_type(bytes(item), kind, version)


def _with_type(item: bytes, kind: str, version: str) -> bytes:
    """Items of a `PodList` need not repeat what they are."""
    try:
        if not kind or item[:1] != b"{" or _peek(item).kind:
            return item
    except ParseError:  # whoever takes it in says what is wrong with it
        return item
    typed = msgspec.json.encode({"apiVersion": version, "kind": kind})[:-1]
    rest = item[1:].lstrip()
    return typed + (rest if rest == b"}" else b"," + rest)


# YAML


def _yaml(data: bytes) -> Iterator[Payload]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ParseError("is not UTF-8 text") from None
    try:
        if _suspicious(data):
            _measure(text)
        faults = Faults()
        for document in yaml.load_all(text, Loader=_Loader):
            yield from _documents(document, faults)
        faults.tell()
    except yaml.YAMLError as error:
        raise ParseError(f"is not YAML: {_first_line(error)}") from None
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


def _documents(document: object, faults: Faults) -> Iterator[Payload]:
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


def _first_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
    return f"{problem} in line {mark.line + 1}" if mark else problem


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
