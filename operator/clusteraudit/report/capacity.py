"""From the figures of `capacity` to its shape; what missing evidence could change is null."""

from collections.abc import Iterator
from typing import TypedDict

from clusteraudit.report.capacity_shapes import (
    BoundsShape,
    CapacityShape,
    CauseShape,
    ClassShape,
    ConstraintsShape,
    ExpectedShape,
    FitShape,
    GroupShape,
    LargestFit,
    LargestPod,
    NodeResourceShape,
    NodeShape,
    PinShape,
    ResourceShape,
    StrandedShape,
    UnknownShape,
    WasteShape,
)
from clusteraudit.report.shapes import Inputs
from clusteraudit.simulate.answer import OF_ROOM, Answer
from clusteraudit.simulate.bounds import Bounds
from clusteraudit.simulate.capacity import COMPUTE, Fit, Group, Measure
from clusteraudit.simulate.filters.kit import Constraints
from clusteraudit.simulate.pools import Place, places
from clusteraudit.simulate.stock import EVIDENCE as OF_BOUNDS
from clusteraudit.simulate.stock import Pin
from clusteraudit.simulate.waste import Idle


class _Figures(TypedDict):
    """The fields of `FiguresShape`."""

    resources: dict[str, ResourceShape]
    shapes: list[FitShape]
    node_bounds: BoundsShape | None
    largest_pod: LargestPod | None
    imbalance: float | None
    waste: WasteShape | None


def capacity(answer: Answer, inputs: Inputs, *, given: bool) -> CapacityShape:
    """The shape of an answer; `given` says that the workload is not the cluster's own."""
    told = _Told(answer, given=given)
    return CapacityShape(
        inputs=inputs,
        workload=list(_workload(told)),
        **_figures(told, answer.whole, None),
        groups=[
            GroupShape(
                by=answer.by,
                name=group.name,
                members=list(group.nodes),
                **_figures(told, group, at),
            )
            for at, group in enumerate(answer.groups)
        ],
        nodes=list(_nodes(told)),
        unknown=list(_unknown(told)),
    )


class _Told:
    """The answer, and what may be told of it."""

    def __init__(self, answer: Answer, *, given: bool) -> None:
        self.answer = answer
        self.nodes = not answer.missing(("Node",))
        self.pods = not answer.missing(("Pod",))
        self.room = self.nodes and self.pods
        self.weights = given or self.pods
        self.requests = {one.name: dict(one.shape.requests) for one in answer.workload}


def _workload(told: _Told) -> Iterator[ClassShape]:
    total = sum(one.pods for one in told.answer.workload)
    for one in told.answer.workload:
        yield ClassShape(
            shape=one.name,
            weight=one.pods / total if told.weights else None,
            pods=one.pods,
            requests=dict(one.shape.requests),
            constraints=_constraints(one.shape.constraints),
            unmodelled=list(one.unmodelled),
        )


def _constraints(one: Constraints) -> ConstraintsShape:
    terms = one.node_affinity.terms if one.node_affinity else ()
    return ConstraintsShape(
        node_selector=[str(requirement) for requirement in one.node_selector],
        node_affinity=[
            ",".join(str(requirement) for requirement in (*term.expressions, *term.fields))
            for term in terms
        ],
        tolerations=[str(toleration) for toleration in one.tolerations],
    )


def _figures(told: _Told, group: Group, at: int | None) -> _Figures:
    """What is said of the cluster and of each group alike."""
    return _Figures(
        resources={m.resource: _resource(m, told, group) for m in group.resources},
        shapes=[_fit(one, told.requests[one.name], told) for one in group.shapes],
        node_bounds=_bounds(told.answer.bounds(at)),
        largest_pod=LargestPod(requests=dict(group.pod), node=group.pod_node)
        if told.room and told.weights
        else None,
        imbalance=group.imbalance if told.room and told.weights else None,
        waste=_waste(told.answer.waste(group)),
    )


def _resource(one: Measure, told: _Told, group: Group) -> ResourceShape:
    room, by_workload = told.room, told.room and told.weights
    return ResourceShape(
        allocatable=one.allocatable if told.nodes else None,
        requested=one.requested if room else None,
        free=one.free if room else None,
        reclaimable=one.reclaimable if room else None,
        unavailable=one.unavailable if room else None,
        overcommitted=one.overcommitted if room else None,
        limits=one.limits if room else None,
        usage=told.answer.usage(one.resource, group.nodes) if told.nodes else None,
        expected_fragmentation=_expected(one) if by_workload else None,
        stranded=_stranded(one) if by_workload else None,
        largest_fit=LargestFit(amount=one.largest, node=one.node) if room else None,
    )


