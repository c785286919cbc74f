"""What scheduler, API server and kubelet make of the resources that a pod's document names.

Sources, all of Kubernetes 1.37: component-helpers `resource/helpers.go` (`PodRequests`,
`PodLimits`), kubernetes `pkg/api/pod/util.go` (`DefaultPodLevelResources`),
`pkg/apis/core/helper/qos/qos.go`, `pkg/api/v1/resource/helpers.go` (`GetResourceRequestQuantity`)
and `pkg/kubelet/cm/helpers_linux.go` (`ResourceConfigForPod`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from clusteraudit.model.requests import (
    Billionths,
    Share,
    add,
    aggregate,
    at_pod_level,
    defaulted,
    largest,
    rounded,
    stored,
    with_pod_level,
)
from clusteraudit.model.rows import Amounts, amount_of
from clusteraudit.sources import documents as docs
from clusteraudit.sources.feed import TranslateError

_OVERCOMMITTED = ("cpu", "memory")
"""Resources of the pod level of which a request may be less than the limit."""


class Asks(msgspec.Struct, frozen=True):
    """Requests and limits, of a container or of the pod as a whole."""

    requests: Billionths
    limits: Billionths


class Part(msgspec.Struct, frozen=True):
    """A container, with its requests completed."""

    name: str
    asks: Asks
    init: bool
    sidecar: bool


class Asked(msgspec.Struct, frozen=True):
    """All that a pod's spec asks for, completed as the API server completes it."""

    parts: tuple[Part, ...]
    whole: Asks | None
    """Of the pod as a whole; None where it names no resource that may be set there."""
    overhead: Billionths


def asked(spec: docs.PodSpec) -> Asked:
    """What the spec asks for; raises QuantityError, and TranslateError for negative amounts."""
    parts = (
        *(_part(one, init=False) for one in spec.containers),
        *(_part(one, init=True) for one in spec.init_containers),
    )
    return Asked(parts, _whole(spec.resources, parts), _amounts(spec.overhead))


def requests(found: Asked, status: docs.PodStatus | None) -> Amounts:
    """Effective requests; a pod that has a node brings its status, which knows of a resize."""
    total = _sum(found.parts, _requests) if status is None else _resized(found, status)
    level = found.whole.requests if found.whole else {}
    if status is not None and status.resources is not None and level:
        said = stored(status.resources.requests), stored(status.allocated_resources)
        level = largest(*said, {} if _infeasible(status) else level)
    return rounded(add(with_pod_level(total, level), found.overhead))


def limits(found: Asked, status: docs.PodStatus | None) -> Amounts:
    """Effective limits, by the same rules; overhead counts where there is a limit."""
    total = _sum(found.parts, _limits) if status is None else _resized_limits(found, status)
    level = found.whole.limits if found.whole else {}
    if status is not None and status.resources is not None and found.whole:
        level = largest(stored(status.resources.limits), {} if _infeasible(status) else level)
    total = with_pod_level(total, level)
    return rounded(add(total, {n: v for n, v in found.overhead.items() if total.get(n)}))


def eviction_request(found: Asked, status: docs.PodStatus, resource: str) -> int:
    """The request that the kubelet's eviction compares usage with.

    That of the pod as it is allocated, not as its spec is while a resize waits
    (`kubelet.go`: `getAllocatedPods`). Where the pod as a whole asks for anything, what its
    containers ask for does not count, so that ephemeral storage is then 0.
    """
    if found.whole is not None:
        total = {**found.whole.requests, **_level(stored(status.allocated_resources))}
    else:
        total = _sum(found.parts, _allocated(status, infeasible=False))
    if not total.get(resource):
        return 0
    overhead = {resource: found.overhead.get(resource, 0)}
    return amount_of(rounded(add({resource: total[resource]}, overhead)), resource)


def memory_capped(found: Asked, limit: int, request: int) -> bool:
    """Whether the pod's cgroup keeps memory usage within the request that eviction looks at."""
    every = bool(found.parts) and all(part.asks.limits.get("memory") for part in found.parts)
    whole = found.whole is not None and bool(found.whole.limits.get("memory"))
    return (every or whole) and limit <= request


# The spec, completed


def _amounts(quantities: Mapping[str, str | float]) -> Billionths:
    found = stored(quantities)
    for name, value in found.items():
        if value < 0:
            raise TranslateError("InvalidQuantity", f"the amount of {name} is negative")
    return found


def _part(one: docs.Container, *, init: bool) -> Part:
    limited = _amounts(one.resources.limits)
    asks = Asks(defaulted(_amounts(one.resources.requests), limited), limited)
    return Part(one.name, asks, init, init and one.restart_policy == "Always")


