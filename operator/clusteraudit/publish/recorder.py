"""The recorder: sends an Event so that sending it again, by whomever, changes nothing.

Its name says what it is about, its time which occurrence. Where one of that name is there already
it is counted up in its `series`, unless it has seen this occurrence.
"""

import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

import msgspec

from clusteraudit.kube.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from clusteraudit.kube.session import Session, decoded
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.moments import epoch
from clusteraudit.model.rows import Ref
from clusteraudit.report.resource import GROUP, KIND, PLURAL, VERSION, StatusEvent
from clusteraudit.report.shapes import ObjectReference

CONTROLLER = "cluster-audit"
_EVENTS = "/apis/events.k8s.io/v1/namespaces/{}/events"
_MERGE = "application/merge-patch+json"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_CLUSTER_SCOPED = "default"
"""Namespace of Events of objects that have none: kubectl looks for them there."""
_RACES = 5
"""How often in a row others may write the same Event first."""
_PASSING = {200, 401, 429}
"""Answers that say nothing of the Event: one that cannot be read, no credentials, too many."""
_SERVER = 500


class Dropped(StrEnum):
    """Why an Event was given up."""

    RATE = "RateLimited"
    NAMESPACE = "NamespaceGone"
    FORBIDDEN = "Forbidden"
    REFUSED = "Refused"
    UNAVAILABLE = "Unavailable"


class DroppedError(Exception):
    """It will never be taken."""

    def __init__(self, why: Dropped, message: str) -> None:
        super().__init__(message)
        self.why = why


class LaterError(Exception):
    """It may be taken later; after so many seconds, if the server says so."""

    def __init__(self, message: str, after: float | None) -> None:
        super().__init__(message)
        self.after = after


