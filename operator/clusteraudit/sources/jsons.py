"""JSON as text: an object, a list of them item by item, or an object a line."""

import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from clusteraudit.sources.chunks import Chunks
from clusteraudit.sources.faults import Faults, ParseError
from clusteraudit.sources.splitter import TEXT, Splitter

T = TypeVar("T")

_LIST = re.compile(
    rb'\s*\{\s*(?:"(?:apiVersion|kind|metadata)"\s*:\s*(?:%b|\{[^{}]*\})\s*,\s*)*"items"\s*:\s*\['
    % TEXT
)
"""How a list begins; what comes before its items is short."""
_TYPED = re.compile(rb'\s*\{\s*"(?:apiVersion|kind)"\s*:')


class Peek(msgspec.Struct, rename="camel", gc=False):
    """What tells an object, or a list of them, apart."""

    api_version: str = ""
    kind: str = ""
    items: list[msgspec.Raw] | None = None


def peek(data: bytes) -> Peek:
    """What an object says that it is; raises ParseError."""
    return _decoded(data, Peek)


def _decoded(data: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.ValidationError:
        raise ParseError("is JSON, but not a Kubernetes object") from None
    except msgspec.DecodeError as error:
        raise ParseError(f"is not whole JSON: {error}") from None
    except RecursionError:
        raise ParseError("is nested too deeply") from None
    except UnicodeDecodeError:
        raise ParseError("is not UTF-8 text") from None


def unpack(data: bytes, peeked: Peek) -> Iterator[bytes]:
    """The object, or the items of the list that it is."""
    if peeked.items is None or not peeked.kind.endswith("List"):
        yield data
        return
    for item in peeked.items:
        yield _with_type(bytes(item), peeked)


def _with_type(item: bytes, of: Peek) -> bytes:
    """Items of a `PodList` need not repeat what they are."""
    kind = of.kind.removesuffix("List")
    try:
        if not kind or item[:1] != b"{" or peek(item).kind:
            return item
    except ParseError:  # whoever takes it in says what is wrong with it
        return item
    typed = msgspec.json.encode({"apiVersion": of.api_version, "kind": kind})[:-1]
    rest = item[1:].lstrip()
    return typed + (rest if rest == b"}" else b"," + rest)


# An object a line


def begins_with_a_line(head: bytes) -> bool:
    """Whether the first line is an object and more follows: JSON lines, whatever their name."""
    line, _, rest = (part.strip() for part in head.lstrip().partition(b"\n"))
    if not rest or not line.endswith(b"}"):
        return False
    try:
        _decoded(line, msgspec.Raw)
    except ParseError:
        return False
    return True


def lines(chunks: Chunks) -> Iterator[bytes]:
    """The objects of JSON lines; raises ParseError at the end, which names a line that is none."""
    faults, number = Faults(), 0
    for text in chunks.lines():
        for line in text.splitlines() or [text]:
            number += 1
            try:
                peeked = peek(line) if line.strip() else None
            except ParseError as error:
                faults.note(f"line {number} {error}")
                continue
            if peeked:
                yield from unpack(line, peeked)
    faults.tell()


# A list, item by item


def begin_of_items(head: bytes) -> int | None:
    """Where the items of a list begin; None if it does not, or not yet."""
    found = _LIST.match(head)
    return found.end() if found else None


def list_begins(head: bytes) -> int | None:
    """Where the items of a list begin that can be read one by one; None if it is no such list.

    kubectl writes the kind after the items; then it is a list if its items say what they are, since
    no other object of that API version has items.
    """
    found = _LIST.match(head)
    if found is None:
        return None
    peeked = peek(found[0] + b"]}")
    untold = not peeked.kind and peeked.api_version == "v1"
    typed = untold and _TYPED.match(head, found.end()) is not None
    return found.end() if typed or peeked.kind.endswith("List") else None


def items(chunks: Chunks, begin: int) -> Iterator[bytes]:
    """The items of a list, each read when it is asked for; raises ParseError."""
    before = chunks.head[:begin]
    peeked = peek(before + b"]}")
    splitter = Splitter()
    skip = begin
    for piece in chunks.pieces():
        for item in splitter.feed(piece[skip:]):
            yield _with_type(item, peeked)
        skip = 0
    for item in splitter.close():
        yield _with_type(item, peeked)
    if not peek(before + b"]" + splitter.tail).kind.endswith("List"):
        raise ParseError("begins as a list, but ends as none")
