"""A stream of bytes in pieces: read as it is needed, and never held whole."""

from collections.abc import Iterator
from typing import BinaryIO

from clusteraudit.sources.faults import ParseError

CHUNK = 2**18
HEAD = 2**16
"""Bytes by which it is told what a stream holds."""
MAX_LINE = 2**28
"""Bytes without a line end, at most, and of one object: none is longer by far."""


class Chunks:
    """A stream that can be gone through once, and its beginning before that."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.head = stream.read(HEAD)
        while self.head and not self.head.strip():
            self.head = stream.read(HEAD)

    def __iter__(self) -> Iterator[bytes]:
        """All of it, its head included; raises ParseError for a line that no object could be."""
        line = 0
        for piece in self.pieces():
            end = piece.rfind(b"\n")
            line = line + len(piece) if end < 0 else len(piece) - end - 1
            if line > MAX_LINE:
                raise ParseError(f"has a line of more than {MAX_LINE >> 20} MiB")
            yield piece

    def pieces(self) -> Iterator[bytes]:
        """All of it, its lines of any length."""
        piece, self.head = self.head, b""
        while piece:
            yield piece
            piece = self._stream.read(CHUNK)

    def whole(self) -> bytes:
        """All of it at once."""
        return b"".join(self)

    def lines(self) -> Iterator[bytes]:
        """Line by line, without line ends."""
        begun: list[bytes] = []
        for piece in self:
            first, *rest = piece.split(b"\n")
            begun.append(first)
            if rest:
                yield b"".join(begun)
                *between, last = rest
                yield from between
                begun = [last]
        yield b"".join(begun)
