"""The Store: the tables of rows, and the one place where they change.

Every change names the cells that it touched; who had opened one of them is asked again.
"""

from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, cast

import msgspec

from clusteraudit.model.kinds import (
    API_GROUPS,
    INDEXES,
    KINDS,
    SUBJECTS,
    WORKLOADS,
    Index,
    owner_of,
    ref,
)
from clusteraudit.model.labelled import Labelled
from clusteraudit.model.rows import ApiGroupRow, Key, PodRow, PodTemplate, Ref, Row, WorkloadRow
from clusteraudit.model.selectors import Labels
from clusteraudit.model.slack import tighten
from clusteraudit.model.workload_pods import PARTS, ToldApart, parts_changed

Cell = tuple[Hashable, ...]
"""Something that can be read and can change: a row, a bucket of an index, a table, a value."""

TEMPLATE = "template"
TEMPLATES: Cell = ("templates",)
"""All templates, whoever reads them; a cell of its own, by TEMPLATE, says which of them changed."""
CHILDREN = "children"
"""The index of what each owner owns."""
_LARGE = 256
"""Pods of a controller from which on they are kept told apart."""
FAMILY = "family"
"""Cells of parts of the pods below a workload: `(FAMILY, part, workload)`."""


def whole_of(cell: Cell) -> Cell | None:
    """The cell that stands for all of its sort, for who reads them all: an index, the templates."""
    if cell[0] == "bucket":
        return ("buckets", cell[1])
    return TEMPLATES if cell[0] == TEMPLATE else None


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """How much of a kind the model holds, and why it is not all."""

    state: Literal["none", "partial", "complete"]
    reason: str = ""
    since: int | None = None


NOT_READ = Evidence("none", "NotRead")
COMPLETE = Evidence("complete")


class Change(msgspec.Struct, frozen=True, gc=False):
    """An object as it now is; no row: it is gone."""

    kind: str
    key: Key
    row: Row | None


class Touched(msgspec.Struct):
    """What changes did: cells that no longer hold what they held, subjects born and gone."""

    cells: set[Cell] = msgspec.field(default_factory=set)
    born: set[Ref] = msgspec.field(default_factory=set)
    gone: set[Ref] = msgspec.field(default_factory=set)
    opened: Collection[Cell] | None = None
    """Cells that anybody has opened; None for not known, which is all of them.

    Of a whole cluster that comes at once, millions of cells would be noted for nobody.
    """

    @property
    def asked(self) -> bool:
        """Whether anybody has opened a cell."""
        return self.opened is None or bool(self.opened)

    def touch(self, cell: Cell) -> None:
        """Note a cell that no longer holds what it held, if that is of interest."""
        if self.opened is None or cell in self.opened or whole_of(cell) in self.opened:
            self.cells.add(cell)

    def appears(self, subject: Ref) -> None:
        """Note a subject that is new, or back before anybody saw it go."""
        if subject in self.gone:
            self.gone.remove(subject)
        else:
            self.born.add(subject)

    def disappears(self, subject: Ref) -> None:
        """Note a subject that is no more, or never was for anybody."""
        if subject in self.born:
            self.born.remove(subject)
        else:
            self.gone.add(subject)


Filed = tuple[Hashable | None, Row | None]
"""Where an index has a row, and the row; none where there is none."""
Bucket = list[Row]
"""The rows of an index under one key, in their order: no more than a word for each."""


def order_of(row: Row) -> tuple[str, str, str]:
    """By kind and key; only controllers of pods and pods stand in one index together."""
    kind = row.kind if isinstance(row, WorkloadRow) else "Pod"
    return (kind, row.namespace, row.name)


_order_of_pods = attrgetter("namespace", "name")
"""The same where all are pods, as they are if the first and the last one are: a fourth of the time.
"""


