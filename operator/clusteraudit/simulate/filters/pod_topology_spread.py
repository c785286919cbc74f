"""PodTopologySpread: no domain may hold too many more matching pods than the emptiest does."""

from collections.abc import Iterator

import numpy as np

from clusteraudit.model.constraints import Spread
from clusteraudit.model.rows import PodRow
from clusteraudit.simulate.columns import DOUBT, FITS, Columns, Levels, Mask, levels_of
from clusteraudit.simulate.filters.kit import (
    Answer,
    Check,
    Doubt,
    Refusal,
    constraints_of,
)
from clusteraudit.simulate.filters.node_affinity import affinity_levels
from clusteraudit.simulate.filters.taint_toleration import toleration_levels
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NAME = "PodTopologySpread"
_UNKNOWN = ("Node", "Pod")


def pod_topology_spread(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """Hard constraints, each by itself (`podtopologyspread/filtering.go`)."""
    constraints = pod.template.spread
    if not constraints:
        return None
    missing = [kind for kind in _UNKNOWN if not snapshot.known(kind)]
    allowed = [_allowed(snapshot, pod, one) for one in constraints]

    def each(info: NodeInfo) -> Iterator[Answer]:
        for constraint, values in zip(constraints, allowed, strict=True):
            value = info.label(constraint.topology_key)
            if value is None:
                yield Refusal(NAME, "MissingTopologyLabel", f"no label {constraint.topology_key}")
            elif missing:
                yield Doubt(NAME, missing[0])
            elif not values.get(value, True):
                where = f"{constraint.topology_key}={value}"
                yield Refusal(NAME, "TopologySkew", f"{where} would hold too many such pods")

    def levels(columns: Columns) -> Levels:
        found = np.full(len(columns.names), DOUBT if missing else FITS, dtype=np.int8)
        for constraint, values in zip(constraints, allowed, strict=True):
            codes = columns.codes(constraint.topology_key)
            held = (bool(missing) or values.get(value, True) for value in codes.values)
            found = np.minimum(found, levels_of(codes.spread(held, absent=False)))
        return found

    return Check(each, levels)


def _allowed(snapshot: Snapshot, pod: PodRow, constraint: Spread) -> dict[str, bool]:
    """Which values of the topology key the pod may still go to.

    Of a value that no counted node carries, as many pods are there as of the pod itself: none.
    """
    counts = _counts(snapshot, pod, constraint)
    least = min(counts.values(), default=0)
    if len(counts) < constraint.min_domains:
        least = 0
    selector = constraint.selector
    itself = selector is not None and selector.matches(pod.template.labels)
    room = constraint.max_skew + least - itself
    every = snapshot.columns.codes(constraint.topology_key).values
    return {value: counts.get(value, 0) <= room for value in every}


def _counts(snapshot: Snapshot, pod: PodRow, constraint: Spread) -> dict[str, int]:
    """Matching pods by domain, over the nodes that count; terminating pods do not.

    A selector that selects all is never counted (`countPodsMatchSelector`).
    """
    columns = snapshot.columns
    counted = _counted(columns, pod, constraint)
    codes = columns.codes(constraint.topology_key)
    held = np.unique(codes.codes[counted])
    counts = {codes.values[code]: 0 for code in held}
    if constraint.selector is None or not constraint.selector.requirements:
        return counts
    for other, info in snapshot.matching([pod.namespace], constraint.selector):
        at = columns.index[info.name]
        if counted[at] and not other.terminating:
            counts[codes.values[codes.codes[at]]] += 1
    return counts


def _counted(columns: Columns, pod: PodRow, constraint: Spread) -> Mask:
    """Nodes with the keys of all constraints, that the pod's affinity and tolerations admit."""
    counted = columns.alive.copy()
    for one in pod.template.spread:
        counted &= columns.codes(one.topology_key).codes >= 0
    if constraint.honor_affinity:
        counted &= affinity_levels(columns, constraints_of(pod.template)) == FITS
    if constraint.honor_taints:
        counted &= toleration_levels(columns, pod.template.tolerations) == FITS
    return counted
