"""Of containers and conditions: what they do not ask for, and what is wrong with them."""

from collections.abc import Iterable, Iterator

from clusteraudit.model.requests import Billionths, defaulted, exact, rounded
from clusteraudit.model.rows import Trouble, Unrequested, amount_of
from clusteraudit.sources import documents as docs
from clusteraudit.sources.convert import seconds
from clusteraudit.sources.pulls import pull_of

_OOM = "OOMKilled"
_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
_ENDED = frozenset({"Succeeded", "Failed"})


def unrequested(spec: docs.PodSpec) -> Iterator[Unrequested]:
    """Containers and sidecars without a request of cpu or memory; the pod's own counts for all."""
    whole = _requests(spec.resources) if spec.resources else {}
    for one in _lasting(spec):
        asked = {**whole, **_requests(one.resources)}
        lacks = tuple(name for name in ("cpu", "memory") if not asked.get(name))
        if lacks:
            yield Unrequested(one.name, lacks)


def unlimited(spec: docs.PodSpec) -> int:
    """How many containers and sidecars have no memory limit."""
    if spec.resources and exact(spec.resources.limits).get("memory"):
        return 0
    return sum(not exact(one.resources.limits).get("memory") for one in _lasting(spec))


def _lasting(spec: docs.PodSpec) -> Iterator[docs.Container]:
    """Those that run as long as the pod does; init containers come and go."""
    yield from spec.containers
    yield from (one for one in spec.init_containers if one.restart_policy == "Always")


def _requests(resources: docs.Resources) -> Billionths:
    return defaulted(exact(resources.requests), exact(resources.limits))


def unready_since(status: docs.PodStatus) -> int | None:
    """Since when a pod that has not ended is not ready."""
    if status.phase in _ENDED:
        return None
    for one in status.conditions:
        if one.type == "Ready" and one.status == "False":
            return seconds(one.last_transition_time)
    return None


def troubles(spec: docs.PodSpec, status: docs.PodStatus) -> tuple[Trouble, ...]:
    """Containers that have no image, or that the kernel has killed for memory."""
    all_of_them = (*status.init_container_statuses, *status.container_statuses)
    if not any(_suspect(one) for one in all_of_them):
        return ()
    limits = _memory_limits(spec)
    return tuple(_trouble(one, limits.get(one.name, 0)) for one in all_of_them if _suspect(one))


def _suspect(one: docs.ContainerStatus) -> bool:
    return _pull(one) is not None or bool(_kills(one))


def _pull(one: docs.ContainerStatus) -> str | None:
    waiting = one.state.waiting
    return pull_of(waiting.reason, waiting.pull) if waiting else None


def _kills(one: docs.ContainerStatus) -> list[docs.Terminated]:
    """Ends by the kernel for want of memory, the newest first."""
    ends = (one.state.terminated, one.last_state.terminated)
    return [end for end in ends if end and end.reason == _OOM]


def _trouble(one: docs.ContainerStatus, limit: int) -> Trouble:
    pull, kills = _pull(one), _kills(one)
    return Trouble(
        container=one.name,
        pull=str(pull or ""),
        registry=one.registry.removesuffix("/") if pull else "",
        killed_at=seconds(kills[0].finished_at) if kills else None,
        restarts=one.restart_count if kills else 0,
        memory_limit=limit if kills else 0,
    )


def _memory_limits(spec: docs.PodSpec) -> dict[str, int]:
    """Bytes of memory that each container may use; the pod's limit where it has none."""
    whole = amount_of(rounded(exact(spec.resources.limits)), "memory") if spec.resources else 0
    containers = (*spec.init_containers, *spec.containers)
    own = {one.name: rounded(exact(one.resources.limits)) for one in containers}
    return {name: amount_of(limits, "memory") or whole for name, limits in own.items()}


def pressures(conditions: Iterable[docs.Condition]) -> tuple[tuple[str, int | None], ...]:
    """Pressures that are reported, and since when."""
    found = ((one.type, one) for one in conditions if one.status == "True")
    named = ((name, seconds(one.last_transition_time)) for name, one in found)
    return tuple(sorted(one for one in named if one[0] in _PRESSURES))
