"""The doors by which rules and experiments read a cluster; each notes what it opened."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import chain
from typing import Concatenate, ParamSpec, TypeVar, cast

from clusteraudit.model.kinds import API_GROUPS, KINDS
from clusteraudit.model.recorder import VALUE, Mend, Opener, Recorder
from clusteraudit.model.rows import PodRow, PodTemplate, Ref, Row, WorkloadRow
from clusteraudit.model.selectors import Labels, LabelSelector
from clusteraudit.model.store import (
    CHILDREN,
    FAMILY,
    NOT_READ,
    TEMPLATES,
    Bucket,
    Cell,
    Evidence,
    Store,
)
from clusteraudit.model.workload_pods import ToldApart, WorkloadPods

_EVIDENCE: dict[str, Cell] = {kind: ("evidence", kind) for kind in KINDS}
"""Every subject opens several of these: each is held once."""

R = TypeVar("R", bound=Row)
T = TypeVar("T")
P = ParamSpec("P")


class Deadlines:
    """When an answer can change though no object does."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Opener]] = []
        self._of: dict[Opener, set[int]] = {}
        self._order = 0

    def note(self, opener: Opener, when: int) -> None:
        """Ask `opener` again at `when`."""
        due = self._of.setdefault(opener, set())
        if when not in due:
            due.add(when)
            self._order += 1
            heappush(self._heap, (when, self._order, opener))

    def forget(self, opener: Opener) -> None:
        """Drop what `opener` waited for."""
        self._of.pop(opener, None)

    def due(self, now: int) -> set[Opener]:
        """Take out all whose time has come."""
        ready: set[Opener] = set()
        while self._heap and self._heap[0][0] <= now:
            when, _, opener = heappop(self._heap)
            if when in self._of.get(opener, ()):
                ready.add(opener)
        return ready

    def next(self) -> int | None:
        """The earliest deadline, None where nobody waits."""
        while self._heap:
            when, _, opener = self._heap[0]
            if when in self._of.get(opener, ()):
                return when
            heappop(self._heap)
        return None


