"""Sums over a pod's containers, as the scheduler makes them.

Source: component-helpers 0.37 `resource/helpers.go` (`AggregateContainerRequests`, `PodRequests`).
Sums are in billionths, so that only the pod's sum rounds.
"""

from collections.abc import Iterable, Mapping

import msgspec

from clusteraudit.model.quantity import away, base, nanos
from clusteraudit.model.rows import Amounts

Billionths = dict[str, int]
_AT_POD_LEVEL = ("cpu", "memory")
_THOUSANDTH = 10**6
"""In billionths."""
_BLANKS = " \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u202f\u205f\u3000"
"""What the API server trims: blanks that need no escape in JSON, so no tab and no line feed."""


class Share(msgspec.Struct, frozen=True):
    """Amounts of one container; a sidecar is an init container that keeps running."""

    amounts: Billionths
    init: bool = False
    sidecar: bool = False


def exact(quantities: Mapping[str, str | float]) -> Billionths:
    """Quantities in billionths, blanks around them trimmed; raises QuantityError."""
    return {name: billionths(text) for name, text in quantities.items()}


def billionths(quantity: str | float) -> int:
    """A quantity in billionths, blanks around it trimmed; raises QuantityError."""
    return nanos(quantity.strip(_BLANKS) if isinstance(quantity, str) else quantity)


def stored(quantities: Mapping[str, str | float]) -> Billionths:
    """Quantities as the API server keeps them: each rounded to thousandths, away from zero."""
    return {
        name: away(value, _THOUSANDTH) * _THOUSANDTH if value % _THOUSANDTH else value
        for name, value in exact(quantities).items()
    }


def defaulted(requests: Billionths, limits: Billionths) -> Billionths:
    """Requests as the API server completes them: a limit without a request is the request."""
    return {**limits, **requests}


def aggregate(shares: Iterable[Share]) -> Billionths:
    """Running containers with their sidecars, or the highest peak of an init container."""
    app: Billionths = {}
    sidecars: Billionths = {}
    peak: Billionths = {}
    for share in shares:
        if not share.init:
            add(app, share.amounts)
        elif share.sidecar:
            add(sidecars, share.amounts)
            add(app, share.amounts)
            raise_to(peak, sidecars)
        else:
            raise_to(peak, add(dict(sidecars), share.amounts))
    return raise_to(app, peak)


def at_pod_level(name: str) -> bool:
    """Whether the resource may be asked for by a pod as a whole."""
    return name in _AT_POD_LEVEL or name.startswith("hugepages-")


def with_pod_level(sums: Billionths, pod_level: Billionths) -> Billionths:
    """Amounts of the pod as a whole replace the sums of the resources that may be set there."""
    return {**sums, **{name: value for name, value in pod_level.items() if at_pod_level(name)}}


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


def largest(*sums: Billionths) -> Billionths:
    """The largest amount of each resource."""
    found: Billionths = {}
    for one in sums:
        raise_to(found, one)
    return found


def rounded(sums: Billionths) -> Amounts:
    """Amounts in base units, by name; raises QuantityError where one does not fit."""
    return tuple(sorted((name, base(name, value)) for name, value in sums.items()))
