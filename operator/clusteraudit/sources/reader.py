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
        self.unread.pop(key, None)
        self.known[key] = self.generation
        self._sink.put(self.resource.kind, key, row)

    def _skip(self, item: bytes | msgspec.Raw | ObjectDoc, error: Exception) -> None:
        meta = item.metadata if isinstance(item, ObjectDoc) else _meta(item)
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


def _meta(item: bytes | msgspec.Raw) -> Meta:
    try:
        return peek(item).metadata
    except UNREADABLE:
        return Meta(name="?")