class Store:
    """Tables, indexes and evidence. One thread owns it; nobody else reads it."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Key, Row]] = {name: {} for name in (*KINDS, API_GROUPS)}
        self.buckets: dict[str, dict[Hashable, Bucket]] = {name: {} for name in INDEXES}
        for name, index in INDEXES.items():
            self.buckets |= dict.fromkeys(index.aspects, self.buckets[name])
        self.groups: dict[str, dict[Hashable, dict[Hashable, None]]] = {n: {} for n in INDEXES}
        self._sorted: dict[str, list[Key]] = {}
        """Keys of kinds that were read whole, until one comes or goes."""
        self._told: dict[Hashable, ToldApart] = {}
        self._labelled: dict[str, Labelled] = {name: Labelled() for name in INDEXES}
        self.workloads: dict[Ref, int] = {}
        self.evidence: dict[str, Evidence] = {API_GROUPS: COMPLETE}
        self.templates: dict[PodTemplate, int] = {}
        self._pool: dict[PodTemplate, tuple[PodTemplate, int]] = {}

    def apply(self, changes: Iterable[Change], opened: Collection[Cell] | None = None) -> Touched:
        """Make the changes; a row equal to the one that stands touches nothing."""
        touched = Touched(opened=opened)
        for change in changes:
            old = self.tables[change.kind].get(change.key)
            if old == change.row:
                continue
            if change.kind in _ALONE:
                self._set(change.kind, change.key, change.row, touched)
            else:
                self._replace(change.kind, change.key, old, change.row, touched)
        return touched

    def learn(self, evidence: Mapping[str, Evidence]) -> Touched:
        """Take over what is now known of the kinds named."""
        changed = {kind for kind, new in evidence.items() if self.evidence.get(kind) != new}
        self.evidence.update(evidence)
        return Touched({("evidence", kind) for kind in changed})

    def tighten(self) -> None:
        """Give back the room of what went, where it is much."""
        for table in self.tables.values():
            tighten(table)
        for buckets in self.buckets.values():
            tighten(buckets)
        for of_all in (self.workloads, self.templates, self._pool):
            tighten(cast("dict[Any, Any]", of_all))

    def rows(self, kind: str) -> Iterator[Row]:
        """Every row of a kind, by key."""
        keys = self._sorted.get(kind)
        if keys is None:
            keys = self._sorted[kind] = sorted(self.tables[kind])
        return map(self.tables[kind].__getitem__, keys)

    def subjects(self, kind: str) -> Iterable[Ref]:
        """Every subject of a kind; `Workload` stands for the owners of pods, bare pods included."""
        if kind == "Workload":
            return self.workloads.keys()
        return (ref(kind, *key) for key in self.tables[kind])

    def _replace(
        self, kind: str, key: Key, old: Row | None, new: Row | None, touched: Touched
    ) -> None:
        counted = not _speak_alike(old, new)
        if counted:
            self._count(kind, old, -1, touched)
        self._share(old, new, touched)
        self._set(kind, key, new, touched)
        self._adopt(kind, key, old, new, touched)
        self._reindex(kind, old, new, touched)
        if touched.asked:
            self._touch_families(old, new, touched)
        if counted:
            self._count(kind, new, +1, touched)
        if kind in SUBJECTS and (old is None) != (new is None):
            (touched.disappears if new is None else touched.appears)(ref(kind, *key))

    def _set(self, kind: str, key: Key, new: Row | None, touched: Touched) -> None:
        table = self.tables[kind]
        if new is None or key not in table:
            self._sorted.pop(kind, None)
        if new is None:
            del table[key]
        else:
            table[key] = new
        touched.cells.add(("table", kind))
        touched.touch(("row", kind, *key))

    # Templates: shared by value, counted, so that those of which no pod is left go.

    def _share(self, old: Row | None, new: Row | None, touched: Touched) -> None:
        if isinstance(new, PodRow):
            template, count = self._pool.get(new.template, (new.template, 0))
            self._pool[template] = (template, count + 1)
            msgspec.structs.force_setattr(new, "template", template)
            self._tally(new, +1)
        if isinstance(old, PodRow):
            template, count = self._pool.pop(old.template)
            if count > 1:
                self._pool[template] = (template, count - 1)
            self._tally(old, -1)
        before, after = _shape(old), _shape(new)
        if before != after:
            for one in (before, after):
                if one is not None:
                    touched.touch((TEMPLATE, one))

    def _tally(self, pod: PodRow, step: int) -> None:
        if not _lives(pod):
            return
        count = self.templates.get(pod.template, 0) + step
        if count:
            self.templates[pod.template] = count
        else:
            del self.templates[pod.template]

    # Workloads: who is asked about pods. The last owner that is known, or named, speaks for them.

    def _speaker(self, kind: str, row: Row) -> Ref | None:
        if isinstance(row, PodRow) and not row.heard:
            return None
        owner = owner_of(row)
        if owner is None:
            return ref(kind, row.namespace, row.name)
        return None if self._known(owner) else owner

    def _known(self, owner: Ref) -> bool:
        kind = KINDS.get(owner.kind)
        known = kind is not None and kind.group == owner.group
        return known and owner.key in self.tables[owner.kind]

    def _count(self, kind: str, row: Row | None, step: int, touched: Touched) -> None:
        if row is not None and isinstance(row, PodRow | WorkloadRow):
            speaker = self._speaker(kind, row)
            if speaker is not None:
                self._add(speaker, step, touched)

    def _adopt(
        self, kind: str, key: Key, old: Row | None, new: Row | None, touched: Touched
    ) -> None:
        """An owner came or went: it speaks for its children, or its name alone does."""
        if kind not in WORKLOADS or (old is None) == (new is None):
            return
        owner = ref(kind, *key)
        children = self.buckets["children"].get(owner, ())
        orphans = sum(not isinstance(child, PodRow) or child.heard for child in children)
        if orphans:
            self._add(owner, orphans if new is None else -orphans, touched)

    def _add(self, subject: Ref, step: int, touched: Touched) -> None:
        before = self.workloads.get(subject, 0)
        after = before + step
        if after:
            self.workloads[subject] = after
        else:
            self.workloads.pop(subject, None)
        if not before:
            touched.appears(subject)
        elif not after:
            touched.disappears(subject)

    # Families: all pods below a workload, of which each part is read by itself.

    def _touch_families(self, old: Row | None, new: Row | None, touched: Touched) -> None:
        for owner, before, after in _kin(old, new):
            parts = _parts_changed(before, after)
            for workload in self._above(owner) if parts else ():
                for part in parts:
                    touched.touch((FAMILY, part, workload))

    def _above(self, owner: Ref) -> Iterator[Ref]:
        """An owner, its own owner, and so on."""
        seen, next_one = set[Ref](), cast("Ref | None", owner)
        while next_one is not None and next_one not in seen:
            seen.add(next_one)
            yield next_one
            row = self._row_of(next_one)
            next_one = row.owner if isinstance(row, WorkloadRow) else None

    # Indexes

    def _reindex(self, kind: str, old: Row | None, new: Row | None, touched: Touched) -> None:
        for name, index in _INDEXES_OF.get(kind, ()):
            before = None if old is None else index.key(old)
            after = None if new is None else index.key(new)
            if before is None and after is None:
                continue
            if touched.asked:
                for cell in self._of_index(name, index, (before, old), (after, new)):
                    touched.touch(cell)
            if before is not None and old is not None and before != after:
                self._unfile(name, before, old, touched)
            if after is not None and new is not None:
                self._file(name, after, new, touched)
            if name == CHILDREN and self._told:
                self._tell(before, old, None if before != after else new)
                if before != after:
                    self._tell(after, None, new)

    def told_apart(self, owner: Ref) -> ToldApart:
        """The pods among what an owner owns: those of many are kept so, and change with them."""
        told = self._told.get(owner)
        if told is None:
            children = self.buckets[CHILDREN].get(owner, ())
            told = ToldApart(one for one in children if isinstance(one, PodRow))
            if len(children) >= _LARGE:
                self._told[owner] = told
        return told

    def _tell(self, owner: Hashable, old: Row | None, new: Row | None) -> None:
        told = self._told.get(owner)
        if told is None:
            return
        was, now = (one if isinstance(one, PodRow) else None for one in (old, new))
        told.change(was, now)
        if len(self.buckets[CHILDREN].get(owner, ())) < _LARGE // 2:
            del self._told[owner]

    def _of_index(self, name: str, index: Index, old: Filed, new: Filed) -> Iterator[Cell]:
        """Cells of an index that a row no longer leaves as they were."""
        places = {old[0], new[0]} - {None}
        yield from (("bucket", name, at) for at in places)
        if name == CHILDREN:
            yield from self._under(*places)
        for aspect in _aspects(index, old, new):
            yield from (("bucket", aspect, at) for at in places)

    def _under(self, *parents: Hashable) -> Iterator[Cell]:
        """Who owns the owners: a change below them is one of theirs."""
        for parent in parents:
            row = self._row_of(parent)
            if isinstance(row, WorkloadRow) and row.owner is not None:
                yield ("under", row.owner)

    def _row_of(self, named: Hashable) -> Row | None:
        return self.tables.get(named.kind, {}).get(named.key) if isinstance(named, Ref) else None

    def _file(self, name: str, at: Hashable, row: Row, touched: Touched) -> None:
        bucket = self.buckets[name].get(at)
        if bucket is None:
            self.buckets[name][at] = [row]
            self._join(name, at, touched)
            return
        place, found = _find(bucket, row)
        if found:
            bucket[place] = row
        else:
            bucket.insert(place, row)

    def _unfile(self, name: str, at: Hashable, row: Row, touched: Touched) -> None:
        bucket = self.buckets[name][at]
        place, _ = _find(bucket, row)
        del bucket[place]
        if not bucket:
            del self.buckets[name][at]
            self._leave(name, at, touched)

    def _join(self, name: str, at: Hashable, touched: Touched) -> None:
        if isinstance(at, tuple):
            if at[0] not in self.groups[name]:
                touched.touch(("groups", name))
            self.groups[name].setdefault(at[0], {})[at[1]] = None
            touched.touch(("group", name, at[0]))
            if isinstance(at[1], Labels):
                self._labelled[name].join(at[0], at[1])
                _touch_labels(name, at[0], at[1], touched)

    def _leave(self, name: str, at: Hashable, touched: Touched) -> None:
        if isinstance(at, tuple):
            group = self.groups[name][at[0]]
            del group[at[1]]
            touched.touch(("group", name, at[0]))
            if isinstance(at[1], Labels):
                self._labelled[name].leave(at[0], at[1])
                _touch_labels(name, at[0], at[1], touched)
            if not group:
                del self.groups[name][at[0]]
                self._labelled[name].drop(at[0])
                touched.touch(("groups", name))

    def having(self, name: str, namespace: str, key: str, value: str) -> Sequence[Labels]:
        """Of an index by namespace and labels: the labels of a namespace with this one."""
        there = self.groups[name].get(namespace)
        return self._labelled[name].having(key, value, namespace, there) if there else ()


def _speak_alike(old: Row | None, new: Row | None) -> bool:
    """Whether a pod has changed, and who speaks for it has not."""
    if not (isinstance(old, PodRow) and isinstance(new, PodRow)):
        return False
    return old.heard == new.heard and old.template.owner == new.template.owner


def _kin(old: Row | None, new: Row | None) -> Iterator[tuple[Ref, Row | None, Row | None]]:
    """An owner, and what it owns of both; two owners where it has changed hands."""
    before, after = (None if one is None else owner_of(one) for one in (old, new))
    owned = [(before, old, new)] if before == after else [(before, old, None), (after, None, new)]
    return ((owner, was, now) for owner, was, now in owned if owner is not None)


def _parts_changed(old: Row | None, new: Row | None) -> tuple[str, ...]:
    """Of a family, by one of it; one more controller may bring pods that came before it."""
    if isinstance(old, WorkloadRow) or isinstance(new, WorkloadRow):
        return PARTS if old is None or new is None else ()
    pods = (one if isinstance(one, PodRow) else None for one in (old, new))
    return tuple(parts_changed(*pods))


def _aspects(index: Index, old: Filed, new: Filed) -> Iterator[str]:
    """Aspects of which a row shows something else than before."""
    for aspect, face in index.aspects.items():
        same = old[1] and new[1] and old[0] == new[0] and face(old[1]) == face(new[1])
        if not same:
            yield aspect


def _touch_labels(name: str, namespace: Hashable, labels: Labels, touched: Touched) -> None:
    for key, value in labels.pairs:
        touched.touch(("labelled", name, namespace, key, value))


def _find(bucket: Bucket, row: Row) -> tuple[int, bool]:
    """Where a row stands, or would, and whether it does; most come in order."""
    pods = isinstance(row, PodRow) and isinstance(bucket[0], PodRow)
    pods = pods and isinstance(bucket[-1], PodRow)
    order_in = _order_of_pods if pods else order_of
    order = order_in(row)
    if order_in(bucket[-1]) < order:
        return len(bucket), False
    place = bisect_left(bucket, order, key=order_in)
    return place, order_in(bucket[place]) == order


def _lives(row: Row | None) -> bool:
    return isinstance(row, PodRow) and row.living


def _shape(row: Row | None) -> PodTemplate | None:
    return row.template if isinstance(row, PodRow) and _lives(row) else None


def api_group(name: str) -> Change:
    """An API group that the cluster serves."""
    return Change(API_GROUPS, ("", name), ApiGroupRow("", name))


def _indexes_of() -> dict[str, list[tuple[str, Index]]]:
    of: dict[str, list[tuple[str, Index]]] = {}
    for name, index in INDEXES.items():
        for kind in index.kinds:
            of.setdefault(kind, []).append((name, index))
    return of


_INDEXES_OF = _indexes_of()
_ALONE = frozenset(KINDS) - _INDEXES_OF.keys() - {*SUBJECTS, *WORKLOADS}
"""Kinds that only their table knows of."""
