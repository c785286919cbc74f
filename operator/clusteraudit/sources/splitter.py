"""A JSON list that comes in pieces: each of its items as soon as it is whole."""

import re
from collections.abc import Iterator

import msgspec

from clusteraudit.sources.chunks import MAX_LINE
from clusteraudit.sources.faults import ParseError

TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_BRACE = re.compile(rb'[^"{}\[\]]*+(?:%b[^"{}\[\]]*+)*+[{}\[\]]' % TEXT, re.DOTALL)
"""Up to the next brace or bracket that is in no text."""
_PLAIN = re.compile(rb"(?:%b|[^\s,\]\"]++)(?=[\s,\]])" % TEXT, re.DOTALL)
"""A value that is neither object nor list."""
_BLANK = re.compile(rb"\s*")
_OPEN, _COMMA, _END = frozenset(b"{["), ord(","), ord("]")


class Splitter:
    """Takes what follows the bracket that begins a list; holds one item at most."""

    def __init__(self) -> None:
        self.tail = b""
        """What followed the end of the list."""
        self._ended = False
        self._pieces: list[bytes] = []
        self._held = self._new = 0
        self._between = self._first = True
        self._length = self._depth = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Items that are whole now; raises ParseError for what is no list of JSON values.

        An item that is longer than a piece is looked at again when twice as much of it is there.
        """
        self._pieces.append(piece)
        self._new += len(piece)
        if self._held + self._new > MAX_LINE:
            raise ParseError(f"has an item of more than {MAX_LINE >> 20} MiB")
        if self._new >= self._held:
            yield from self._split()

    def close(self) -> Iterator[bytes]:
        """The last items; raises ParseError if the list did not end."""
        yield from self._split()
        if not self._ended:
            raise ParseError("is not whole JSON: it ends too early")

    def _split(self) -> Iterator[bytes]:
        data, at = b"".join(self._pieces), 0
        while not self._ended and (at := self._skip(data, at)) < len(data):
            end = self._end(data, at)
            if end is None:
                break
            yield _valid(data[at:end])
            at, self._between, self._first = end, True, False
        if self._ended:
            self.tail, at = self.tail + data[at:], len(data)
        self._pieces, self._held, self._new = [data[at:]], len(data) - at, 0

    def _skip(self, data: bytes, at: int) -> int:
        """Where the next item begins, or goes on; past the end of the list it has ended."""
        at = _next(data, at)
        if not self._between or at == len(data):
            return at
        if data[at] == _END:
            self._ended = True
            return at + 1
        if not self._first:
            if data[at] != _COMMA:
                raise ParseError("is not whole JSON: between items of a list is no comma")
            at = _next(data, at + 1)
        self._between = False
        return at

    def _end(self, data: bytes, at: int) -> int | None:
        """Where the value ends that begins here; None if that is not there yet."""
        nested = data[at] in _OPEN
        pattern = _BRACE if nested else _PLAIN
        while found := pattern.match(data, at + self._length):
            self._length = found.end() - at
            if nested:
                self._depth += 1 if data[found.end() - 1] in _OPEN else -1
            if self._depth == 0:
                self._length = 0
                return found.end()
        return None


def _next(data: bytes, at: int) -> int:
    found = _BLANK.match(data, at)
    return found.end() if found else at


def _valid(item: bytes) -> bytes:
    try:
        msgspec.json.decode(item, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise ParseError(f"is not whole JSON: {error}") from None
    except RecursionError:
        raise ParseError("is nested too deeply") from None
    except UnicodeDecodeError:
        raise ParseError("is not UTF-8 text") from None
    return item
