"""What a report's status says, read back: a restart, and whoever takes over, go on from there."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from clusteraudit.audit.ledger import Entry
from clusteraudit.kube.errors import UNREADABLE
from clusteraudit.kube.session import Session
from clusteraudit.model.moments import epoch
from clusteraudit.model.rows import Ref
from clusteraudit.publish.status import ROOT
from clusteraudit.report.resource import StatusEvent
from clusteraudit.report.status import first_seen
from clusteraudit.rules.kit import Finding, Severity


class _Object(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""


class StoredFinding(msgspec.Struct, frozen=True):
    """A finding that the status lists."""

    rule: str = ""
    severity: str = ""
    loop: str = ""
    object: _Object = _Object()
    message: str = ""
    remedy: str = ""
    fingerprint: str = ""
    since: str = ""
    stale: bool = False


class StoredCondition(msgspec.Struct, frozen=True):
    """A condition of the status."""

    type: str = ""
    status: str = ""
    message: str = ""


class Stored(msgspec.Struct, frozen=True, rename="camel"):
    """The parts of a status from which the next one goes on; no ledger: it never had one."""

    conditions: list[StoredCondition] = []
    findings: list[StoredFinding] = []
    ledger: list[str] | None = None
    events: list[dict[str, object]] = []
    last_audit_time: str = ""


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    resource_version: str = ""


class _Report(msgspec.Struct, frozen=True):
    metadata: _Meta
    status: msgspec.Raw = msgspec.Raw(b"null")


class _Whole(msgspec.Struct, frozen=True):
    status: dict[str, object] = {}


class StoredReport(msgspec.Struct, frozen=True):
    """A report as the API server has it; a status that cannot be read is none."""

    metadata: _Meta
    status: Stored | None = None


async def stored_status(session: Session, name: str) -> Mapping[str, object]:
    """A status with all that anybody wrote into it; raises as `stored_report` does."""
    return (await session.get(f"{ROOT}/{name}", _Whole)).status


async def stored_report(session: Session, name: str) -> StoredReport:
    """Read a report; raises NotFoundError, ApiError, UnreachableError."""
    found = await session.get(f"{ROOT}/{name}", _Report)
    with contextlib.suppress(*UNREADABLE):
        return StoredReport(found.metadata, msgspec.json.decode(found.status, type=Stored | None))
    return StoredReport(found.metadata)


def as_stored(said: Mapping[str, object]) -> Stored:
    """What reading this status back gives."""
    return msgspec.convert(said, Stored)


def since(stored: Stored) -> dict[str, int]:
    """Since when findings are open: by the ledger, or by the findings of older versions."""
    return {one.fingerprint: one.since for one in entries(stored)} | first_seen(stored.ledger or ())


def entries(stored: Stored) -> Iterator[Entry]:
    """The findings that are listed; what another version wrote and makes no sense is left out."""
    for one in stored.findings:
        with contextlib.suppress(ValueError):
            yield Entry(
                rule=one.rule,
                finding=Finding(
                    Ref(
                        one.object.api_version,
                        one.object.kind,
                        one.object.namespace,
                        one.object.name,
                    )
                ),
                severity=Severity(one.severity),
                message=one.message,
                remedy=one.remedy,
                fingerprint=one.fingerprint,
                since=epoch(one.since),
                stale=one.stale,
            )


def events(stored: Stored) -> Iterator[StatusEvent]:
    """The Events that it calls for."""
    for one in stored.events:
        with contextlib.suppress(ValueError):
            event = StatusEvent.model_validate(one)
            epoch(event.at)
            yield event


def audited(stored: Stored) -> Iterator[str]:
    """When the cluster was audited, if that is a moment."""
    with contextlib.suppress(ValueError):
        epoch(stored.last_audit_time)
        yield stored.last_audit_time


def cut(stored: Stored) -> bool:
    """Whether more was open than the ledger has room for."""
    lines = stored.ledger or []
    truncated = any(one.type == "Truncated" and one.status == "True" for one in stored.conditions)
    return lines[-1].startswith("+") if lines else truncated


def marks(stored: Stored, listed: Iterable[Entry]) -> frozenset[str]:
    """Fingerprints of all that was open, as far as it is known."""
    return frozenset(first_seen(stored.ledger or ())) | {one.fingerprint for one in listed}
