"""What a payload says that it is, and the document that is read of it."""

import msgspec

from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.model.moments import epoch
from clusteraudit.sources.decoding import Decoding
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.parse import Payload
from clusteraudit.sources.translate import DOCUMENTS


class Named(msgspec.Struct, frozen=True):
    """The names of an object, as they stand there."""

    name: str = ""
    namespace: str = ""


class Top(msgspec.Struct, rename="camel"):
    """What tells an object from others, and a snapshot's header from objects."""

    api_version: str = ""
    kind: str = ""
    metadata: Named = Named()
    snapshot_version: int | None = None


class _Times(msgspec.Struct, frozen=True, rename="camel"):
    creation_timestamp: str | None = None
    managed_fields: list["_Managed"] = []


class _Managed(msgspec.Struct):
    time: str | None = None


class _Timed(msgspec.Struct):
    metadata: _Times = _Times()


_TOP = Decoding(Top)
_TIMED = Decoding(_Timed)
_DOCUMENTS = {kind: Decoding(document) for kind, document in DOCUMENTS.items()}


def top(payload: Payload) -> Top | None:
    """What the payload says that it is; None if that is not text."""
    try:
        return _TOP(payload if isinstance(payload, bytes) else _head(payload))
    except UNREADABLE:
        return None


def _head(payload: dict[str, object]) -> dict[str, object]:
    meta = payload.get("metadata")
    names = {k: meta.get(k) for k in ("name", "namespace")} if isinstance(meta, dict) else {}
    named = {key: payload.get(key) for key in ("apiVersion", "kind", "snapshotVersion")}
    return {**named, "metadata": names}


def decode(kind: str, payload: Payload) -> ObjectDoc:
    """The document of an object; raises what UNREADABLE names."""
    return _DOCUMENTS[kind](payload)


def newest(payload: Payload) -> int | None:
    """The latest time that the server set: no other may move the age of everything."""
    try:
        meta = _TIMED(payload).metadata
        texts = (meta.creation_timestamp, *(one.time for one in meta.managed_fields))
        return max((epoch(text) for text in texts if text), default=None)
    except (ValueError, OverflowError, *UNREADABLE):
        return None
