"""Where a pod could run: every filter of the scheduler, asked of every node.

`verdicts` says why, node by node; `feasible` says only where. That no filter refuses is an upper
bound where something is in doubt: evidence that is missing, or what the engine does not model.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
import numpy as np

from clusteraudit.model.rows import NodeRow, PodRow
from clusteraudit.simulate.columns import (
    DOUBT,
    FITS,
    REFUSED,
    Amount,
    Columns,
    Levels,
    Mask,
    levels_of,
)
from clusteraudit.simulate.filters.inter_pod_affinity import inter_pod_affinity
from clusteraudit.simulate.filters.kit import (
    NOT_MODELLED,
    Answer,
    Check,
    Constraints,
    Doubt,
    Filter,
    NodeFilter,
    Refusal,
    constraints_of,
    everywhere,
    level_of,
)
from clusteraudit.simulate.filters.node_affinity import (
    affinity_levels,
    affinity_sorts,
    node_affinity,
)
from clusteraudit.simulate.filters.node_declared_features import node_declared_features
from clusteraudit.simulate.filters.node_name import node_name
from clusteraudit.simulate.filters.node_ports import node_ports
from clusteraudit.simulate.filters.node_resources_fit import node_resources_fit
from clusteraudit.simulate.filters.node_unschedulable import node_unschedulable
from clusteraudit.simulate.filters.node_volume_limits import node_volume_limits
from clusteraudit.simulate.filters.pod_topology_spread import pod_topology_spread
from clusteraudit.simulate.filters.scheduling_gates import scheduling_gates
from clusteraudit.simulate.filters.taint_toleration import taint_toleration
from clusteraudit.simulate.filters.volume_binding import volume_binding
from clusteraudit.simulate.filters.volume_restrictions import volume_restrictions
from clusteraudit.simulate.filters.volume_zone import volume_zone
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

READS = (
    "Pod",
    "Node",
    "Namespace",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "CSIDriver",
    "CSINode",
    "CSIStorageCapacity",
    "VolumeAttachment",
    "DeviceClass",
)
"""Kinds that the filters read."""


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
    views = [_screened(view, checks_of(view, pod)) for view in _views(snapshot, pod)]
    return tuple(_verdict(name, *(ask(name) for ask in views)) for name in snapshot.nodes)


def verdict(snapshot: Snapshot, pod: PodRow, node: str) -> Verdict:
    """The verdict of one node."""
    return _verdict_of([(view, checks_of(view, pod)) for view in _views(snapshot, pod)], node)


def foremost(snapshot: Snapshot, pod: PodRow) -> Iterator[list[Refusal]]:
    """Of each node that refuses, what the first filter says that does, as the scheduler stops."""
    views = [(view, checks_of(view, pod)) for view in _views(snapshot, pod)]
    view, checks = views[0]
    for name in _named(snapshot, _least(views), REFUSED):
        if name in view.nodes:
            yield _first(checks, view.nodes[name])


def tally(snapshot: Snapshot, pod: PodRow) -> Iterator[tuple[list[Refusal], int]]:
    """The same, one node of each sort with how many there are, as far as filters know sorts."""
    views = [(view, checks_of(view, pod)) for view in _views(snapshot, pod)]
    view, checks = views[0]
    left = _least(views) == REFUSED
    left &= view.columns.alive
    for check in checks:
        for at, number, alike in _sorted(check, view.columns, left):
            said = _first([check], view.nodes[view.columns.names[at]])
            if said:
                yield said, number
                left[alike] = False


def feasible(snapshot: Snapshot, pod: PodRow) -> Feasible:
    """Where a pod fits, without the reasons."""
    found = levels(snapshot, pod)
    return Feasible(_named(snapshot, found, FITS), _named(snapshot, found, DOUBT))


def levels(snapshot: Snapshot, pod: PodRow) -> Levels:
    """How a pod stands with every node, in the order of the snapshot's columns."""
    return _least([(view, checks_of(view, pod)) for view in _views(snapshot, pod)])


