"""Where a pod could run: every filter of the scheduler, asked of every node.

`verdicts` says why, node by node; `feasible` says only where. That no filter refuses is an upper
bound where something is in doubt: evidence that is missing, or what the engine does not model.
"""

from collections.abc import Iterator

import msgspec

from clusteraudit.model.rows import NodeRow, PodRow
from clusteraudit.simulate.filters.kit import (
    Answer,
    Check,
    Constraints,
    Doubt,
    Filter,
    NodeFilter,
    Refusal,
    constraints_of,
)
from clusteraudit.simulate.filters.node_affinity import node_affinity
from clusteraudit.simulate.filters.node_resources_fit import node_resources_fit
from clusteraudit.simulate.filters.node_unschedulable import node_unschedulable
from clusteraudit.simulate.filters.scheduling_gates import scheduling_gates
from clusteraudit.simulate.filters.taint_toleration import taint_toleration
from clusteraudit.simulate.filters.volume_binding import volume_binding, volume_zone
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NODE_FILTERS: tuple[NodeFilter, ...] = (node_unschedulable, taint_toleration, node_affinity)
"""Filters that a template and a node decide, in the scheduler's order."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the scheduler would say of a pod on one node."""

    node: str
    refusals: tuple[Refusal, ...] = ()
    """Of every filter that refuses, each judged by itself, in the scheduler's order."""
    doubts: tuple[Doubt, ...] = ()

    @property
    def fits(self) -> bool | None:
        """Whether the node takes the pod; None where a filter in doubt decides."""
        if self.refusals:
            return False
        return None if self.doubts else True


class Feasible(msgspec.Struct, frozen=True, gc=False):
    """Nodes that take a pod, and those of which it cannot be told; both by name."""

    fits: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()


def verdicts(snapshot: Snapshot, pod: PodRow) -> tuple[Verdict, ...]:
    """The verdict of every node, by name; a pod that has a node is placed again."""
    where = snapshot.without(pod)
    checks = checks_of(where, pod)
    return tuple(_verdict(checks, info) for info in where.infos())


def feasible(snapshot: Snapshot, pod: PodRow) -> Feasible:
    """Where a pod fits, without the reasons."""
    said = verdicts(snapshot, pod)
    return Feasible(
        tuple(one.node for one in said if one.fits),
        tuple(one.node for one in said if one.fits is None),
    )


def admits(constraints: Constraints, node: NodeRow) -> Iterator[Answer]:
    """What the filters say that a template and a node decide."""
    for one in NODE_FILTERS:
        yield from one(constraints, node)


def checks_of(snapshot: Snapshot, pod: PodRow) -> list[Check]:
    """The checks to ask of each node; filters with nothing to say of this pod have none."""
    asked = (one(snapshot, pod) for one in FILTERS)
    return [check for check in asked if check]


def _node_filters(_: Snapshot, pod: PodRow) -> Check:
    constraints = constraints_of(pod.template)
    return lambda info: admits(constraints, info.node)


def _unmodelled(_: Snapshot, pod: PodRow) -> Check | None:
    doubts = tuple(Doubt(name, "NotModelled") for name in pod.template.unmodelled)
    return (lambda _: iter(doubts)) if doubts else None


FILTERS: tuple[Filter, ...] = (
    scheduling_gates,
    _node_filters,
    node_resources_fit,
    volume_binding,
    volume_zone,
    _unmodelled,
)
"""Every filter, in the scheduler's order (`apis/config/v1/default_plugins.go`)."""


def _verdict(checks: list[Check], info: NodeInfo) -> Verdict:
    answers = [answer for check in checks for answer in check(info)]
    return Verdict(
        info.name,
        tuple(one for one in answers if isinstance(one, Refusal)),
        tuple(one for one in answers if isinstance(one, Doubt)),
    )
