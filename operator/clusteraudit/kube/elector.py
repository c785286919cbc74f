"""The elector: gets the Lease, keeps it, and gives it back. The rules are those of `kube/lease`."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import structlog

from clusteraudit.kube import lease
from clusteraudit.kube.errors import ApiError, ConflictError, NotFoundError, UnreachableError
from clusteraudit.kube.lease import LeaseSpec, Sight, Timing
from clusteraudit.kube.session import Session, decoded

_ROOT = f"/apis/{lease.GROUP}/{lease.VERSION}/namespaces/{{}}/{lease.PLURAL}"
_FIELDS = LeaseSpec.__struct_encode_fields__
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Election:
    """For which Lease, under which identity, which no other candidate may have."""

    namespace: str
    name: str
    identity: str
    timing: Timing = field(default_factory=Timing)


class Elector:
    """A candidate; `gained` is called each time that it begins to lead."""

    def __init__(
        self,
        session: Session,
        election: Election,
        gained: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.term = 0
        self._session = session
        self._namespace = election.namespace
        self._name = election.name
        self._identity = election.identity
        self._timing = election.timing
        self._gained = gained
        self._clock = clock
        self._rng = random.Random()
        self._turn = asyncio.Lock()
        self._attempt: asyncio.Future[None] | None = None
        self._sight: Sight | None = None
        self._renewed: float | None = None
        self._trouble = ""

    @property
    def held(self) -> bool:
        """Whether it was renewed lately; a process that was frozen sees that it was not."""
        since = self._renewed
        return since is not None and self._clock() < since + self._timing.deadline

    async def run(self) -> None:
        """Try to get it, then to keep it, until cancelled.

        An attempt under way is not cut off: the server may have heard it, and `release` writes over
        what came of it.
        """
        while True:
            self._attempt = asyncio.ensure_future(self._in_turn())
            await asyncio.shield(self._attempt)
            now, chance = self._clock(), self._rng.random()
            await asyncio.sleep(lease.pause(self._sight, self._identity, self._timing, now, chance))

    async def confirm(self) -> bool:
        """Read the Lease, and whether we hold it."""
        async with self._turn:
            with contextlib.suppress(ApiError, UnreachableError):
                await self._read()
            return self.held

    async def release(self) -> None:
        """Leave it to whoever comes next; nothing if we do not hold it."""
        async with self._turn:
            held, self._renewed = self.held, None
            if held:
                with contextlib.suppress(ApiError, UnreachableError):
                    await self._give_back()

    async def _give_back(self) -> None:
        """Over what was seen last; or over what is there, if a renewal lost its reply."""
        with contextlib.suppress(ConflictError):
            return await self._empty()
        await self._read()
        return await self._empty()

    async def _empty(self) -> None:
        if self._sight is not None and self._sight.holder == self._identity:
            await self._write(self._sight, lease.released(self._sight, _now()))
            _log.info("the lease is released")

    async def _in_turn(self) -> None:
        async with self._turn:
            await self._try()

    async def _try(self) -> None:
        """One attempt; whatever comes of it, the next one follows."""
        try:
            await self._take()
            self._trouble = ""
        except ConflictError:  # somebody else wrote it first
            self._renewed = None
        except (ApiError, UnreachableError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning("the lease cannot be held", error=self._trouble)

    async def _take(self) -> None:
        """A holder renews over what it wrote last; else the Lease is read first."""
        if self.held and self._sight is not None:
            with contextlib.suppress(ConflictError, NotFoundError):
                await self._renew()
                return
        await self._read()
        if lease.free(self._sight, self._identity, self._clock()):
            await self._renew()

    async def _read(self) -> None:
        path = f"{self._root}/{self._name}"
        now = self._clock()
        try:
            body = await self._session.send("GET", path, patience=self._timing.patience)
        except NotFoundError:
            self._sight = self._renewed = None
            return
        self._sight = lease.look(self._sight, _sight(body, now))
        if self._sight.holder != self._identity:
            self._lose(self._sight.holder)

    async def _renew(self) -> None:
        """Write it; it counts from before it was asked for."""
        start, led = self._clock(), self.held
        spec = lease.claim(self._sight, self._identity, self._timing.duration, _now())
        await self._write(self._sight, spec)
        self._renewed = start
        if not led and self.held:
            self.term += 1
            _log.info("leading", identity=self._identity, term=self.term)
            self._gained()

    async def _write(self, sight: Sight | None, spec: LeaseSpec) -> None:
        body = msgspec.json.encode(self._manifest(sight, spec))
        verb, path = ("PUT", f"{self._root}/{self._name}") if sight else ("POST", self._root)
        now = self._clock()
        said = await self._session.send(verb, path, body=body, patience=self._timing.patience)
        self._sight = _sight(said, now)

    def _manifest(self, sight: Sight | None, spec: LeaseSpec) -> dict[str, object]:
        """What others wrote into it stays."""
        if sight is None:
            kind = {"apiVersion": f"{lease.GROUP}/{lease.VERSION}", "kind": lease.KIND}
            where = {"namespace": self._namespace, "name": self._name}
            return {**kind, "metadata": where, "spec": spec}
        there = sight.manifest.get("spec")
        foreign = (
            {k: v for k, v in there.items() if k not in _FIELDS} if isinstance(there, dict) else {}
        )
        return {**sight.manifest, "spec": {**foreign, **msgspec.to_builtins(spec)}}

    def _lose(self, holder: str) -> None:
        if self._renewed is not None:
            _log.warning("no longer leading", holder=holder)
        self._renewed = None

    @property
    def _root(self) -> str:
        return _ROOT.format(self._namespace)


_Manifest = dict[str, object]


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""


class _Lease(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    spec: LeaseSpec = LeaseSpec()


def _sight(body: bytes, now: float) -> Sight:
    """Raises ApiError if it is not a Lease."""
    found, manifest = decoded(body, _Lease, "the Lease"), decoded(body, _Manifest, "the Lease")
    return Sight(found.spec, found.metadata.resource_version, now, manifest)


def _now() -> datetime:
    return datetime.now(UTC)