def admits(constraints: Constraints, node: NodeRow) -> Iterator[Answer]:
    """What the filters say that a template and a node decide."""
    for one in NODE_FILTERS:
        yield from one(constraints, node)


def checks_of(snapshot: Snapshot, pod: PodRow) -> list[Check]:
    """The checks to ask of each node; filters with nothing to say of this pod have none."""
    asked = (one(snapshot, pod) for one in FILTERS)
    return [check for check in asked if check]


def answers(checks: Iterable[Check], info: NodeInfo) -> list[Answer]:
    """What the checks say of a node."""
    return [answer for check in checks for answer in check.each(info)]


def _views(snapshot: Snapshot, pod: PodRow) -> list[Snapshot]:
    """As if pods were placed that a node is set aside for, then as if they were not.

    A pod must fit both ways (`RunFilterPluginsWithNominatedPods`): such a pod takes room from those
    that do not come before it, and may yet go elsewhere.
    """
    plain = snapshot.without(pod)
    rivals = [one for one in _nominated(plain) if one.key != pod.key]
    ahead = [one for one in rivals if one.template.priority >= pod.template.priority]
    if not ahead:
        return [plain]
    crowded = plain.fork()
    for one in ahead:
        crowded.add_pod(one, one.nominated)
    return [crowded, plain]


def _nominated(snapshot: Snapshot) -> Iterator[PodRow]:
    for one in snapshot.cluster.bucket(PodRow, "nominated", at=True):
        if one.nominated in snapshot.nodes and one.key not in snapshot.moved:
            yield one


# The table


NODE_FILTERS: tuple[NodeFilter, ...] = (
    node_name,
    node_unschedulable,
    taint_toleration,
    node_affinity,
    node_declared_features,
)
"""Filters that a template and a node decide, in the scheduler's order."""


def _by_node(*filters: NodeFilter) -> Filter:
    """Some of these filters as one; of all nodes at once, what all of them say."""

    def asked(_: Snapshot, pod: PodRow) -> Check:
        constraints = constraints_of(pod.template)

        def each(info: NodeInfo) -> Iterator[Answer]:
            for one in filters:
                yield from one(constraints, info.node)

        return Check(
            each,
            lambda columns: static_levels(columns, constraints),
            lambda columns: _static_sorts(columns, constraints),
        )

    return asked