class Cluster:
    """A cluster to read; what is read is recorded for the opener that reads."""

    def __init__(self, store: Store, now: int) -> None:
        self._store = store
        self._now = now
        self.recorder = Recorder()
        self.deadlines = Deadlines()

    def at(self, now: int) -> None:
        """Move the time on; it never goes back."""
        self._now = max(now, self._now)

    # Doors

    def get(self, kind: type[R], ref: Ref) -> R | None:
        """The row of an object, None where the model holds none."""
        return self.find(kind, ref.kind, ref.namespace, ref.name)

    def find(self, row: type[R], kind: str, namespace: str, name: str) -> R | None:
        """The row of an object by its names."""
        self.recorder.note(("row", kind, namespace, name))
        found = self._store.tables.get(kind, {}).get((namespace, name))
        return found if isinstance(found, row) else None

    def all(self, row: type[R], kind: str) -> list[R]:
        """Every row of a kind, by key."""
        self.recorder.note(("table", kind))
        return [one for one in self._store.rows(kind) if isinstance(one, row)]

    def bucket(self, row: type[R], index: str, at: Hashable) -> list[R]:
        """The rows that an index holds under a key, by kind and key."""
        self.recorder.note(("bucket", index, at))
        rows = self._store.buckets[index].get(at, ())
        return [one for one in rows if isinstance(one, row)]

    def buckets(self, index: str) -> Mapping[Hashable, Bucket]:
        """All that an index holds, by key.

        For values that can be mended: `parts` names the keys under which something changed.
        """
        self.recorder.note(("buckets", index))
        return self._store.buckets[index]

    def group(self, index: str, first: Hashable) -> tuple[Hashable, ...]:
        """The second parts of an index's keys whose first part this is."""
        self.recorder.note(("group", index, first))
        return tuple(self._store.groups[index].get(first, ()))

    def labels(self, index: str, namespace: str, selector: LabelSelector) -> list[Labels]:
        """Of an index by namespace and labels: the labels of a namespace that a selector selects.

        Where it names values of a label, only labels that have one of them are looked at, and only
        such that come or go ask the reader again.
        """
        named = next((one for one in selector.requirements if one.operator == "In"), None)
        if named is None:
            there: Iterable[Hashable] = self.group(index, namespace)
        else:
            values = dict.fromkeys(named.values)
            there = [o for v in values for o in self._having(index, namespace, named.key, v)]
        return [one for one in there if isinstance(one, Labels) and selector.matches(one)]

    def _having(self, index: str, namespace: str, key: str, value: str) -> Sequence[Labels]:
        self.recorder.note(("labelled", index, namespace, key, value))
        return self._store.having(index, namespace, key, value)

    def groups(self, index: str) -> tuple[Hashable, ...]:
        """The first parts of an index's keys."""
        self.recorder.note(("groups", index))
        return tuple(self._store.groups[index])

    def templates(self) -> Mapping[PodTemplate, int]:
        """How many pods there are of each template; terminal and terminating ones do not count."""
        self.recorder.note(TEMPLATES)
        return self._store.templates

    def evidence(self, kind: str) -> Evidence:
        """How much of a kind is known."""
        self.recorder.note(_EVIDENCE.get(kind) or ("evidence", kind))
        return self._store.evidence.get(kind, NOT_READ)

    def complete(self, kind: str) -> bool:
        """Whether what the model does not hold of a kind does not exist."""
        return self.evidence(kind).state == "complete"

    def serves(self, group: str) -> bool:
        """Whether the API group is served."""
        self.recorder.note(("row", API_GROUPS, "", group))
        return ("", group) in self._store.tables[API_GROUPS]

    def older(self, since: int, than: int) -> bool:
        """Whether `since` is at least `than` seconds ago; until then, a deadline is noted.

        For rules only: a derived value has no deadline of its own.
        """
        when = since + than
        if when <= self._now:
            return True
        if self.recorder.current is not None:
            self.deadlines.note(self.recorder.current, when)
        return False

    # Descent

    def pods_of(self, workload: Ref) -> list[PodRow]:
        """The pods that a workload owns, by way of the controllers between; a bare pod itself."""
        return list(self._pods_of(workload))

    def workload_pods(self, workload: Ref) -> WorkloadPods:
        """The same, told apart: once for all rules of a workload, and each part read by itself."""
        apart = self.recorder.once(("workload pods", workload), lambda: self._told_apart(workload))
        if workload.kind == "Pod":
            self.get(PodRow, workload)
            return WorkloadPods(apart, _unnoted)
        return WorkloadPods(apart, lambda part: self.recorder.note((FAMILY, part, workload)))

    def _told_apart(self, workload: Ref) -> ToldApart:
        families = list(self._descend(workload, _unnoted)) if workload.kind != "Pod" else []
        if len(families) == 1:
            return self._store.told_apart(families[0][0])
        return ToldApart(self._family(workload, _unnoted))

    def _pods_of(self, workload: Ref) -> Sequence[PodRow]:
        return self.recorder.once(workload, lambda: self._family(workload, self.recorder.note))

    def _family(self, workload: Ref, note: Callable[[Cell], None]) -> Sequence[PodRow]:
        if workload.kind == "Pod":
            note(("row", "Pod", *workload.key))
            pod = self._store.tables["Pod"].get(workload.key)
            return [pod] if isinstance(pod, PodRow) else []
        return _in_order([pods for _, pods in self._descend(workload, note)])

    def _descend(
        self, owner: Ref, note: Callable[[Cell], None]
    ) -> Iterator[tuple[Ref, Sequence[PodRow]]]:
        """Pods below an owner, by the controller that owns them.

        Who notes what is under it need not note the children of each child: a Deployment has ten
        old ReplicaSets without any.
        """
        note(("bucket", CHILDREN, owner))
        parents, seen = [owner], set[Ref]()
        while parents:
            parent = parents.pop()
            if parent in seen:  # owners may form a circle: nothing forbids it
                continue
            seen.add(parent)
            pods, below = _apart(self._store.buckets[CHILDREN].get(parent, ()))
            if pods:
                yield parent, pods
            if below:
                note(("under", parent))
            parents += below

    def owner(self, pod: PodRow) -> Ref:
        """The workload that speaks for a pod: the last of its owners that is known or named."""
        speaker = Ref("v1", "Pod", pod.namespace, pod.name)
        owner, seen = pod.template.owner, set[Ref]()
        while owner is not None and owner not in seen:
            seen.add(owner)
            speaker = owner
            row = self.get(WorkloadRow, owner)
            owner = row.owner if row else None
        return speaker

    # Derived values

    def derived(
        self,
        cell: Cell,
        make: Callable[[], T],
        mend: Callable[[T, frozenset[Cell]], T] | None = None,
    ) -> T:
        """A value that is made once and kept; made anew or mended when what it is made of changes.

        What mends it gets the value as it was, which it must leave as it is, and what changed.
        """
        if self.recorder.current is None:
            return make()
        return cast("T", self.recorder.value(cell, make, cast("Mend | None", mend)))


