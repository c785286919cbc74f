"""What is known of the templates of a cluster's pods, found once of each."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from clusteraudit.model.cluster import Cluster, mendable
from clusteraudit.model.rows import PodTemplate
from clusteraudit.model.store import TEMPLATE, Cell
from clusteraudit.simulate.filters.kit import Shape, shape_of

KARPENTER, AUTOSCALER = "Karpenter", "cluster-autoscaler"
_NAMES = {"karpenter": KARPENTER, "cluster-autoscaler": AUTOSCALER}
_NAMING = ("app.kubernetes.io/name", "app", "k8s-app")

Basis = Literal["owned", "all"]
_BASES: tuple[Basis, ...] = ("owned", "all")
_SPARE = 100
"""Shapes that may be kept though their pods are gone."""


class Known(NamedTuple):
    """A template, and what was found of it."""

    template: PodTemplate
    shape: int
    """The number of its shape."""
    beyond: tuple[str, ...]
    maker: str
    """Who makes nodes, if these pods do; else empty."""


class _Sums:
    """Pods by the number of their shape, and of them those that a filter beyond it may refuse."""

    def __init__(self, before: "_Sums | None" = None) -> None:
        self.pods: dict[int, int] = dict(before.pods) if before else {}
        self.beyond: dict[tuple[int, str], int] = dict(before.beyond) if before else {}

    def add(self, known: Known, number: int) -> None:
        """So many pods more of a template, or fewer."""
        self.pods[known.shape] = self.pods.get(known.shape, 0) + number
        for name in known.beyond:
            at = (known.shape, name)
            self.beyond[at] = self.beyond.get(at, 0) + number


class Templates:
    """The templates of the pods that live, how many there are of each, and their shapes.

    When pods come and go, their templates are counted anew, and no others.
    """

    def __init__(self, before: "Templates | None" = None) -> None:
        self.shapes: dict[Shape, int] = dict(before.shapes) if before else {}
        """All that were seen, by number; some may have gone since."""
        self.known: dict[PodTemplate, Known] = dict(before.known) if before else {}
        self.numbers: dict[PodTemplate, int] = dict(before.numbers) if before else {}
        """How many pods there are of each."""
        self.makers: dict[PodTemplate, str] = dict(before.makers) if before else {}
        """Those whose pods make nodes, and who that is."""
        sums = before.sums if before else {}
        self.sums: dict[Basis, _Sums] = {one: _Sums(sums.get(one)) for one in _BASES}

    def count(self, template: PodTemplate, number: int) -> None:
        """There are now so many pods of a template."""
        known = self.known.get(template) or self._find(template)
        more = number - self.numbers.get(template, 0)
        for basis in _BASES:
            if counts(template, basis):
                self.sums[basis].add(known, more)
        if number:
            self.known[template], self.numbers[template] = known, number
            if known.maker:
                self.makers[template] = known.maker
        else:
            for of_all in (self.known, self.numbers, self.makers):
                of_all.pop(template, None)

    def counted(self, basis: Basis) -> Iterator[tuple[int, tuple[str, ...], int]]:
        """Shapes by number, what may refuse some of their pods beyond them, and how many pods."""
        sums, names = self.sums[basis], dict[int, list[str]]()
        for (shape, name), number in sums.beyond.items():
            if number:
                names.setdefault(shape, []).append(name)
        return ((at, tuple(names.get(at, ())), number) for at, number in sums.pods.items())

    def _find(self, one: PodTemplate) -> Known:
        number = self.shapes.setdefault(shape_of(one), len(self.shapes))
        return Known(one, number, beyond(one), _maker(one))


def counts(template: PodTemplate, basis: Basis) -> bool:
    """Whether its pods are of the workload: neither static nor a DaemonSet's; bare ones of all."""
    if template.static:
        return False
    return basis == "all" if template.owner is None else template.owner.kind != "DaemonSet"


def beyond(template: PodTemplate) -> tuple[str, ...]:
    """Filters that can refuse such a pod and that no class knows of, by the scheduler's names.

    They look at other pods, or at what the engine does not model.
    """
    return (*template.entangled, *template.unmodelled)


def _maker(template: PodTemplate) -> str:
    values = (template.labels.get(key) or "" for key in _NAMING)
    return next((_NAMES[end] for one in values for end in _NAMES if one.endswith(end)), "")


def _of_all(cluster: Cluster) -> Templates:
    made = Templates()
    for one, number in cluster.templates().items():
        made.count(one, number)
    return made


def _mended(cluster: Cluster, old: Templates, causes: frozenset[Cell]) -> Templates:
    numbers = cluster.templates()
    changed = [cell[1] for cell in causes if cell[0] == TEMPLATE]
    if len(changed) < len(causes) or len(old.shapes) > 2 * len(numbers) + _SPARE:
        return _of_all(cluster)  # or most of its shapes are gone
    made = Templates(old)
    for one in changed:
        if isinstance(one, PodTemplate):
            made.count(one, numbers.get(one, 0))
    return made


@mendable(_mended)
def templates(cluster: Cluster) -> Templates:
    """The templates of the cluster."""
    return _of_all(cluster)
