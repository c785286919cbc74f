"""The nodes of a snapshot as columns: a question about all of them at once.

An answer is a level per node, so that several answers are one by taking the least of each node's.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from clusteraudit.model.rows import NodeRow
from clusteraudit.model.selectors import Labels, NodeSelector, NodeSelectorTerm, Requirement

Amount = NDArray[np.int64]
Mask = NDArray[np.bool_]
Levels = NDArray[np.int8]
"""Per node: REFUSED, DOUBT or FITS."""

REFUSED, DOUBT, FITS = 0, 1, 2
NAME = "metadata.name"


class Codes:
    """A label of all nodes: its values, and which of them each node has; the last means none."""

    def __init__(self, values: Iterable[str | None]) -> None:
        known: dict[str, int] = {}
        codes = [-1 if one is None else known.setdefault(one, len(known)) for one in values]
        self.values = tuple(known)
        self.known = known
        self.codes = np.array(codes, dtype=np.int64)

    def spread(self, by_value: Iterable[bool], *, absent: bool) -> Mask:
        """What holds of each value, as what holds of each node."""
        return np.array([*by_value, absent], dtype=np.bool_)[self.codes]

    def matching(self, requirement: Requirement) -> Mask:
        """Nodes whose value, or lack of one, satisfies a requirement on this label."""
        if requirement.operator == "In":
            wanted = np.zeros(len(self.values) + 1, dtype=np.bool_)
            wanted[[self.known[one] for one in requirement.values if one in self.known]] = True
            return wanted[self.codes]
        key = requirement.key
        held = (requirement.matches(Labels(((key, value),))) for value in self.values)
        return self.spread(held, absent=requirement.matches(Labels()))


class Columns:
    """Columns over the nodes of a snapshot; what depends on the nodes alone is made once."""

    def __init__(self, nodes: Iterable[NodeRow], free: Iterable[Mapping[str, int]]) -> None:
        self._nodes = tuple(nodes)
        self.names = tuple(node.name for node in self._nodes)
        self.index = {name: at for at, name in enumerate(self.names)}
        self.alive = np.ones(len(self.names), dtype=np.bool_)
        self._codes: dict[str, Codes] = {}
        self._kinds: Amount | None = None
        self._kept: dict[Hashable, Levels] = {}
        self._free: dict[str, Amount] = {}
        for at, left in enumerate(free):
            self.put(at, left)

    def copy(self) -> "Columns":
        """Columns to change; what depends on the nodes alone stays shared."""
        made = object.__new__(Columns)
        made.__dict__.update(self.__dict__)
        made.alive = self.alive.copy()
        made._free = {name: column.copy() for name, column in self._free.items()}
        return made

    def filled(self, free: Mapping[str, Amount]) -> "Columns":
        """A copy with this left, by resource."""
        made = self.copy()
        made.__dict__["_free"] = dict(free)
        return made

    def put(self, at: int, left: Mapping[str, int]) -> None:
        """Let a node have this left."""
        for resource, column in self._free.items():
            column[at] = left.get(resource, 0)
        for resource in left.keys() - self._free.keys():
            column = self._free[resource] = np.zeros(len(self.names), dtype=np.int64)
            column[at] = left[resource]

    def free(self, resource: str) -> Amount:
        """What is left of a resource, by node."""
        found = self._free.get(resource)
        return np.zeros(len(self.names), dtype=np.int64) if found is None else found

    def codes(self, key: str) -> Codes:
        """A label of all nodes."""
        if key not in self._codes:
            self._codes[key] = Codes(
                node.name if key == NAME else node.labels.get(key) for node in self._nodes
            )
        return self._codes[key]

    @property
    def kinds(self) -> Amount:
        """Nodes by number, those of one number equal in their taints and in being cordoned."""
        if self._kinds is None:
            known: dict[Hashable, int] = {}
            pairs = ((node.taints, node.unschedulable) for node in self._nodes)
            self._kinds = np.array([known.setdefault(one, len(known)) for one in pairs], np.int64)
        return self._kinds

    def kept(self, key: Hashable, make: Callable[[], Levels]) -> Levels:
        """Levels that nodes alone decide, made once per key; not to be changed."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def of_nodes(self, key: Callable[[NodeRow], Hashable], ask: Callable[[NodeRow], int]) -> Levels:
        """Levels of which one node of each kind is asked."""
        kinds: dict[Hashable, int] = {}
        levels: list[int] = []
        for node in self._nodes:
            kind = key(node)
            if kind not in kinds:
                kinds[kind] = ask(node)
            levels.append(kinds[kind])
        return np.array(levels, dtype=np.int8)

    def selected(self, requirements: Iterable[Requirement]) -> Mask:
        """Nodes that satisfy all requirements."""
        mask = np.ones(len(self.names), dtype=np.bool_)
        for one in requirements:
            mask &= self.codes(one.key).matching(one)
        return mask

    def admitted(self, selector: NodeSelector) -> Mask:
        """Nodes that one of the terms admits; a term that holds nothing admits none."""
        mask = np.zeros(len(self.names), dtype=np.bool_)
        for term in selector.terms:
            mask |= self._term(term)
        return mask

    def labelled(self, selector: NodeSelector) -> Mask:
        """Nodes that a selector admits by labels alone, as a volume's affinity asks."""
        mask = np.zeros(len(self.names), dtype=np.bool_)
        for term in selector.terms:
            if term.expressions:
                mask |= self.selected(term.expressions)
        return mask

    def _term(self, term: NodeSelectorTerm) -> Mask:
        if not term.expressions and not term.fields:
            return np.zeros(len(self.names), dtype=np.bool_)
        return self.selected((*term.expressions, *term.fields))


def levels_of(mask: Mask, *, otherwise: int = REFUSED) -> Levels:
    """FITS where the mask holds, else this."""
    return np.where(mask, FITS, otherwise).astype(np.int8)
