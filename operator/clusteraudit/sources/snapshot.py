"""Snapshot files: a header, then an object a line, with those fields only that the model reads."""

from collections.abc import Iterator

import msgspec

from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import Key
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.gather import Gathering, Header

SNAPSHOT_VERSION = 1


def lines(gathering: Gathering) -> Iterator[bytes]:
    """The lines of a snapshot, without line ends; objects by kind and key."""
    held = gathering.documents
    header = gathering.header or Header(snapshot_version=SNAPSHOT_VERSION, taken_at="")
    count = sum(len(documents) for documents in held.values())
    yield msgspec.json.encode(msgspec.structs.replace(header, objects=count))
    for kind, documents in held.items():
        for key in sorted(documents):
            yield _line(kind, key, documents[key])


def _line(kind: str, key: Key, document: ObjectDoc) -> bytes:
    """An object as the API writes it: type first, then what was decoded of it."""
    typed = msgspec.json.encode({"apiVersion": KINDS[kind].api_version, "kind": kind})
    if key[0] != document.metadata.namespace:
        meta = msgspec.structs.replace(document.metadata, namespace=key[0])
        document = msgspec.structs.replace(document, metadata=meta)
    return typed[:-1] + b"," + msgspec.json.encode(document)[1:]