def _expected(one: Measure) -> ExpectedShape | None:
    found = one.expected
    if found is None:
        return None
    causes = CauseShape(
        own=found.own,
        other=dict(found.other),
        slots=found.slots,
        constraint=found.constraint,
        not_requested=found.not_requested,
    )
    return ExpectedShape(amount=found.amount, ratio=one.fragmented, by_cause=causes)


def _stranded(one: Measure) -> StrandedShape | None:
    if one.stranded is None:
        return None
    ratio = one.stranded / one.free if one.free else None
    return StrandedShape(amount=one.stranded, ratio=ratio, nodes=list(one.stranded_on))


def _fit(one: Fit, requests: dict[str, int], told: _Told) -> FitShape:
    return FitShape(
        shape=one.name,
        requests=requests,
        fits=one.fits if told.room else None,
        ideal=one.ideal if told.room else None,
        packing_loss=one.loss if told.room else None,
    )


def _bounds(one: Bounds | None) -> BoundsShape | None:
    if one is None:
        return None
    return BoundsShape(lower=one.lower, upper=one.upper, removable=list(one.removable))


def _waste(one: Idle | None) -> WasteShape | None:
    if one is None:
        return None
    return WasteShape(cpu=one.cpu, memory=one.memory, sampled=one.sampled, unsampled=one.unsampled)


def _nodes(told: _Told) -> Iterator[NodeShape]:
    """Every node. Of itself it is known in full; of its pods, if all pods are known."""
    room = told.answer.question.room
    pins = told.answer.stock.pins if told.answer.stock else {}
    of = {one.node: one for one in places(told.answer.cluster)}
    for at, (name, group) in enumerate(zip(room.nodes, told.answer.nodes, strict=True)):
        yield _node(told, group, of[name], takes=bool(room.takes[at]), pin=pins.get(at))


def _node(told: _Told, group: Group, place: Place, *, takes: bool, pin: Pin | None) -> NodeShape:
    stranded = [one for one in group.resources if one.stranded]
    return NodeShape(
        node=place.node,
        pool=place.pool,
        zone=place.zone or None,
        takes_pods=takes,
        imbalance=_imbalance(group) if told.pods else None,
        stranded=bool(stranded) if told.pods and told.weights and takes else None,
        pinned=_pin(pin),
        resources={one.resource: _of_node(one, told, group) for one in group.resources},
    )


def _pin(one: Pin | None) -> PinShape | None:
    if one is None:
        return None
    name = f"{one.namespace}/{one.pod}" if one.pod else ""
    return PinShape(node=one.node, reason=one.reason, pod=name)


def _imbalance(group: Group) -> float | None:
    """F6 of a node: the requested share of its CPU less that of its memory, within -1 and 1."""
    parts = [one for name in COMPUTE if (one := group.of(name))]
    if len(parts) < len(COMPUTE) or not all(one.allocatable for one in parts):
        return None
    cpu, memory = (min(1.0, one.requested / one.allocatable) for one in parts)
    return cpu - memory


def _of_node(one: Measure, told: _Told, group: Group) -> NodeResourceShape:
    pods = told.pods
    return NodeResourceShape(
        allocatable=one.allocatable,
        requested=one.requested if pods else None,
        free=one.free if pods else None,
        reclaimable=one.reclaimable if pods else None,
        limits=one.limits if pods else None,
        usage=told.answer.usage(one.resource, group.nodes),
        fragmented=one.expected.amount if one.expected and pods and told.weights else None,
    )


def _unknown(told: _Told) -> Iterator[UnknownShape]:
    """What is null for want of evidence."""
    for field, missing in (
        ("workload.weight", [] if told.weights else ["Pod"]),
        ("resources", told.answer.missing(OF_ROOM)),
        ("shapes", told.answer.missing(OF_ROOM)),
        ("nodeBounds", told.answer.missing(OF_BOUNDS)),
        ("resources.usage", told.answer.missing(("NodeMetrics",)) or _unsampled(told.answer)),
        ("waste", told.answer.missing((*OF_ROOM, "PodMetrics"))),
    ):
        if missing:
            yield UnknownShape(field=field, missing=missing)
    if told.weights and not told.answer.workload:
        yield UnknownShape(field="resources.expectedFragmentation", missing=["workload"])


def _unsampled(answer: Answer) -> list[str]:
    number = sum(one is None for one in answer.samples.values())
    return [f"NodeMetrics of {number} nodes"] if number else []
