"""Everything of a live cluster, once: what `scan` and `snapshot` read."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime

import msgspec

from clusteraudit.kube.discovery import groups, version
from clusteraudit.kube.errors import (
    ApiError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    UnauthorizedError,
    UnreachableError,
)
from clusteraudit.kube.patience import patiently
from clusteraudit.kube.session import JSON, Session
from clusteraudit.model.kinds import USAGE
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.feed import Resource
from clusteraudit.sources.gather import Gathering
from clusteraudit.sources.intake import Header, Intake
from clusteraudit.sources.pages import Pages
from clusteraudit.sources.resources import POLLED, WATCHED, path
from clusteraudit.sources.source import NO_STREAM, SILENCE, Source
from clusteraudit.sources.whole import whole
from clusteraudit.sources.wire import BrokenWatchError, Turn, peeked

_AT_ONCE = 4
_PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Progress = Callable[[str, int], None]


async def gather(session: Session, progress: Progress) -> Gathering:
    """Everything as rows."""
    gathering = Gathering()
    await read(session, gathering, progress)
    return gathering


async def read(session: Session, into: Intake, progress: Progress) -> None:
    """List every audited kind; what is forbidden or not served is noted, not fatal.

    Nor is usage that cannot be had: whoever serves it may be down while the API server is not.
    """
    gate = asyncio.Semaphore(_AT_ONCE)
    forbidden: list[str] = []
    unserved: list[str] = []
    unavailable: list[str] = []

    async def one(resource: Resource) -> None:
        async with gate:
            try:
                await _list(session, resource, into, progress)
            except ForbiddenError:
                forbidden.append(resource.kind)
            except NotFoundError:
                unserved.append(resource.kind)
            except (ApiError, UnreachableError) as error:
                if resource.kind not in USAGE or isinstance(error, UnauthorizedError):
                    raise
                into.begin(resource.kind)  # without what came before it broke
                unavailable.append(resource.kind)

    told = _told(into, progress)
    served, name = await patiently(lambda: version(session), told), session.credentials.name
    found = await patiently(lambda: groups(session), told)
    await _all(one(resource) for resource in (*WATCHED, *POLLED))
    polled = {resource.kind for resource in POLLED}
    refused = {*forbidden, *unserved, *unavailable}
    into.header = Header(
        snapshot_version=1,
        taken_at=datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        listed=[r.kind for r in (*WATCHED, *POLLED) if r.kind not in refused],
        forbidden=sorted(forbidden),
        unserved=sorted(set(unserved) - polled),
        unavailable=sorted(unavailable),
        groups=found,
        cluster=name,
        version=served,
    )


async def _all(asked: Iterable[Coroutine[None, None, None]]) -> None:
    """All of them, or what the first that fails raises; then no other goes on."""
    tasks = [asyncio.create_task(one) for one in asked]
    try:
        await asyncio.gather(*tasks)
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _list(session: Session, resource: Resource, into: Intake, progress: Progress) -> None:
    """All of a kind in pages; if one was asked for too late, as a stream, which cannot expire.

    From a server that cannot stream, in pages again. Of usage there are neither.
    """
    told = _told(into, progress)
    if resource.kind in USAGE:
        return await patiently(lambda: _as_it_comes(session, resource, into, progress), told)
    while True:
        try:
            return await _in_pages(session, resource, into, progress)
        except GoneError:
            pass
        try:
            return await patiently(lambda: _streamed(session, resource, into, progress), told)
        except ApiError as error:
            if error.status not in NO_STREAM:
                raise


async def _streamed(session: Session, resource: Resource, into: Intake, progress: Progress) -> None:
    """What is there when it begins; what changes meanwhile does not count."""
    into.begin(resource.kind)
    source = Source(session, resource, silence=SILENCE, rng=random.Random())
    turn = Turn()
    try:
        async with aclosing(source.everything()) as events:
            async for event in events:
                if event.type == "BOOKMARK" and peeked(event).metadata.last:
                    return
                if event.type == "ADDED":
                    into.add_item(resource.kind, event.document or bytes(event.object))
                    progress("the cluster", into.read)
                    await turn.end()
    except BrokenWatchError as broken:
        raise UnreachableError(f"the list of {resource.plural} as a stream: {broken}") from None
    raise UnreachableError(f"the list of {resource.plural} ended before its end mark")


async def _in_pages(session: Session, resource: Resource, into: Intake, progress: Progress) -> None:
    told = _told(into, progress)
    into.begin(resource.kind)
    where = path(resource.api_version, resource.plural)
    pages = Pages(resource.document, f"GET {where}", session.decoding)
    async with aclosing(pages.all(lambda params: _page(session, resource, params, told))) as listed:
        async for page in listed:
            await _put(page.items, resource.kind, into)
            del page  # before the next one is decoded
            progress("the cluster", into.read)


async def _as_it_comes(
    session: Session, resource: Resource, into: Intake, progress: Progress
) -> None:
    into.begin(resource.kind)
    where = path(resource.api_version, resource.plural)
    async with aclosing(whole(session, where, resource.document)) as answer:
        async for some in answer:
            await _put(some, resource.kind, into)
            progress("the cluster", into.read)


async def _put(items: Iterable[ObjectDoc | msgspec.Raw | bytes], kind: str, into: Intake) -> None:
    turn = Turn()
    for item in items:
        into.add_item(kind, item if isinstance(item, ObjectDoc) else bytes(item))
        await turn.end()


async def _page(
    session: Session, resource: Resource, params: Mapping[str, str], told: Callable[[float], None]
) -> bytes:
    where = path(resource.api_version, resource.plural)
    accept = _PARTIAL if resource.metadata_only else JSON
    return await patiently(lambda: session.send("GET", where, params=params, accept=accept), told)


def _told(into: Intake, progress: Progress) -> Callable[[float], None]:
    """Progress while the server asks for time."""
    return lambda left: progress(f"the cluster, in {left:.0f} s as it asks", into.read)
