"""Gathering: objects of any source become the changes and the evidence of one model."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.model.kinds import KINDS, USAGE
from clusteraudit.model.moments import epoch
from clusteraudit.model.rows import Key
from clusteraudit.model.store import COMPLETE, Change, Evidence, api_group
from clusteraudit.sources.decoding import Decoding, dense
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.feed import TranslateError
from clusteraudit.sources.parse import Payload
from clusteraudit.sources.synthetic import synthetic_pods
from clusteraudit.sources.translate import DOCUMENTS, translate

_DIGITS = 20
"""Of an integer of 64 bits, which a resourceVersion is."""


class Skipped(msgspec.Struct, frozen=True):
    """An object that cannot be evaluated, and why."""

    source: str
    object: str
    reason: str
    message: str


class Header(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """The first line of a snapshot: when it was taken, and what it holds in full."""

    snapshot_version: int
    taken_at: str
    listed: list[str] = []
    forbidden: list[str] = []
    unserved: list[str] = []
    groups: list[str] = []
    cluster: str = ""
    version: str = ""
    objects: int = 0


class _Named(msgspec.Struct, frozen=True):
    name: str = ""
    namespace: str = ""


class _Top(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    metadata: _Named = _Named()
    snapshot_version: int | None = None


class _Times(msgspec.Struct, frozen=True, rename="camel"):
    creation_timestamp: str | None = None
    managed_fields: list["_Managed"] = []


class _Managed(msgspec.Struct):
    time: str | None = None


class _Timed(msgspec.Struct):
    metadata: _Times = _Times()


class Gathering:
    """Documents by kind and key; the higher resourceVersion wins, else the later one."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[Key, ObjectDoc]] = {kind: {} for kind in KINDS}
        self.ignored: Counter[str] = Counter()
        self.skipped: list[Skipped] = []
        self.duplicates = 0
        self.header: Header | None = None
        self.groups: set[str] = set()
        self.newest: int | None = None
        self._read = 0
        self._sources: dict[tuple[str, Key], str] = {}

    @property
    def read(self) -> int:
        """How many objects were seen, of whatever kind."""
        return self._read

    def add(self, source: str, payload: Payload) -> None:
        """Take an object in, or note why it cannot be."""
        top = _top(payload)
        if top is None:
            self._skip(source, "?", "InvalidObject", "it has no kind and name that are text")
        elif top.snapshot_version is not None:
            self._take_header(source, payload)
        else:
            self._read += 1
            self._add(source, payload, top)

    def add_item(self, source: str, kind: str, api_version: str, payload: bytes) -> None:
        """Take in an item of a list, which need not repeat what it is."""
        top = _top(payload)
        self._read += 1
        if top is None:
            self._skip(source, kind, "InvalidObject", "its metadata is not what it should be")
        else:
            self._add(
                source, payload, msgspec.structs.replace(top, kind=kind, api_version=api_version)
            )

    def _add(self, source: str, payload: Payload, top: _Top) -> None:
        kind = KINDS.get(top.kind)
        group = top.api_version.rpartition("/")[0]
        if kind is None or kind.group != group:
            self.ignored[top.kind or "?"] += 1
            self.groups.add(group)
            return
        namespace = (top.metadata.namespace or "default") if kind.namespaced else ""
        name = _title(kind.name, namespace, top.metadata.name)
        if not top.metadata.name:
            self._skip(source, name, "NoName", "it has no name")
            return
        try:
            document = decode(kind.name, payload)
            self._keep(kind.name, (namespace, top.metadata.name), document, source)
        except UNREADABLE as error:
            self._skip(source, name, "InvalidObject", str(error))
        else:
            self._clock(payload)

    def _keep(self, kind: str, key: Key, document: ObjectDoc, source: str) -> None:
        held = self.documents[kind].get(key)
        if held is not None:
            self.duplicates += 1
            if _version(held) > _version(document):
                return
        self.documents[kind][key] = document
        if source:
            self._sources[kind, key] = source

    def _skip(self, source: str, name: str, reason: str, message: str) -> None:
        self.skipped.append(Skipped(source, name, reason, message))

    def fail(self, source: str, reason: str, message: str) -> None:
        """Note a source that cannot be read, or not to its end."""
        self._skip(source, "", reason, message)

    def _take_header(self, source: str, payload: Payload) -> None:
        try:
            self.header = (
                msgspec.json.decode(payload, type=Header)
                if isinstance(payload, bytes)
                else msgspec.convert(payload, Header)
            )
        except UNREADABLE as error:
            self._skip(source, "", "InvalidHeader", str(error))

    def _clock(self, payload: Payload) -> None:
        """Times that the server set: no other may move the age of everything."""
        try:
            timed = (
                msgspec.json.decode(payload, type=_Timed)
                if isinstance(payload, bytes)
                else msgspec.convert(dense(payload), _Timed)
            )
            meta = timed.metadata
            texts = (meta.creation_timestamp, *(one.time for one in meta.managed_fields))
            times = [epoch(text) for text in texts if text]
        except (ValueError, OverflowError):
            return
        self.newest = max(
            [*times, *([self.newest] if self.newest is not None else [])], default=None
        )

    # Results

    def rows(self) -> list[Change]:
        """Every object as a change, pods that only a template promises included."""
        changes = [api_group(name) for name in sorted(self._groups())]
        for kind, documents in self.documents.items():
            for key, document in documents.items():
                change = self._row(kind, key, document)
                if change:
                    changes.append(change)
        if "Pod" not in self._listed():
            changes += synthetic_pods(changes, self.documents)
        return changes

    def _row(self, kind: str, key: Key, document: ObjectDoc) -> Change | None:
        try:
            row = translate(kind, document)
        except TranslateError as error:
            source = self._sources.get((kind, key), "")
            self._skip(source, _title(kind, *key), error.reason, str(error))
            return None
        if row.namespace != key[0]:
            row = msgspec.structs.replace(row, namespace=key[0])
        return Change(kind, key, row)

    def _groups(self) -> set[str]:
        return self.groups | set(self.header.groups if self.header else ())

    def _listed(self) -> set[str]:
        if self.header is None or self._read < self.header.objects:
            return set()
        return {*self.header.listed, *self.header.unserved}

    def evidence(
        self, changes: Iterable[Change], complete: Iterable[str] = ()
    ) -> dict[str, Evidence]:
        """How much of each kind is known; `complete` names kinds of which nothing is missing."""
        held = {change.kind for change in changes}
        full = self._listed() | {kind for kind in complete if kind not in USAGE or kind in held}
        forbidden = set(self.header.forbidden) if self.header else set[str]()
        known = {kind: _evidence(kind, full=kind in full, held=kind in held) for kind in KINDS}
        return known | dict.fromkeys(forbidden & known.keys(), Evidence("none", "Forbidden"))

    def now(self) -> int | None:
        """When this was so: as the snapshot says, else the newest time that a server set."""
        if self.header:
            try:
                return epoch(self.header.taken_at)
            except ValueError:
                return self.newest
        return self.newest


