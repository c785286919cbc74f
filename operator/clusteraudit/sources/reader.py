"""The reader of a kind: objects become rows, and what a whole list did not see is gone."""

import msgspec

from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.model.rows import Key, Row
from clusteraudit.sources.decoding import Decoding
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.feed import Resource, Sink, TranslateError
from clusteraudit.sources.wire import (
    OF_OBJECTS,
    BrokenWatchError,
    Event,
    Meta,
    metadata,
    peek,
    peeked,
)


class Reader:
    """Decodes objects of one kind and puts their rows; counts what it cannot read."""

    def __init__(self, resource: Resource, sink: Sink) -> None:
        self.resource = resource
        self.known: dict[Key, int] = {}
        self.unread: dict[Key, int] = {}
        """What is there and cannot be evaluated."""
        self.generation = 0
        self._sink = sink
        self._decode = Decoding(resource.document)

    def take(self, event: Event) -> None:
        """What a watch says of an object; raises BrokenWatchError if it is about none."""
        if event.type == "DELETED":
            seen = metadata(event)
            self.drop((seen.namespace, seen.name))
        elif event.type not in OF_OBJECTS:
            said = peeked(event)
            raise BrokenWatchError(f"{event.type} {said.code}: {said.message}", relist=True)
        elif event.document is None:
            self.put(event.object)
        else:
            self._told(event, event.document)

    def put(self, item: bytes | msgspec.Raw) -> None:
        """An object as it now is; one that cannot be read any more is gone from the model."""
        try:
            row = self.resource.translate(self._decode(item))
        except (TranslateError, *UNREADABLE) as error:
            self._skip(item, error)
        else:
            self._keep(row)

    def _told(self, event: Event, document: ObjectDoc) -> None:
        try:
            row = self.resource.translate(document)
        except TranslateError as error:
            self._skip(event.object, error)
        else:
            self._keep(row)

    def _keep(self, row: Row) -> None:
        key = row.key
        self.unread.pop(key, None)
        self.known[key] = self.generation
        self._sink.put(self.resource.kind, key, row)

    def _skip(self, item: bytes | msgspec.Raw, error: Exception) -> None:
        try:
            meta = peek(item).metadata
        except UNREADABLE:
            meta = Meta(name="?")
        reason = error.reason if isinstance(error, TranslateError) else "InvalidObject"
        key = (meta.namespace, meta.name)
        self.drop(key)
        self.unread[key] = self.generation
        self._sink.skipped(self.resource.kind, *key, reason, str(error))

    def drop(self, key: Key) -> None:
        """An object is gone; one that was never known needs no telling."""
        there = [each.pop(key) for each in (self.known, self.unread) if key in each]
        if there:
            self._sink.put(self.resource.kind, key, None)

    def begin(self) -> None:
        """A new generation."""
        self.generation += 1

    def end(self) -> None:
        """The generation is whole: what it did not see was deleted meanwhile."""
        for each in (self.known, self.unread):
            for key in [key for key, seen in each.items() if seen != self.generation]:
                self.drop(key)

    def forget(self) -> None:
        """Nothing of the kind is there."""
        self.begin()
        self.end()
