"""What the pods on each node hold, in columns: by classes of pods that weigh the same.

A pod is a number, that of its class; what a node holds is a sum over numbers. When pods change,
the rows of their nodes are summed anew, and no other: a change of one pod costs what its node does.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.cluster import Cluster, mendable, parts
from clusteraudit.model.kept import per_template
from clusteraudit.model.lately import Lately
from clusteraudit.model.rows import SLOTS, Amounts, PodRow, PodTemplate, Row
from clusteraudit.model.store import Cell
from clusteraudit.simulate.evictions import critical_template

Part = Literal["requested", "limits", "reclaimable", "staying", "evictable", "unlimited"]
"""`reclaimable` is held by pods of negative priority, placeholders that yield; `staying` by pods
that belong to their node; `evictable` are limits of pods that pressure evicts, and `unlimited` how
many of their containers have no memory limit."""
Column = tuple[Part, str]
"""A part, and the resource."""
Integers = NDArray[Any]
"""Of int64 where sums of what is claimed fit, else of Python's integers."""
Rows = NDArray[np.intp]
_SUMMABLE = 2**44
"""Amounts of which a quarter of a million, more than a node has pods, add up within int64."""
_one = Lately(4_096).one
"""Of weights: pods of one workload weigh the same, also where each has labels of its own."""
_AT_ONCE = 200
"""Nodes that are summed together: what this takes does not grow with the cluster."""


def stays(template: PodTemplate) -> bool:
    """Whether its pods belong to their node: static ones, and those of DaemonSets."""
    owner = template.owner
    return template.static or (owner is not None and owner.kind == "DaemonSet")


class _Weight(NamedTuple):
    """All by which pods weigh: those of equal weights are one class."""

    requests: Amounts
    limits: Amounts
    unlimited: int
    yields: bool
    stays: bool
    evictable: bool

    def held(self) -> Iterator[tuple[Column, int]]:
        """What a pod adds to its node, by column."""
        asked = (*self.requests, (SLOTS, 1))
        yield from ((("requested", name), n) for name, n in self.requests if name != SLOTS)
        yield ("requested", SLOTS), 1
        yield from ((("limits", name), amount) for name, amount in self.limits)
        if self.yields:
            yield from ((("reclaimable", name), amount) for name, amount in asked)
        if self.stays:
            yield from ((("staying", name), amount) for name, amount in asked)
        if self.evictable:
            yield from ((("evictable", name), amount) for name, amount in self.limits)
            yield ("unlimited", ""), self.unlimited


@per_template
def _weight(template: PodTemplate) -> _Weight:
    weight = _Weight(
        template.requests,
        template.limits,
        template.unlimited,
        template.priority < 0,
        stays(template),
        not critical_template(template),
    )
    return _one(weight)


class _Scale:
    """Classes of pods, and what each of them weighs in every column."""

    def __init__(self, templates: Iterable[PodTemplate]) -> None:
        known: dict[_Weight, int] = {}
        self.number = {id(one): known.setdefault(_weight(one), len(known)) for one in templates}
        held = [list(weight.held()) for weight in known]
        columns = sorted({column for one in held for column, _ in one})
        self.columns = {column: at for at, column in enumerate(columns)}
        large = any(amount >= _SUMMABLE for one in held for _, amount in one)
        self.amounts = np.zeros((len(known), len(columns)), dtype=object if large else np.int64)
        self.named = np.zeros(self.amounts.shape, dtype=np.bool_)
        for at, one in enumerate(held):
            for column, amount in one:
                self.amounts[at, self.columns[column]] += amount
                self.named[at, self.columns[column]] = True

    def sums(self, pods: Sequence[int], sizes: Sequence[int]) -> tuple[Integers, NDArray[np.bool_]]:
        """A row a node, each of so many pods, none of 0; and which columns its pods name."""
        starts = [0, *accumulate(sizes)][:-1]
        return (
            np.add.reduceat(self.amounts[pods], starts, axis=0),
            np.logical_or.reduceat(self.named[pods], starts, axis=0),
        )


