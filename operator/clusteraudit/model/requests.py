"""Effective requests of a pod, from those of its containers.

Source: component-helpers `resource/helpers.go` (`PodRequests`, `AggregateContainerRequests`).
Sums are in billionths, so that only the pod's sum rounds.
"""

from collections.abc import Iterable, Mapping

import msgspec

from clusteraudit.model.quantity import base, nanos
from clusteraudit.model.rows import Amounts

Billionths = dict[str, int]
_AT_POD_LEVEL = ("cpu", "memory")


class Share(msgspec.Struct, frozen=True):
    """What one container asks for; a sidecar is an init container that keeps running."""

    requests: Billionths
    init: bool = False
    sidecar: bool = False


def exact(quantities: Mapping[str, str | float]) -> Billionths:
    """Quantities in billionths, blanks around them trimmed; raises QuantityError."""
    return {
        name: nanos(text.strip() if isinstance(text, str) else text)
        for name, text in quantities.items()
    }


def defaulted(requests: Billionths, limits: Billionths) -> Billionths:
    """Requests as admission completes them: a limit without a request is the request."""
    return {**limits, **requests}


def aggregate(shares: Iterable[Share]) -> Billionths:
    """Running containers with their sidecars, or the highest peak of an init container."""
    app: Billionths = {}
    sidecars: Billionths = {}
    peak: Billionths = {}
    for share in shares:
        if not share.init:
            add(app, share.requests)
        elif share.sidecar:
            add(sidecars, share.requests)
            add(app, share.requests)
            raise_to(peak, sidecars)
        else:
            raise_to(peak, add(dict(sidecars), share.requests))
    return raise_to(app, peak)


def with_pod_level(sums: Billionths, pod_level: Billionths | None) -> Billionths:
    """Requests of the pod as a whole replace the sums of the resources that may be set there."""
    if not pod_level:
        return sums
    named = {n: v for n, v in pod_level.items() if n in _AT_POD_LEVEL or n.startswith("hugepages-")}
    return {**sums, **named}


def add(into: Billionths, more: Billionths) -> Billionths:
    """Add amount by amount, in place."""
    for name, value in more.items():
        into[name] = into.get(name, 0) + value
    return into


def raise_to(into: Billionths, other: Billionths) -> Billionths:
    """Take the larger amount of each resource, in place."""
    for name, value in other.items():
        into[name] = max(into.get(name, 0), value)
    return into


def rounded(sums: Billionths) -> Amounts:
    """Amounts in base units, by name."""
    return tuple(sorted((name, base(name, value)) for name, value in sums.items()))
