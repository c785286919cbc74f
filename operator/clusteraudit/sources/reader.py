"""The reader of a kind: objects become rows, and what a whole list did not see is gone."""

import msgspec

from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.model.lately import Lately
from clusteraudit.model.rows import Key, Row
from clusteraudit.model.slack import tighten
from clusteraudit.sources.decoding import Decoding
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.feed import Resource, Sink, TranslateError
from clusteraudit.sources.names import Names
from clusteraudit.sources.wire import (
    OF_OBJECTS,
    BrokenWatchError,
    Event,
    Meta,
    Turn,
    metadata,
    peek,
    peeked,
)

_named = Lately(4_096).one
"""Of names: what comes back under its name, as pods of a StatefulSet do, has the text that the
tables still hold."""


class Reader:
    """Decodes objects of one kind and puts their rows; counts what it cannot read."""

    def __init__(self, resource: Resource, sink: Sink, like: Names | None = None) -> None:
        self.resource = resource
        self.known: dict[Key, Key] = {}
        """What is there: one text of each name, however often its object comes anew."""
        self.unread: set[Key] = set()
        """What is there and cannot be evaluated."""
        self._unseen: set[Key] = set()
        """What was there before the list that is under way, and did not come yet."""
        self._sink = sink
        self._like = Names() if like is None else like
        """Objects of other kinds that may have the same names, with which it shares the text."""
        self._decode = Decoding(resource.document)

    def take(self, event: Event) -> None:
        """What a watch says of an object; raises BrokenWatchError if it is about none."""
        if event.type == "DELETED":
            seen = metadata(event)
            self.drop((seen.namespace, seen.name))
        elif event.type not in OF_OBJECTS:
            said = peeked(event)
            raise BrokenWatchError(f"{event.type} {said.code}: {said.message}", relist=True)
        else:
            self.put(event.document or event.object)

    def put(self, item: bytes | msgspec.Raw | ObjectDoc) -> None:
        """An object as it now is; one that cannot be read any more is gone from the model."""
        try:
            document = item if isinstance(item, ObjectDoc) else self._decode(item)
            row = self.resource.translate(document)
        except (TranslateError, *UNREADABLE) as error:
            self._skip(item, error)
        else:
            self._keep(row)

    def _keep(self, row: Row) -> None:
        key = row.key
        held = self.known.get(key)
        if held is None:
            held = self._like.get(key) or _named(key)
            self.known[held] = held
        msgspec.structs.force_setattr(row, "name", held[1])
        self.unread.discard(key)
        self._unseen.discard(key)
        self._sink.put(self.resource.kind, held, row)

    def _skip(self, item: bytes | msgspec.Raw | ObjectDoc, error: Exception) -> None:
        meta = item.metadata if isinstance(item, ObjectDoc) else _meta(item)
        reason = error.reason if isinstance(error, TranslateError) else "InvalidObject"
        key = (meta.namespace, meta.name)
        self.drop(key)
        self.unread.add(key)
        self._unseen.discard(key)
        self._sink.skipped(self.resource.kind, *key, reason, str(error))

    def drop(self, key: Key) -> None:
        """An object is gone; one that was never known needs no telling."""
        if key in self.known or key in self.unread:
            _named(self.known.pop(key, key))
            self.unread.discard(key)
            self._sink.put(self.resource.kind, key, None)

    def begin(self) -> None:
        """A new list."""
        self._unseen = self.known.keys() | self.unread

    async def end(self) -> None:
        """The list is whole: what it did not see was deleted meanwhile."""
        turn = Turn()
        for key in self._unseen:
            self.drop(key)
            await turn.end()
        self._unseen = set()
        self.tighten()

    def tighten(self) -> None:
        """Give back the room of what went, where it is much."""
        tighten(self.known)

    async def forget(self) -> None:
        """Nothing of the kind is there."""
        self.begin()
        await self.end()


def _meta(item: bytes | msgspec.Raw) -> Meta:
    try:
        return peek(item).metadata
    except UNREADABLE:
        return Meta(name="?")