class _Owner(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    resource_version: str = ""
    owner_references: list[_Owner] | None = None


class _Object(msgspec.Struct, frozen=True):
    metadata: _Meta


class _List(msgspec.Struct, frozen=True):
    items: list[_Object] | None = None


class _Reply(msgspec.Struct, frozen=True):
    """What says that it was taken: an object, whatever else is in it."""

    kind: str = ""


class _Series(msgspec.Struct, frozen=True, rename="camel"):
    count: int = 1
    last_observed_time: str = ""


class _Event(msgspec.Struct, frozen=True, rename="camel"):
    metadata: _Meta
    event_time: str | None = None
    series: _Series | None = None


class Recorder:
    """Sends Events, one at a time."""

    def __init__(self, session: Session, child_of: Callable[[Ref], Awaitable[Ref | None]]) -> None:
        self._session = session
        self._child_of = child_of
        self._instance = socket.gethostname()[:128] or CONTROLLER

    async def send(self, event: StatusEvent) -> bool:
        """Send it; whether it was news. Raises DroppedError, LaterError, UnreachableError."""
        try:
            return await self._send(event)
        except ForbiddenError as error:
            gone = "is being terminated" in str(error)
            raise DroppedError(
                Dropped.NAMESPACE if gone else Dropped.FORBIDDEN, str(error)
            ) from None
        except NotFoundError as error:
            raise DroppedError(Dropped.NAMESPACE, str(error)) from None
        except ApiError as error:
            if error.status in _PASSING or error.status >= _SERVER:
                raise LaterError(str(error), error.retry_after) from None
            raise DroppedError(Dropped.REFUSED, str(error)) from None

    async def _send(self, event: StatusEvent) -> bool:
        manifest = self._manifest(event, await self._uid(event.regarding))
        for _ in range(_RACES):
            try:
                await self._post(manifest)
            except ConflictError:
                pass
            else:
                return True
            counted = await self._count_up(event)
            if counted is not None:
                return counted
        raise LaterError(f"{event.name}: others write it too", None)

    async def _post(self, manifest: Mapping[str, object]) -> None:
        where = _EVENTS.format(_namespace(manifest))
        reply = await self._session.send("POST", where, body=json.dumps(manifest).encode())
        decoded(reply, _Reply, f"POST {where}")  # whatever else says 200 has not taken it

    async def _count_up(self, event: StatusEvent) -> bool | None:
        """Count an Event up that is there already; None if that is to be tried anew."""
        path = f"{_EVENTS.format(event.regarding.namespace or _CLUSTER_SCOPED)}/{event.name}"
        try:
            there = await self._session.get(path, _Event)
            if _last(there) >= epoch(event.at):
                return False
            body = _again(there, event)
            reply = await self._session.send("PATCH", path, body=body, content=_MERGE)
            decoded(reply, _Reply, f"PATCH {path}")
        except (ConflictError, NotFoundError):  # somebody else counted; or it has expired
            return None
        return True

    def _manifest(self, event: StatusEvent, uid: str) -> dict[str, object]:
        namespace = event.regarding.namespace or _CLUSTER_SCOPED
        about = _reference(event.regarding) | ({"uid": uid} if uid else {})
        related = {"related": _reference(event.related)} if event.related else {}
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"namespace": namespace, "name": event.name},
            "eventTime": _micro(event.at),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "type": event.type,
            "reason": event.reason,
            "action": event.action,
            "regarding": about,
            "note": event.note,
            **related,
        }

    async def _uid(self, about: ObjectReference) -> str:
        """The uid that the object has now, without which `kubectl describe` shows no Event.

        Of a controller of a kind that we may not read, an object that it owns tells it. Empty
        where it is gone: its Event is then in the list of its namespace only.
        """
        owner = Ref(about.api_version, about.kind, about.namespace, about.name)
        if _collection(owner):
            return (await self._metadata(owner)).uid
        child = await self._child_of(owner)
        owners = (await self._metadata(child)).owner_references or () if child else ()
        same = (one for one in owners if (one.kind, one.name) == (owner.kind, owner.name))
        return next((one.uid for one in same), "")

    async def _metadata(self, about: Ref) -> _Meta:
        """By a list of one: the right to list is there, that to get is needed by nobody else."""
        one = {"fieldSelector": f"metadata.name={about.name}"}
        try:
            found = await self._session.get(_collection(about), _List, one, accept=_METADATA)
        except (NotFoundError, ForbiddenError):
            return _Meta()
        return found.items[0].metadata if found.items else _Meta()


def _collection(about: Ref) -> str:
    """Where objects like this one are listed, if it is of a kind that we may read."""
    if (about.api_version, about.kind) == (f"{GROUP}/{VERSION}", KIND):
        return f"/apis/{about.api_version}/{PLURAL}"
    kind = KINDS.get(about.kind)
    if kind is None or kind.api_version != about.api_version:
        return ""
    root = f"{'/apis' if kind.group else '/api'}/{kind.api_version}"
    inside = f"/namespaces/{about.namespace}" if kind.namespaced else ""
    return f"{root}{inside}/{kind.plural}"


def _reference(about: ObjectReference) -> dict[str, str]:
    said = {"apiVersion": about.api_version, "kind": about.kind, "name": about.name}
    return said | ({"namespace": about.namespace} if about.namespace else {})


def _namespace(manifest: Mapping[str, object]) -> object:
    metadata = manifest["metadata"]
    return metadata["namespace"] if isinstance(metadata, dict) else _CLUSTER_SCOPED


def _micro(moment: str) -> str:
    return moment.replace("Z", ".000000Z")


def _last(there: _Event) -> int:
    """When it occurred last; one that others made may have no time of this kind."""
    moment = there.series.last_observed_time if there.series else there.event_time
    return epoch(moment) if moment else 0


def _again(there: _Event, event: StatusEvent) -> bytes:
    """Only the series changes, and only if nobody else has changed it meanwhile."""
    count = there.series.count if there.series else 1
    series = {"count": count + 1, "lastObservedTime": _micro(event.at)}
    version = {"resourceVersion": there.metadata.resource_version}
    return json.dumps({"metadata": version, "series": series}).encode()
