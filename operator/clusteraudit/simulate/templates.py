"""What is known of the templates of a cluster's pods, found once of each."""

from collections.abc import Mapping
from typing import NamedTuple

from clusteraudit.model.cluster import Cluster, mendable
from clusteraudit.model.rows import PodTemplate
from clusteraudit.simulate.filters.kit import Shape, shape_of

KARPENTER, AUTOSCALER = "Karpenter", "cluster-autoscaler"
_NAMES = {"karpenter": KARPENTER, "cluster-autoscaler": AUTOSCALER}
_NAMING = ("app.kubernetes.io/name", "app", "k8s-app")

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


class Templates:
    """The templates of the pods that live, how many there are of each, and their shapes."""

    def __init__(
        self, numbers: Mapping[PodTemplate, int], before: "Templates | None" = None
    ) -> None:
        if before and len(before.shapes) > 2 * len(numbers) + _SPARE:
            before = None  # most of its shapes are gone
        self.shapes: dict[Shape, int] = dict(before.shapes) if before else {}
        """All that were seen, by number; some may have gone since."""
        old = before.known if before else {}
        self.known: dict[int, Known] = {
            id(one): old.get(id(one)) or self._find(one) for one in numbers
        }
        """By the template's identity, which is its own while it is held here."""
        self.numbers = tuple(numbers.values())
        """How many pods there are of each, in that order."""

    def _find(self, one: PodTemplate) -> Known:
        number = self.shapes.setdefault(shape_of(one), len(self.shapes))
        return Known(one, number, beyond(one), _maker(one))


def beyond(template: PodTemplate) -> tuple[str, ...]:
    """Filters that can refuse such a pod and that no class knows of, by the scheduler's names.

    They look at other pods, or at what the engine does not model.
    """
    return (*template.entangled, *template.unmodelled)


def _maker(template: PodTemplate) -> str:
    values = (template.labels.get(key) or "" for key in _NAMING)
    return next((_NAMES[end] for one in values for end in _NAMES if one.endswith(end)), "")


@mendable(lambda cluster, old, _: Templates(cluster.templates(), old))
def templates(cluster: Cluster) -> Templates:
    """The templates of the cluster."""
    return Templates(cluster.templates())
