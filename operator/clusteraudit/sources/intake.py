"""The intake: objects of any source, told apart, decoded, and handed on by kind and key."""

from abc import ABC, abstractmethod
from collections import Counter
from sys import intern

import msgspec

from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.model.kinds import KINDS, Kind
from clusteraudit.model.moments import epoch
from clusteraudit.model.rows import Key
from clusteraudit.sources.documents import Meta, ObjectDoc
from clusteraudit.sources.parse import Payload
from clusteraudit.sources.payload import Named, Top, decode, newest, top

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
    unavailable: list[str] = []
    groups: list[str] = []
    cluster: str = ""
    version: str = ""
    objects: int = 0

    @property
    def moment(self) -> int | None:
        """When it was taken; None if that is no time."""
        try:
            return epoch(self.taken_at)
        except ValueError:
            return None


class Intake(ABC):
    """Takes objects in one by one; what becomes of each, `_keep` decides."""

    def __init__(self) -> None:
        self.ignored: Counter[str] = Counter()
        self.duplicates = 0
        self.header: Header | None = None
        self.groups: set[str] = set()
        self.newest: int | None = None
        self.read = 0
        self._skipped: list[Skipped] = []
        self._versions: dict[str, dict[Key, int]] = {kind: {} for kind in KINDS}

    @property
    def skipped(self) -> list[Skipped]:
        """Sources and objects that cannot be read or evaluated."""
        return self._skipped

    def add(self, source: str, payload: Payload) -> None:
        """Take an object in, or note why it cannot be."""
        named = top(payload)
        if named is None:
            self._skip(source, "?", "InvalidObject", "it has no kind and name that are text")
        elif named.snapshot_version is not None:
            self._take_header(source, payload)
        else:
            self.read += 1
            self._add(source, payload, named)

    def add_item(self, kind: str, item: ObjectDoc | bytes) -> None:
        """Take in an item of a live list, which says what it is; decoded, if it can be."""
        self.read += 1
        named = item if isinstance(item, ObjectDoc) else top(item)
        if named is None:
            self._skip("", kind, "InvalidObject", "its metadata is not what it should be")
        else:
            self._take("", KINDS[kind], named.metadata, item)

    def fail(self, source: str, reason: str, message: str) -> None:
        """Note a source that cannot be read, or not to its end."""
        self._skip(source, "", reason, message)

    @abstractmethod
    def begin(self, kind: str) -> None:
        """The list of a kind begins, or begins anew: what was seen of it does not count."""

    @abstractmethod
    def _keep(self, kind: str, key: Key, document: ObjectDoc, source: str, /) -> None:
        """What becomes of an object."""

    def _add(self, source: str, payload: Payload, named: Top) -> None:
        kind = KINDS.get(named.kind)
        group = named.api_version.rpartition("/")[0]
        if kind is None or kind.group != group:
            self.ignored[named.kind or "?"] += 1
            self.groups.add(group)
        elif self._take(source, kind, named.metadata, payload):
            self._clock(payload)

    def _take(
        self, source: str, kind: Kind, named: Named | Meta, item: ObjectDoc | Payload
    ) -> bool:
        """Keep an object of a kind that is audited, or note why it cannot be; whether it is."""
        namespace = (named.namespace or "default") if kind.namespaced else ""
        name = title(kind.name, namespace, named.name)
        if not named.name:
            self._skip(source, name, "NoName", "it has no name")
            return False
        try:
            document = item if isinstance(item, ObjectDoc) else decode(kind.name, item)
            self._keep(kind.name, (intern(namespace), document.metadata.name), document, source)
        except UNREADABLE as error:
            self._skip(source, name, "InvalidObject", str(error))
            return False
        return True

    def _wins(self, kind: str, key: Key, document: ObjectDoc) -> bool:
        """Whether it is new, or no older than what is held of the object."""
        versions, version = self._versions[kind], _version(document)
        held = versions.get(key)
        if held is not None:
            self.duplicates += 1
            if held > version:
                return False
        versions[key] = version
        return True

    def _skip(self, source: str, name: str, reason: str, message: str) -> None:
        self._skipped.append(Skipped(source, name, reason, message))

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
        """The newest time that a server set; of no interest where a header says when it was."""
        if self.header is None or self.header.moment is None:
            seen = newest(payload)
            if seen is not None and (self.newest is None or seen > self.newest):
                self.newest = seen

    def now(self) -> int | None:
        """When this was so: as the snapshot says, else the newest time that a server set."""
        told = self.header.moment if self.header else None
        return self.newest if told is None else told


def title(kind: str, namespace: str, name: str) -> str:
    """An object as people write it."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _version(document: ObjectDoc) -> int:
    text = document.metadata.resource_version
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0