def _whole(resources: docs.Resources | None, parts: tuple[Part, ...]) -> Asks | None:
    """Of the pod as a whole, completed from its containers; the order of the steps matters."""
    if resources is None:
        return None
    wanted, limited = _level(_amounts(resources.requests)), _level(_amounts(resources.limits))
    if not wanted and not limited:
        return None
    sums, caps = _level(_sum(parts, _requests)), _level(_sum(parts, _limits))
    pages = {n: v for n, v in caps.items() if n not in _OVERCOMMITTED and n not in wanted}
    limited = {**pages, **limited}
    wanted = {**{n: v for n, v in sums.items() if n in _OVERCOMMITTED}, **wanted}
    wanted = defaulted(wanted, limited)
    every = {n for n in wanted if all(n in part.asks.limits for part in parts)}
    missing = {n: max(wanted[n], caps[n]) for n in every if n in caps and n not in limited}
    return Asks(wanted, {**missing, **limited})


def _level(amounts: Billionths) -> Billionths:
    return {name: value for name, value in amounts.items() if at_pod_level(name)}


# Sums

_Of = Callable[[Part], Billionths]


def _sum(parts: Iterable[Part], of: _Of) -> Billionths:
    return aggregate(Share(of(part), part.init, part.sidecar) for part in parts)


def _requests(part: Part) -> Billionths:
    return part.asks.requests


def _limits(part: Part) -> Billionths:
    return part.asks.limits


# While a pod is resized in place: the largest sum counts, not the sum of the largest


def _infeasible(status: docs.PodStatus) -> bool:
    """Whether the kubelet says that what the spec asks for now will never be."""
    pending = (one for one in status.conditions if one.type == "PodResizePending")
    return any(one.reason == "Infeasible" for one in pending)


def _known(status: docs.PodStatus) -> Mapping[str, docs.ContainerStatus]:
    said = (*status.init_container_statuses, *status.container_statuses)
    return {one.name: one for one in said}


def _allocated(status: docs.PodStatus, *, infeasible: bool) -> _Of:
    """What the kubelet has granted; the spec where it says nothing, unless that cannot be."""
    known = _known(status)

    def of(part: Part) -> Billionths:
        said = known.get(part.name)
        if said and said.allocated_resources:
            return stored(said.allocated_resources)
        return {} if infeasible else part.asks.requests

    return of


def _actuated(status: docs.PodStatus, *, infeasible: bool) -> _Of:
    """What the container runs with; what is allocated where that is not said."""
    known, allocated = _known(status), _allocated(status, infeasible=infeasible)

    def of(part: Part) -> Billionths:
        said = known.get(part.name)
        runs = said.resources.requests if said and said.resources else {}
        return stored(runs) if runs else allocated(part)

    return of


def _resized(found: Asked, status: docs.PodStatus) -> Billionths:
    infeasible = _infeasible(status)
    runs = status.resources.requests if status.resources else {}
    if status.allocated_resources and runs:
        said = stored(status.allocated_resources), stored(runs)
    else:
        said = (
            _sum(found.parts, _allocated(status, infeasible=infeasible)),
            _sum(found.parts, _actuated(status, infeasible=infeasible)),
        )
    return largest(*said, {} if infeasible else _sum(found.parts, _requests))


def _resized_limits(found: Asked, status: docs.PodStatus) -> Billionths:
    infeasible, known = _infeasible(status), _known(status)

    def actuated(part: Part) -> Billionths:
        said = known.get(part.name)
        runs = said.resources.limits if said and said.resources else {}
        return stored(runs) if runs else ({} if infeasible else part.asks.limits)

    whole = status.resources.limits if status.resources else {}
    runs = stored(whole) if whole else _sum(found.parts, actuated)
    return largest(runs, {} if infeasible else _sum(found.parts, _limits))


# QoS


def qos_class(found: Asked) -> str:
    """The QoS class that the API server sets when it creates the pod."""
    parts = [found.whole] if found.whole else [part.asks for part in found.parts]
    classes = {one for part in parts for one in _classes(part)}
    if not classes:
        return "BestEffort"
    return classes.pop() if len(classes) == 1 else "Burstable"


def _classes(asks: Asks) -> Iterator[str]:
    """What each of cpu and memory makes of a container, or of the pod as a whole."""
    for name in _OVERCOMMITTED:
        wanted, limited = asks.requests.get(name, 0), asks.limits.get(name, 0)
        if wanted != limited:
            yield "Burstable"
        else:
            yield "Guaranteed" if wanted else "BestEffort"
