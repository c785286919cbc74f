"""The shape of `explain`: why a pod is where it is, or nowhere."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from pydantic import Field, TypeAdapter

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import PodRow
from clusteraudit.report.shapes import SCHEMA_VERSION, Inputs, Shape
from clusteraudit.simulate.filters.kit import NOT_MODELLED, Refusal, gist
from clusteraudit.simulate.preemption import Candidate, Preemption, preemption
from clusteraudit.simulate.remedies import Remedy, remedies
from clusteraudit.simulate.schedule import Verdict, verdicts
from clusteraudit.simulate.snapshot import Snapshot, snapshot


class RefusalShape(Shape):
    """A filter that refuses the pod on a node."""

    filter: str = Field(description="Plugin of the scheduler.")
    reason: str = Field(description="Why, in CamelCase.")
    detail: str = Field(description="Why, in words.")
    resource: str | None = Field(None, description="Resource of which too little is free.")
    requested: int | None = Field(None, description="The pod's amount of it, in its base unit.")
    free: int | None = Field(None, description="The node's; negative where it is overcommitted.")


class DoubtShape(Shape):
    """A filter of which it cannot be told."""

    filter: str = Field(description="Plugin of the scheduler.")
    missing: str = Field(description="Kind or field that would have to be known, or NotModelled.")


class NodeShape(Shape):
    """What the scheduler would say of the pod on a node."""

    node: str = Field(description="Name of the node.")
    fits: bool | None = Field(description="Null where a filter decides of which it cannot be told.")
    refusals: list[RefusalShape] = Field(description="Every filter that refuses, each by itself.")
    doubts: list[DoubtShape] = Field(description="Filters that could refuse.")


class VictimsShape(Shape):
    """Pods that would be evicted on a node."""

    node: str = Field(description="Name of the node.")
    pods: list[str] = Field(description="`namespace/name` of each.")
    violates: list[str] = Field(description="`namespace/name` of budgets that this would violate.")


class PreemptionShape(Shape):
    """Whether pods of lower priority would be evicted for the pod."""

    possible: bool | None = Field(description="Null where it cannot be told.")
    reason: str = Field(description="Why, in CamelCase.")
    nodes: list[str] = Field(description="Nodes that the pod could have then.")
    victims: list[VictimsShape] = Field(description="Who would go, by node.")


class RemedyShape(Shape):
    """A single change after which the pod finds a node, tried on a copy of the cluster."""

    change: dict[str, str | int | dict[str, int]] = Field(description="What to change, by `type`.")
    nodes: list[str] = Field(description="Nodes that take the pod then; empty for a new one.")
    detail: str = Field(description="The change in words.")


class ExplainedPod(Shape):
    """A pod, and every node."""

    namespace: str = Field(description="Namespace.")
    name: str = Field(description="Name.")
    phase: str = Field(description="Phase of its life.")
    node_name: str = Field(description="The node that it is on, empty for none.")
    qos_class: str = Field(description="QoS class.")
    priority: int = Field(description="Priority.")
    requests: dict[str, int] = Field(description="Effective requests, in base units.")
    limits: dict[str, int] = Field(description="Effective limits, in base units.")
    nodes: list[NodeShape] = Field(description="Every node, by name.")
    fits: int = Field(description="Nodes that take it; one that has a node is placed again.")
    of: int = Field(description="Nodes.")
    summary: str = Field(description="The answer in a sentence.")
    unmodelled: list[str] = Field(description="What could refuse it and is not evaluated.")
    preemption: PreemptionShape
    would_fit_if: list[RemedyShape] = Field(description="Single changes, the pod's own first.")


class ExplainShape(Shape):
    """The output of `explain`."""

    schema_version: int = Field(SCHEMA_VERSION, description="Raised only by a breaking change.")
    inputs: Inputs
    pods: list[ExplainedPod] = Field(description="By namespace and name.")


def explain(cluster: Cluster, pods: Iterable[PodRow], inputs: Inputs) -> ExplainShape:
    """Why each of the pods is where it is; pods that are alike are asked once."""
    whole = snapshot(cluster)
    asked: dict[PodRow, ExplainedPod] = {}
    explained = []
    for pod in sorted(pods, key=lambda one: one.key):
        kind = pod if pod.on or pod.template.ephemeral else msgspec.structs.replace(pod, name="")
        if kind not in asked:
            asked[kind] = explained_pod(whole, pod)
        explained.append(asked[kind].model_copy(update={"name": pod.name}))
    return ExplainShape(inputs=inputs, pods=explained)


def explained_pod(whole: Snapshot, pod: PodRow) -> ExplainedPod:
    """One pod, with what would help it."""
    said = verdicts(whole, pod)
    tally = Counter(one.fits for one in said)
    template = pod.template
    return ExplainedPod(
        namespace=pod.namespace,
        name=pod.name,
        phase=pod.phase,
        node_name=pod.node,
        qos_class=template.qos,
        priority=template.priority,
        requests=dict(template.requests),
        limits=dict(template.limits),
        nodes=_nodes_of(said),
        fits=tally[True],
        of=len(said),
        summary=_summary(said, tally),
        unmodelled=_unmodelled(pod, said),
        preemption=_preemption(preemption(whole, pod, said)),
        would_fit_if=[_remedy(one) for one in remedies(whole, pod, said)],
    )


_NODES = TypeAdapter(list[NodeShape])


def _nodes_of(said: Sequence[Verdict]) -> list[NodeShape]:
    """What the engine says of thousands of nodes; equal refusals are one shape."""
    refusals: dict[Refusal, RefusalShape] = {}
    for verdict in said:
        for one in verdict.refusals:
            if one not in refusals:
                refusals[one] = _refusal(one)
    return _NODES.validate_python(
        [
            {
                "node": verdict.node,
                "fits": verdict.fits,
                "refusals": [refusals[one] for one in verdict.refusals],
                "doubts": [{"filter": one.filter, "missing": one.missing} for one in verdict.doubts]
                if verdict.doubts
                else [],
            }
            for verdict in said
        ]
    )


def _refusal(one: Refusal) -> RefusalShape:
    return RefusalShape(
        filter=one.filter,
        reason=one.reason,
        detail=one.detail,
        resource=one.resource or None,
        requested=one.requested,
        free=one.free,
    )


def _preemption(found: Preemption) -> PreemptionShape:
    return PreemptionShape(
        possible=found.possible,
        reason=found.reason,
        nodes=[one.node for one in found.candidates],
        victims=[_victims(one) for one in found.candidates],
    )


def _victims(one: Candidate) -> VictimsShape:
    return VictimsShape(
        node=one.node,
        pods=[f"{pod.namespace}/{pod.name}" for pod in one.victims],
        violates=[f"{budget.namespace}/{budget.name}" for budget in one.violates],
    )


def _remedy(one: Remedy) -> RemedyShape:
    return RemedyShape.model_validate(
        {"change": one.change, "nodes": list(one.nodes), "detail": one.detail}
    )


def _unmodelled(pod: PodRow, said: Iterable[Verdict]) -> list[str]:
    met = {doubt.filter for one in said for doubt in one.doubts if doubt.missing == NOT_MODELLED}
    return sorted(met | set(pod.template.unmodelled))


def _summary(said: Sequence[Verdict], tally: Counter[bool | None]) -> str:
    """How many nodes take it; else why they do not, most frequent first."""
    fits, maybe = tally[True], tally[None]
    parts = [f"fits on {fits} of {_nodes(len(said))}"] if fits else []
    if maybe:
        parts.append(f"cannot be told of {_nodes(maybe)}")
    if not parts:
        parts.append(f"fits on none of {_nodes(len(said))}")
    kinds = Counter(tuple([(r.reason, r.detail) for r in one.refusals]) for one in said)
    details = Counter[str]()
    for kind, number in kinds.items():
        details.update(dict.fromkeys((gist(*why) for why in kind), number))
    common = sorted(details.items(), key=lambda one: (-one[1], one[0]))[:4]
    why = "; ".join(f"{detail} on {number}" for detail, number in common)
    return ", ".join(parts) + (f": {why}" if why else "")


def _nodes(number: int) -> str:
    return f"{number} node" if number == 1 else f"{number} nodes"
