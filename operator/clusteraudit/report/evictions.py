"""The shape of `evictions`: who goes first on each node, and what is left before anybody does."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from clusteraudit.report.shapes import SCHEMA_VERSION, Inputs, Shape
from clusteraudit.simulate.evictions import Candidate, Group, Signal
from clusteraudit.simulate.pressure import Pressure


class EvictedPod(Shape):
    """A pod in the order of eviction; amounts are bytes, or a number of inodes."""

    namespace: str = Field(description="Namespace.")
    name: str = Field(description="Name.")
    rank: int | None = Field(
        description="1 goes first, equal ranks are a tie; null for critical pods, which the "
        "kubelet never evicts, where more pods may be on the node than was read, and on virtual "
        "nodes.",
        ge=1,
    )
    group: Group = Field(description="What decides of its place before its priority does.")
    qos_class: str = Field(description="QoS class; it plays no part in the order.")
    priority: int = Field(description="Priority: of one group, the lower goes first.")
    request: int | None = Field(description="What its usage is compared with; null if nothing.")
    usage: int | None = Field(description="Its usage; null if not known.")
    excess: int | None = Field(description="Usage less request, may be negative; null if unknown.")
    critical: bool = Field(description="Static, or of a priority that is system-critical.")
    reason: str = Field(description="Why it stands where it stands, in words.")


class NodeEvictions(Shape):
    """A node under one signal."""

    node: str = Field(description="Name of the node.")
    signal: Signal = Field(description="What it runs short of.")
    basis: Literal["usage", "requests"] = Field(
        description="`usage`: the order is the kubelet's. `requests`: usage is missing of some "
        "pods, and the order is one of groups: `certain`, `possible`, `impossible`."
    )
    headroom: int | None = Field(
        description="Bytes left above the threshold, negative below it; null if not known."
    )
    threshold: int | None = Field(
        description="Bytes at which the kubelet evicts at once, as far as it can be told."
    )
    pods: list[EvictedPod] = Field(description="First to go first, critical ones last.")
    missing: list[str] = Field(description="Evidence that is missing, in CamelCase.")
    assumptions: list[str] = Field(description="What is taken for granted, in CamelCase.")


class EvictionsShape(Shape):
    """The output of `evictions`."""

    schema_version: int = Field(SCHEMA_VERSION, description="Raised only by a breaking change.")
    inputs: Inputs
    nodes: list[NodeEvictions] = Field(description="Those asked about, by name.")


def evictions(pressures: Iterable[Pressure], inputs: Inputs) -> EvictionsShape:
    """The whole answer."""
    return EvictionsShape(inputs=inputs, nodes=[_node(one) for one in pressures])


def _node(one: Pressure) -> NodeEvictions:
    return NodeEvictions(
        node=one.node,
        signal=one.signal,
        basis="usage" if one.measured else "requests",
        headroom=one.headroom,
        threshold=one.threshold,
        pods=[_pod(candidate) for candidate in one.pods],
        missing=list(one.missing),
        assumptions=list(one.assumptions),
    )


def _pod(one: Candidate) -> EvictedPod:
    return EvictedPod(
        namespace=one.pod.namespace,
        name=one.pod.name,
        rank=one.rank,
        group=one.group,
        qos_class=one.pod.template.qos,
        priority=one.pod.template.priority,
        request=one.request,
        usage=one.usage,
        excess=one.excess,
        critical=one.group is Group.CRITICAL,
        reason=one.reason,
    )