def _evidence(kind: str, *, full: bool, held: bool) -> Evidence:
    if full:
        return COMPLETE
    return (
        Evidence("partial")
        if held
        else Evidence("none", "NotServed" if kind in USAGE else "NotInInput")
    )


def decode(kind: str, payload: Payload) -> ObjectDoc:
    """The document of an object; raises what UNREADABLE names."""
    return _DECODINGS[kind](payload)


_DECODINGS = {kind: Decoding(document) for kind, document in DOCUMENTS.items()}
_TOP = Decoding(_Top)


def _top(payload: Payload) -> _Top | None:
    try:
        if isinstance(payload, bytes):
            return _TOP(payload)
        named = {key: payload.get(key) for key in ("apiVersion", "kind", "snapshotVersion")}
        meta = payload.get("metadata")
        names = {k: meta.get(k) for k in ("name", "namespace")} if isinstance(meta, dict) else {}
        return _TOP({**named, "metadata": names})
    except UNREADABLE:
        return None


def _title(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _version(document: ObjectDoc) -> int:
    text = document.metadata.resource_version
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0


def of_manifests(
    manifests: Iterable[Mapping[str, object]], *, complete: Iterable[str] | None = None
) -> tuple[list[Change], dict[str, Evidence]]:
    """Rows and evidence of manifests in memory; by default nothing is missing of any kind."""
    gathering = Gathering()
    for manifest in manifests:
        gathering.add("", dict(manifest))
    changes = gathering.rows()
    return changes, gathering.evidence(changes, KINDS if complete is None else complete)