def _declared(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """The last filter by node, which comes after all others."""
    last = _by_node(*NODE_FILTERS[-1:])
    return last(snapshot, pod) if pod.template.features else None


def static_levels(columns: Columns, constraints: Constraints) -> Levels:
    """What the filters say of all nodes that a template and a node decide."""
    plain = msgspec.structs.replace(constraints, node_selector=(), node_affinity=None, node_name="")

    def make() -> Levels:
        found = columns.of_nodes(
            lambda node: (node.taints, node.unschedulable, node.features),
            lambda node: level_of(admits(plain, node)),
        )
        found = np.minimum(found, affinity_levels(columns, constraints))
        if constraints.node_name:
            named = np.array(columns.names) == constraints.node_name
            found = np.minimum(found, levels_of(named))
        return found

    return columns.kept(constraints, make)


def _static_sorts(columns: Columns, constraints: Constraints) -> Amount:
    """Nodes that those filters cannot tell apart; where features or a name are asked, none are."""
    if constraints.node_name or constraints.features:
        return np.arange(len(columns.names), dtype=np.int64)
    choices = len(constraints.node_selector) + 2
    return columns.kinds * choices + affinity_sorts(columns, constraints)


def _unmodelled(_: Snapshot, pod: PodRow) -> Check | None:
    doubts = tuple(Doubt(name, NOT_MODELLED) for name in pod.template.unmodelled)
    return everywhere(*doubts) if doubts else None


FILTERS: tuple[Filter, ...] = (
    scheduling_gates,
    _by_node(*NODE_FILTERS[:-1]),
    node_ports,
    node_resources_fit,
    volume_restrictions,
    node_volume_limits,
    volume_binding,
    volume_zone,
    pod_topology_spread,
    inter_pod_affinity,
    _declared,
    _unmodelled,
)
"""Every filter, in the scheduler's order (`apis/config/v1/default_plugins.go`)."""


# Answers


def _first(checks: Iterable[Check], info: NodeInfo) -> list[Refusal]:
    for check in checks:
        said = [one for one in check.each(info) if isinstance(one, Refusal)]
        if said:
            return list(dict.fromkeys(one for one in said if one.filter == said[0].filter))
    return []


def _sorted(check: Check, columns: Columns, among: Mask) -> Iterator[tuple[int, int, Amount]]:
    """Nodes that a check may refuse, a sort at a time: one of them, how many, and all of them."""
    if check.levels:
        among = among & (check.levels(columns) == REFUSED)
    nodes = np.flatnonzero(among)
    if check.sorts is None:
        yield from ((int(at), 1, np.array([at])) for at in nodes)
        return
    sorts = check.sorts(columns)[nodes] if len(nodes) else nodes
    while len(nodes):  # there are few: to find them all at first takes longer
        same = sorts == sorts[0]
        alike = nodes[same]
        yield int(alike[0]), len(alike), alike
        nodes, sorts = nodes[~same], sorts[~same]


View = tuple[Snapshot, list[Check]]


def _least(views: Sequence[View]) -> Levels:
    """Of every view; that only a later one refuses is a doubt."""
    now, *later = (_levels(view, checks) for view, checks in views)
    for one in later:
        now = np.minimum(now, np.maximum(one, DOUBT))
    return now


def _named(snapshot: Snapshot, found: Levels, level: int) -> tuple[str, ...]:
    names = snapshot.columns.names
    return tuple(names[at] for at in np.flatnonzero(found == level))


def _levels(view: Snapshot, checks: list[Check]) -> Levels:
    """First what is known of all nodes at once, then the rest of those that are left."""
    columns = view.columns
    found = levels_of(columns.alive)
    for check in checks:
        if check.levels:
            found = np.minimum(found, check.levels(columns))
    slow = [check for check in checks if not check.levels]
    for at in np.flatnonzero(found != REFUSED) if slow else ():
        info = view.nodes[columns.names[at]]
        found[at] = min(found[at], level_of(answers(slow, info)))
    return found


def _screened(view: Snapshot, checks: list[Check]) -> Callable[[str], list[Answer]]:
    """What the checks say of a node; those that let it pass, as its column tells, are not asked."""
    columns, nodes = view.columns, view.nodes
    asked = [
        (check.each, check.levels(columns).tolist() if check.levels else None) for check in checks
    ]

    def ask(name: str) -> list[Answer]:
        at, info = columns.index[name], nodes[name]
        return [
            answer
            for each, levels in asked
            if levels is None or levels[at] != FITS
            for answer in each(info)
        ]

    return ask


def _verdict_of(views: Sequence[View], node: str) -> Verdict:
    return _verdict(node, *(answers(checks, view.nodes[node]) for view, checks in views))


def _verdict(name: str, now: list[Answer], *later: list[Answer]) -> Verdict:
    """That a pod would be missed which may have its node already is no refusal, only a doubt."""
    if not any(later):
        return _plain(name, now) if len(now) <= 1 else _told(name, dict.fromkeys(now))
    missed = (
        Doubt(one.filter, "NominatedPod") if isinstance(one, Refusal) else one
        for answers in later
        for one in answers
        if one not in now
    )
    return _told(name, dict.fromkeys((*now, *missed)))


def _plain(name: str, said: list[Answer]) -> Verdict:
    """Of at most one answer, as most nodes give."""
    if said and isinstance(said[0], Doubt):
        return Verdict(name, doubts=(said[0],))
    return Verdict(name, (said[0],)) if said and isinstance(said[0], Refusal) else Verdict(name)


def _told(name: str, said: Iterable[Answer]) -> Verdict:
    return Verdict(
        name,
        tuple(one for one in said if isinstance(one, Refusal)),
        tuple(one for one in said if isinstance(one, Doubt)),
    )