class Loads:
    """A row a node that has pods, a column a part and resource."""

    def __init__(self, on: Mapping[str, Collection[Row]]) -> None:
        held = {name: [_pod(one).template for one in rows] for name, rows in on.items() if rows}
        scale = _Scale({id(one): one for rows in held.values() for one in rows}.values())
        names, sums = list(held), list[Integers]()
        named = [np.zeros((0, len(scale.columns)), dtype=np.bool_)]
        for first in range(0, len(names), _AT_ONCE):
            some = [held[name] for name in names[first : first + _AT_ONCE]]
            numbers = [scale.number[id(one)] for rows in some for one in rows]
            found = scale.sums(numbers, [len(rows) for rows in some])
            sums.append(found[0])
            named.append(found[1])
        self.columns = scale.columns
        self.row = {name: at for at, name in enumerate(names)}
        empty = scale.amounts[:0]
        self._amounts: Integers = np.concatenate([empty, *sums])
        self._named = np.concatenate(named)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Loads)
            and self.columns == other.columns
            and self.row == other.row
            and np.array_equal(self._amounts, other._amounts)
            and np.array_equal(self._named, other._named)
        )

    __hash__ = None  # type: ignore[assignment]  # arrays: compared as a derived value, never a key

    def mended(self, on: Mapping[str, Collection[Row]]) -> "Loads | None":
        """With the rows of these nodes anew; None where their pods do not fit into the columns."""
        new = Loads(on)
        fits = new.columns.keys() <= self.columns.keys() and self._amounts.dtype != object
        if not (on.keys() <= self.row.keys() and fits and new._amounts.dtype != object):
            return None
        made = object.__new__(Loads)
        made.columns, made.row = self.columns, self.row
        made._amounts, made._named = self._amounts.copy(), self._named.copy()
        gone = [self.row[name] for name in on]
        made._amounts[gone], made._named[gone] = 0, False
        at = np.ix_([self.row[one] for one in new.row], [self.columns[one] for one in new.columns])
        made._amounts[at], made._named[at] = new._amounts, new._named
        return made

    def rows(self, nodes: Sequence[str]) -> Rows:
        """Where each of the nodes stands; -1 for one without pods."""
        return np.array([self.row.get(name, -1) for name in nodes], dtype=np.intp)

    def resources(self, part: Part, rows: Rows) -> set[str]:
        """Resources of this part that a pod on one of the nodes names."""
        named: NDArray[np.bool_] = np.logical_or.reduce(self._named[rows[rows >= 0]], axis=0)
        return {name for (of, name), at in self.columns.items() if of == part and named[at]}

    def amounts(self, part: Part, resource: str, rows: Rows) -> Integers:
        """What is held of a resource on each of the nodes."""
        at = self.columns.get((part, resource))
        found = np.zeros(len(rows), dtype=self._amounts.dtype)
        if at is not None:
            found[rows >= 0] = self._amounts[rows[rows >= 0], at]
        return found


def _pod(row: Row) -> PodRow:
    assert isinstance(row, PodRow)  # noqa: S101 - the index holds no others
    return row


def _on(cluster: Cluster) -> dict[str, Collection[Row]]:
    found = cluster.buckets("held_on").items()
    return {name: bucket for name, bucket in found if isinstance(name, str)}


def _mended(cluster: Cluster, old: Loads, causes: frozenset[Cell]) -> Loads:
    names = parts(causes, "held_on")
    if names is None or len(names) > len(old.row) // 4:
        return Loads(_on(cluster))
    held = cluster.buckets("held_on")
    rows = {str(name): held.get(name, ()) for name in names}
    return old.mended(rows) or Loads(_on(cluster))


@mendable(_mended)
def loads(cluster: Cluster) -> Loads:
    """What the pods on each node hold."""
    return Loads(_on(cluster))
