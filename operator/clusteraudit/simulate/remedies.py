"""The smallest single changes by which a pod would find a node, each tried on a changed copy."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from clusteraudit.model.quantity import show
from clusteraudit.model.rows import SLOTS, Amounts, NodeRow, PodRow, amount_of
from clusteraudit.model.selectors import Labels, Requirement
from clusteraudit.model.tolerations import UNSCHEDULABLE, Toleration, untolerated
from clusteraudit.simulate.disruption import stays
from clusteraudit.simulate.filters.kit import Refusal
from clusteraudit.simulate.preemption import LEAVING, leaves
from clusteraudit.simulate.schedule import Verdict, feasible, verdict
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

Words = Mapping[str, str | int | Mapping[str, int]]
NEW_NODE = "new-node"
MAX_TRIES = 50
"""Pods that are tried to be moved, and nodes to be labelled: an answer must come in time."""
_FIXED = ("kubernetes.io/", "topology.kubernetes.io/", "node.kubernetes.io/")
"""Labels and taints that say what a node is: nobody should set them so that a pod fits."""


class Remedy(msgspec.Struct, frozen=True, gc=False):
    """A change, and the nodes that would take the pod then."""

    change: Words
    nodes: tuple[str, ...]
    detail: str


def remedies(snapshot: Snapshot, pod: PodRow, said: Sequence[Verdict]) -> list[Remedy]:
    """Changes for a pod that no node takes; none where one does, or may."""
    if not all(one.refusals for one in said):
        return []
    view, by_reason = snapshot.without(pod), _Said(said)
    kinds = (_ungated, _smaller, _tolerating, _uncordoned, _labelled, _moved, _added)
    return [remedy for kind in kinds for remedy in kind(view, pod, by_reason)]


class _Said:
    """The verdicts by the reasons for which they refuse: thousands of nodes, a few reasons."""

    def __init__(self, said: Iterable[Verdict]) -> None:
        self._by: dict[tuple[str, ...], list[Verdict]] = {}
        for one in said:
            reasons = tuple([refusal.reason for refusal in one.refusals])
            self._by.setdefault(reasons, []).append(one)

    def where(self, holds: Callable[[frozenset[str]], bool]) -> list[Verdict]:
        """Those whose reasons hold, by name of the node."""
        groups = [group for reasons, group in self._by.items() if holds(frozenset(reasons))]
        if len(groups) == 1:
            return groups[0]
        return sorted((one for group in groups for one in group), key=lambda one: one.node)

    def only(self, reason: str) -> list[Verdict]:
        """Those that refuse for this reason alone."""
        return self.where(lambda reasons: reasons == {reason})


# Changes of the pod


def _ungated(view: Snapshot, pod: PodRow, _: _Said) -> Iterator[Remedy]:
    if pod.gates:
        nodes = feasible(view, msgspec.structs.replace(pod, gates=())).fits
        if nodes:
            gates = ",".join(pod.gates)
            yield Remedy({"type": "gates", "gates": gates}, nodes, f"remove gate {gates}")


def _smaller(view: Snapshot, pod: PodRow, said: _Said) -> Iterator[Remedy]:
    """The request of one resource, down to what the node with most room has of it."""
    room: dict[str, int] = {}
    for one in said.only("InsufficientResource"):
        first, *more = one.refusals
        if all(other.resource == first.resource for other in more):
            room[first.resource] = max(room.get(first.resource, 0), first.free or 0)
    asked = dict(pod.template.requests)
    for resource, left in sorted(room.items()):
        most = max(0, left)
        lowered = tuple((name, most if name == resource else n) for name, n in asked.items())
        nodes = feasible(view, _requesting(pod, lowered)).fits
        if nodes:
            change: Words = {
                "type": "request",
                "resource": resource,
                "from": asked[resource],
                "to": most,
            }
            yield Remedy(change, nodes, f"request {show(resource, most)} of {resource} or less")


def _requesting(pod: PodRow, requests: Amounts) -> PodRow:
    template = msgspec.structs.replace(pod.template, requests=requests)
    return msgspec.structs.replace(pod, template=template)


def _tolerating(view: Snapshot, pod: PodRow, said: _Said) -> Iterator[Remedy]:
    """One toleration; what is tainted because it is not well stays so."""
    own = pod.template.tolerations
    taints = {}
    for one in said.only("UntoleratedTaint"):
        taint = untolerated(view.nodes[one.node].node.taints, own)
        if taint and not taint.key.startswith(_FIXED):
            taints[str(taint)] = taint
    for name, taint in sorted(taints.items()):
        more = Toleration(taint.key, "Equal", taint.value, taint.effect)
        template = msgspec.structs.replace(pod.template, tolerations=(*own, more))
        nodes = feasible(view, msgspec.structs.replace(pod, template=template)).fits
        if nodes:
            change = {"type": "toleration", "key": taint.key, "value": taint.value}
            yield Remedy({**change, "effect": taint.effect}, nodes, f"tolerate taint {name}")


# Changes of a node


def _uncordoned(view: Snapshot, pod: PodRow, said: _Said) -> Iterator[Remedy]:
    def uncordon(node: NodeRow) -> NodeRow:
        taints = tuple(taint for taint in node.taints if taint.key != UNSCHEDULABLE)
        return msgspec.structs.replace(node, unschedulable=False, taints=taints)

    names = [one.node for one in said.where(lambda reasons: "Unschedulable" in reasons)]
    for name in _changed(view, pod, names, uncordon):
        yield Remedy({"type": "uncordon", "node": name}, (name,), f"uncordon node {name}")


def _labelled(view: Snapshot, pod: PodRow, said: _Said) -> Iterator[Remedy]:
    """One label, the same on whichever of the nodes."""
    found: dict[Requirement, list[str]] = {}
    for one in (*said.only("NodeSelectorMismatch"), *said.only("NodeAffinityMismatch")):
        for wanted in _wanted(pod, view.nodes[one.node].node):
            found.setdefault(wanted, []).append(one.node)
    for wanted, names in sorted(found.items(), key=lambda one: (one[0].key, one[0].values)):
        key, value = wanted.key, wanted.values[0] if wanted.values else "true"
        nodes = tuple(_changed(view, pod, names, lambda node: _with_label(node, key, value)))  # noqa: B023 - used at once
        if nodes:
            change = {"type": "label", "key": key, "value": value}
            yield Remedy(change, nodes, f"label one of the nodes {key}={value}")


def _wanted(pod: PodRow, node: NodeRow) -> Iterator[Requirement]:
    """The one expression that a node does not match, of the selector or of a term."""
    template = pod.template
    terms = template.node_affinity.terms if template.node_affinity else ()
    ways = [(*template.node_selector, *term.expressions) for term in terms if not term.fields]
    for way in ways or [template.node_selector]:
        unmet = [one for one in way if not one.matches(node.labels)]
        settable = unmet and unmet[0].operator in {"In", "Exists"}
        if len(unmet) == 1 and settable and not unmet[0].key.startswith(_FIXED):
            yield unmet[0]


def _with_label(node: NodeRow, key: str, value: str) -> NodeRow:
    pairs = {**dict(node.labels.pairs), key: value}
    return msgspec.structs.replace(node, labels=Labels(tuple(sorted(pairs.items()))))


def _changed(
    view: Snapshot, pod: PodRow, names: Sequence[str], change: Callable[[NodeRow], NodeRow]
) -> Iterator[str]:
    """Those of the nodes that take the pod when they are so changed, one at a time."""
    for name in names[:MAX_TRIES]:
        fork = view.fork()
        fork.replace_node(change(fork.nodes[name].node))
        if verdict(fork, pod, name).fits:
            yield name


# Changes of what is there


def _moved(view: Snapshot, pod: PodRow, said: _Said) -> Iterator[Remedy]:
    """One pod to another node: the first that is found, of the nodes that lack least."""
    tries = 0
    can = [
        one
        for one in said.where(lambda reasons: reasons <= LEAVING)
        if all(leaves(refusal, view.nodes[one.node]) for refusal in one.refusals)
    ]
    for one in sorted(can, key=lambda one: (len(one.refusals), one.node)):
        for other in _leavers(view.nodes[one.node], one.refusals):
            tries += 1
            target = _target(view, pod, one.node, other)
            if target:
                name = f"{other.namespace}/{other.name}"
                change = {"type": "move", "pod": name, "from": one.node, "to": target}
                yield Remedy(change, (one.node,), f"move pod {name} from {one.node} to {target}")
                return
            if tries >= MAX_TRIES:
                return


def _leavers(info: NodeInfo, refusals: Sequence[Refusal]) -> Iterator[PodRow]:
    """Pods that a node could do without, and that hold what lacks of each resource."""
    lacks = {
        r.resource: (r.requested or 0) - (r.free or 0)
        for r in refusals
        if r.resource and r.resource in info.free
    }
    for other in info.pods:
        held = {**dict(other.template.requests), SLOTS: 1}
        enough = all(held.get(resource, 0) >= amount for resource, amount in lacks.items())
        if enough and not other.terminating and not stays(other):
            yield other


def _target(view: Snapshot, pod: PodRow, node: str, other: PodRow) -> str:
    """Where the other pod can go, when the pod has taken its place."""
    fork = view.fork()
    fork.remove_pod(other.key)
    if not verdict(fork, pod, node).fits:
        return ""
    fork.add_pod(pod, node)
    return next((name for name in feasible(fork, other).fits if name != node), "")


def _added(view: Snapshot, pod: PodRow, _: _Said) -> Iterator[Remedy]:
    """One more node like one that is there, with what runs on each such node; the smallest."""
    seen = set()
    large = [info for info in view.infos() if _holds(info.node, pod)]
    for info in sorted(large, key=lambda one: (_size(one.node), one.name)):
        kind = (info.node.allocatable, info.node.taints, _kind(info.node))
        if kind in seen:
            continue
        seen.add(kind)
        fork = view.fork()
        row = msgspec.structs.replace(_fresh(info.node), name=NEW_NODE)
        daemons = (one for one in info.pods if stays(one) == "DaemonSet")
        fork.add_node(row, (_named(one) for one in daemons))
        if verdict(fork, pod, NEW_NODE).fits:
            shape = dict(info.node.allocatable)
            change: Words = {"type": "node", "like": info.name, "shape": shape}
            yield Remedy(change, (), f"add a node like {info.name}")
            return


def _holds(node: NodeRow, pod: PodRow) -> bool:
    """Whether a node without any pods is large enough."""
    return all(amount <= amount_of(node.allocatable, r) for r, amount in pod.template.requests)


def _size(node: NodeRow) -> tuple[int, int]:
    held = dict(node.allocatable)
    return (held.get("cpu", 0), held.get("memory", 0))


def _kind(node: NodeRow) -> tuple[tuple[str, str], ...]:
    return tuple((k, v) for k, v in node.labels.pairs if k != "kubernetes.io/hostname")


def _fresh(node: NodeRow) -> NodeRow:
    """A node as it joins: not cordoned, under a name of its own."""
    taints = tuple(one for one in node.taints if not one.key.startswith("node.kubernetes.io/"))
    labels = _with_label(node, "kubernetes.io/hostname", NEW_NODE).labels
    return msgspec.structs.replace(node, unschedulable=False, taints=taints, labels=labels)


def _named(pod: PodRow) -> PodRow:
    """A pod like another, on the new node."""
    return msgspec.structs.replace(pod, name=f"{pod.name}-{NEW_NODE}", node=NEW_NODE)
