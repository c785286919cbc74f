"""From bytes to objects: JSON, JSON lines and YAML, lists unpacked, each read in its turn.

A file is never held whole where its format allows: lines are read one by one, the items of a JSON
list as well, YAML by document.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias, cast

from clusteraudit.sources import jsons, yamls
from clusteraudit.sources.chunks import Chunks
from clusteraudit.sources.faults import ParseError

Payload: TypeAlias = bytes | dict[str, object]
"""One object: as JSON text, or as YAML constructs it."""


def objects(name: str, stream: BinaryIO) -> Iterator[Payload]:
    """Every object in a file of that name, lists unpacked; raises ParseError."""
    plain = name.removesuffix(".gz")
    try:
        yield from _objects(plain, Chunks(stream if plain == name else _unzipped(stream)))
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ParseError("is not a whole gzip file") from None


def _unzipped(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=stream))


def _objects(name: str, chunks: Chunks) -> Iterator[Payload]:
    if not chunks.head:
        raise ParseError("is empty")
    if b"\0" in chunks.head[:4096]:
        raise ParseError("is binary, not JSON or YAML")
    if name.endswith(".jsonl") or jsons.begins_with_a_line(chunks.head):
        yield from jsons.lines(chunks)
    elif chunks.head.lstrip()[:1] not in {b"{", b"["}:
        yield from yamls.documents(chunks)
    elif (begin := jsons.list_begins(chunks.head)) is not None:
        yield from jsons.items(chunks, begin)
    else:
        yield from _at_once(chunks.whole())


def _at_once(data: bytes) -> Iterator[Payload]:
    """An object, or what only looks like one at first."""
    try:
        peeked = jsons.peek(data)
    except ParseError as error:
        head = data.split(b"\n", 1)[0].strip()
        if head.startswith(b"{") and head.endswith(b"}") and b"\n" in data.strip():
            yield from jsons.lines(Chunks(io.BytesIO(data)))
            return
        if data.lstrip()[:1] == b"{" and _looks_like_flow_yaml(data):
            yield from yamls.documents(Chunks(io.BytesIO(data)))
            return
        raise ParseError(str(error)) from None
    yield from jsons.unpack(data, peeked)


def _looks_like_flow_yaml(data: bytes) -> bool:
    return b'"' not in data[:200] or b"\n---" in data
