"""Snapshot files: a header, then an object a line, with those fields only that the model reads.

Whoever prints such a file on a terminal sees text, whatever objects contain.
"""

import gzip
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import BinaryIO, Self, cast

import msgspec

from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import Key
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.intake import Header, Intake

SNAPSHOT_VERSION = 1
_IN_MEMORY = 2**20
"""Compressed bytes of a kind that are not worth a file."""
_QUICK, _SMALL = 1, 6
"""Levels of compression: of what is read back at once, and of what is kept."""


class Snapshot(Intake):
    """Puts a snapshot together while the lists come: one object in memory, the rest compressed.

    The header stands first and is known last, so that lines wait in a temporary file a kind.
    """

    def __init__(self, *, compressed: bool) -> None:
        super().__init__()
        self._compressed = compressed
        self._spools = {kind: _Spool(_SMALL if compressed else _QUICK) for kind in KINDS}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            for spool in self._spools.values():
                stack.callback(spool.close)

    def begin(self, kind: str) -> None:
        """The list of a kind begins, or begins anew: what was written of it does not count."""
        self._spools[kind].clear()

    def _keep(self, kind: str, key: Key, document: ObjectDoc, _: str) -> None:
        self._spools[kind].write(line(kind, key, document) + b"\n")

    def write(self, out: BinaryIO) -> None:
        """The whole snapshot: the header, then the objects of each kind in the order they came."""
        count = sum(spool.count for spool in self._spools.values())
        text = header_line(self.header, count) + b"\n"
        out.write(gzip.compress(text, mtime=0) if self._compressed else text)
        for spool in self._spools.values():
            if spool.count:
                spool.copy(out, compressed=self._compressed)


class _Spool:
    """Lines, compressed as they come; a gzip file may be the sum of several."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._open()

    def _open(self) -> None:
        self.count = 0
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - close() does
        self._zip = gzip.GzipFile("", "wb", self._level, cast("BinaryIO", self._file), mtime=0)

    def clear(self) -> None:
        """What was written does not count."""
        self.close()
        self._open()

    def write(self, text: bytes) -> None:
        """A line."""
        self.count += 1
        self._zip.write(text)

    def copy(self, out: BinaryIO, *, compressed: bool) -> None:
        """All of it to another file."""
        self._zip.close()
        self._file.seek(0)
        if compressed:
            shutil.copyfileobj(self._file, out)
        else:
            whole = gzip.GzipFile(mode="rb", fileobj=cast("BinaryIO", self._file))
            shutil.copyfileobj(whole, out)

    def close(self) -> None:
        """Drop it."""
        self._zip.close()
        self._file.close()


class Documents(Intake):
    """Objects as a snapshot writes them, in memory; the higher resourceVersion wins."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[str, dict[Key, ObjectDoc]] = {kind: {} for kind in KINDS}

    def begin(self, kind: str) -> None:
        """The list of a kind begins, or begins anew: what was seen of it does not count."""
        self._held[kind].clear()
        self._versions[kind].clear()

    def _keep(self, kind: str, key: Key, document: ObjectDoc, _: str) -> None:
        if self._wins(kind, key, document):
            self._held[kind][key] = document

    def lines(self) -> Iterator[bytes]:
        """The lines of a snapshot, without line ends; objects by kind and key."""
        yield header_line(self.header, sum(len(held) for held in self._held.values()))
        for kind, held in self._held.items():
            for key in sorted(held):
                yield line(kind, key, held[key])


def header_line(header: Header | None, objects: int) -> bytes:
    """The first line, which says how many objects follow."""
    known = header or Header(snapshot_version=SNAPSHOT_VERSION, taken_at="")
    return _shown(msgspec.json.encode(msgspec.structs.replace(known, objects=objects)))


def line(kind: str, key: Key, document: ObjectDoc) -> bytes:
    """An object as the API writes it: type first, then what was decoded of it."""
    typed = msgspec.json.encode({"apiVersion": KINDS[kind].api_version, "kind": kind})
    if key[0] != document.metadata.namespace:
        meta = msgspec.structs.replace(document.metadata, namespace=key[0])
        document = msgspec.structs.replace(document, metadata=meta)
    return _shown(typed[:-1] + b"," + msgspec.json.encode(document)[1:])


def _shown(line: bytes) -> bytes:
    """The same JSON with escapes for what a terminal could take for an order: it is shown on some.

    Control characters of ASCII are escaped by any encoder, those of Unicode, DEL and what turns
    the line are not.
    """
    if line.isascii() and b"\x7f" not in line:
        return line
    text = line.decode()
    if text.isprintable():
        return line
    return "".join(one if one.isprintable() else _escaped(one) for one in text).encode()


def _escaped(character: str) -> str:
    code = character.encode("utf-16-be").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))
