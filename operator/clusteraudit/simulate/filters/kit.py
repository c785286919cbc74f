"""What a filter is, and what it can say of a node.

A filter is asked once per pod, as the scheduler's PreFilter is, and gives the check to ask per
node; None where it has nothing to say of this pod. A refusal is sound: the node does not take it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from clusteraudit.model.kept import MOST, per_template
from clusteraudit.model.lately import Lately
from clusteraudit.model.rows import Amounts, NodeRow, PodRow, PodTemplate
from clusteraudit.model.selectors import NodeSelector, Requirement
from clusteraudit.model.tolerations import Toleration
from clusteraudit.simulate.columns import DOUBT, FITS, REFUSED, Amount, Columns, Levels
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a node does not take a pod; amounts in the resource's base unit, where it is of one."""

    filter: str
    """The scheduler's plugin."""
    reason: str
    """Stable, CamelCase, listed in the docs."""
    detail: str
    resource: str = ""
    requested: int | None = None
    free: int | None = None


_GISTS = {
    "PodAntiAffinity": "a pod is there that it keeps away from",
    "ExistingPodAntiAffinity": "a pod is there that keeps it away",
    "TopologySkew": "too many such pods are there already",
}


def gist(reason: str, detail: str) -> str:
    """A detail without the names that differ from node to node."""
    return _GISTS.get(reason, detail)


class Doubt(msgspec.Struct, frozen=True, gc=False):
    """A filter that cannot tell: what it would have to know."""

    filter: str
    missing: str


NOT_MODELLED = "NotModelled"

Answer = Refusal | Doubt
Each = Callable[[NodeInfo], Iterator[Answer]]


@dataclass(frozen=True, slots=True)
class Check:
    """What a filter says of one node with its reasons, and of all nodes without."""

    each: Each
    levels: Callable[[Columns], Levels] | None = None
    """None where a node must be asked by itself."""
    sorts: Callable[[Columns], Amount] | None = None
    """Nodes by number: of those of one number it says the same, but for names and amounts."""


Filter = Callable[[Snapshot, PodRow], Check | None]


class Constraints(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """What of a template decides by the node alone where it may run, whatever runs there."""

    node_selector: tuple[Requirement, ...] = ()
    node_affinity: NodeSelector | None = None
    tolerations: tuple[Toleration, ...] = ()
    node_name: str = ""
    features: tuple[str, ...] = ()


def constraints_of(template: PodTemplate) -> Constraints:
    """The constraints of a template, shared by all that are equal."""
    return Constraints(
        template.node_selector,
        template.node_affinity,
        template.tolerations,
        template.node_name,
        template.features,
    )


class Shape(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """What pods ask for, and where they may run: equal ones are one class."""

    requests: Amounts
    constraints: Constraints


_one = Lately(MOST).one
"""Of shapes: a new revision's pods mostly ask for what those of the last one did."""


@per_template
def shape_of(template: PodTemplate) -> Shape:
    """The shape of a template; a request of 0 is none.

    Without the tolerations that admission gives to every pod and no template has: they admit to no
    node, since where they matter the same taint is there as NoSchedule too.
    """
    asked = tuple((name, amount) for name, amount in template.requests if amount)
    chosen = tuple(one for one in template.tolerations if not _of_every_pod(one))
    made = constraints_of(template)
    return _one(Shape(asked, msgspec.structs.replace(made, tolerations=chosen)))


def _of_every_pod(one: Toleration) -> bool:
    """As the admission plugin DefaultTolerationSeconds adds it."""
    return one.key in _LOST and one.operator == "Exists" and one.effect == "NoExecute"


_LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")

NodeFilter = Callable[[Constraints, NodeRow], Iterator[Answer]]


def everywhere(*answers: Answer) -> Check:
    """The same answers of every node."""
    return Check(lambda _: iter(answers))


def level_of(said: Iterable[Answer]) -> int:
    """The level of a node of which this is said."""
    held = list(said)
    if any(isinstance(one, Refusal) for one in held):
        return REFUSED
    return DOUBT if held else FITS
