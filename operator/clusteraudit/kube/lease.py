"""Who publishes: leader election by a Lease, with the rules of client-go's `leaderelection`.

A lease is over for others when they have not seen it change for as long as it says, by their own
monotonic clock; the holder's clock is never compared with theirs. The holder gives up earlier, at
its renew deadline, so that clocks may run at somewhat different speeds. Whoever writes does so over
the `resourceVersion` that it has read, so of two that try at once one is refused.

The Lease says who should publish. That nobody else can is not its doing: statuses are written over
the `resourceVersion` that their writer has last seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import msgspec

GROUP, VERSION, KIND, PLURAL = "coordination.k8s.io", "v1", "Lease", "leases"
DURATION = 12.0
"""Seconds for which others wait; client-go's habit is 15, with which a takeover can take 20."""


@dataclass(frozen=True)
class Timing:
    """Seconds by which a lease is held. Of client-go's 15, 10 and 2 the proportions are kept."""

    duration: float = DURATION

    @property
    def deadline(self) -> float:
        """So long after its last renewal the holder stops to publish."""
        return self.duration * 2 / 3

    @property
    def retry(self) -> float:
        """Between attempts to get it or to keep it."""
        return self.duration / 6

    @property
    def patience(self) -> float:
        """For the answer to one request: two fit in before the deadline."""
        return self.duration / 4


class LeaseSpec(msgspec.Struct, frozen=True, rename="camel"):
    """What a Lease says; times are the holder's, and only shown."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


@dataclass(frozen=True)
class Sight:
    """A Lease as it was read, and since when it has looked like that."""

    spec: LeaseSpec
    version: str
    since: float
    """By the reader's monotonic clock."""
    manifest: Mapping[str, object]
    """The whole object: what others wrote into it stays."""

    @property
    def holder(self) -> str:
        """Who has it; empty if nobody does."""
        return self.spec.holder_identity or ""

    @property
    def end(self) -> float:
        """When it is over for others, unless it is renewed."""
        return self.since + (self.spec.lease_duration_seconds or 0)


def look(before: Sight | None, found: Sight) -> Sight:
    """What is known after reading it: unchanged, it has looked like that for longer."""
    same = before is not None and before.spec == found.spec
    return replace(found, since=before.since) if before and same else found


def free(sight: Sight | None, identity: str, now: float) -> bool:
    """Whether this one may take it or keep it."""
    return sight is None or sight.holder in {"", identity} or now >= sight.end


def claim(sight: Sight | None, identity: str, duration: float, now: datetime) -> LeaseSpec:
    """What to write to have it: a renewal keeps when and how often it was taken."""
    held = sight is not None and sight.holder == identity
    before = sight.spec if sight else LeaseSpec()
    times = before.lease_transitions or 0
    moment = micro_time(now)
    return LeaseSpec(
        holder_identity=identity,
        lease_duration_seconds=max(1, round(duration)),
        acquire_time=before.acquire_time if held else moment,
        renew_time=moment,
        lease_transitions=times if held or sight is None else times + 1,
    )


def released(sight: Sight, now: datetime) -> LeaseSpec:
    """What to write to leave it to others at once (client-go's `ReleaseOnCancel`)."""
    moment = micro_time(now)
    return LeaseSpec("", 1, moment, moment, sight.spec.lease_transitions)


def pause(sight: Sight | None, identity: str, timing: Timing, now: float, chance: float) -> float:
    """Seconds until the next attempt; `chance` of 0 to 1 keeps several apart.

    Others look again as soon as the lease ends: to wait for their turn could cost two more.
    """
    usual = timing.retry * (0.8 + 0.4 * chance)
    if sight is None or sight.holder in {"", identity}:
        return usual
    end = sight.end + timing.retry * 0.25 * chance - now
    return min(usual, end) if end > 0 else usual


def micro_time(moment: datetime) -> str:
    """As the API's MicroTime; the moment is in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Leader(Protocol):
    """Whether this replica publishes."""

    @property
    def term(self) -> int:
        """How often it has begun to lead."""

    @property
    def held(self) -> bool:
        """Whether it leads at this moment."""

    async def confirm(self) -> bool:
        """Read the Lease, and whether it leads; after a write was refused."""


@dataclass(frozen=True)
class Alone:
    """The only replica: there is nobody to elect."""

    term: int = 0
    held: bool = True

    async def confirm(self) -> bool:
        """It does."""
        return self.held