def derived(
    function: Callable[Concatenate[Cluster, P], T],
) -> Callable[Concatenate[Cluster, P], T]:
    """Make a pure function of the cluster a door: kept per arguments, with early cut-off."""

    def door(cluster: Cluster, /, *args: P.args, **kwargs: P.kwargs) -> T:
        cell = (VALUE, function, args, tuple(sorted(kwargs.items())) if kwargs else ())
        return cluster.derived(cell, lambda: function(cluster, *args, **kwargs))

    door.__doc__ = function.__doc__
    door.__name__ = function.__name__
    return door


def mendable(
    mend: Callable[[Cluster, T, frozenset[Cell]], T],
) -> Callable[[Callable[[Cluster], T]], Callable[[Cluster], T]]:
    """The same for a value of the whole cluster which `mend` brings up to date by what changed.

    `mend` gets the value as it was, and must return what the function would.
    """

    def declare(function: Callable[[Cluster], T]) -> Callable[[Cluster], T]:
        def door(cluster: Cluster) -> T:
            return cluster.derived(
                (VALUE, function),
                lambda: function(cluster),
                lambda old, causes: mend(cluster, old, causes),
            )

        door.__doc__ = function.__doc__
        door.__name__ = function.__name__
        return door

    return declare


def parts(causes: Iterable[Cell], index: str) -> set[Hashable] | None:
    """Keys of an index under which something changed; None where something else did too."""
    found = {cell[2] for cell in causes if cell[:2] == ("bucket", index)}
    return found if len(found) == len(set(causes)) else None


def _unnoted(_: object) -> None:
    """For what is read without being noted here."""


def _apart(children: Sequence[Row]) -> tuple[Sequence[PodRow], list[Ref]]:
    """Pods, and controllers that may have some; of one kind as a rule, and in order."""
    if children and isinstance(children[0], PodRow) and isinstance(children[-1], PodRow):
        return cast("Sequence[PodRow]", children), []
    pods = [child for child in children if isinstance(child, PodRow)]
    return pods, [_ref_of(child) for child in children if isinstance(child, WorkloadRow)]


def _in_order(families: Sequence[Sequence[PodRow]]) -> Sequence[PodRow]:
    """By key, as each family is."""
    if len(families) == 1:
        return families[0]
    return sorted(chain.from_iterable(families), key=lambda pod: pod.key)


def _ref_of(row: WorkloadRow) -> Ref:
    return Ref(KINDS[row.kind].api_version, row.kind, row.namespace, row.name)
