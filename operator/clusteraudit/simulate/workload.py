"""The workload that room is measured by: classes of pods, and how frequent each is.

Pods that request the same and may run on the same nodes are one class (`Shape`). Requests of 0 are
no requests. Classes are ordered by frequency, then by what they are, so that the order of objects
changes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.kinds import ref
from clusteraudit.model.quantity import canonical
from clusteraudit.model.rows import Amounts, PodRow, PodTemplate, Ref, WorkloadRow
from clusteraudit.model.store import Change
from clusteraudit.simulate.filters.kit import Shape, shape_of
from clusteraudit.simulate.snapshot import SLOTS

Basis = Literal["owned", "all"]


class Class(msgspec.Struct, frozen=True, gc=False):
    """A class of the workload."""

    name: str
    """What it requests, `cpu=500m,memory=1Gi`; `#2` and so on where constraints differ."""
    shape: Shape
    pods: int
    unmodelled: tuple[str, ...] = ()
    """Filters that could refuse some of its pods beyond what the class knows of."""


Workload = tuple[Class, ...]


def label_of(requests: Amounts) -> str:
    """`cpu=500m,memory=1Gi`, exactly; a pod that requests nothing still takes a slot."""
    asked = tuple((name, amount) for name, amount in requests if amount) or ((SLOTS, 1),)
    return ",".join(f"{name}={canonical(name, amount)}" for name, amount in asked)


def beyond(template: PodTemplate) -> tuple[str, ...]:
    """Filters that can refuse such a pod and that no class knows of, by the scheduler's names.

    They look at other pods, or at what the engine does not model.
    """
    return (*template.entangled, *template.unmodelled)


@derived
def workload(cluster: Cluster, basis: Basis = "owned") -> Workload:
    """The cluster's own: pods that live, those that wait included; none that a DaemonSet made.

    `owned` are those with a controller, which would be made again; `all` adds bare pods. Static
    pods are of their node.
    """
    return classes(
        (template, number)
        for template, number in cluster.templates().items()
        if _counts(template, basis)
    )


def _counts(template: PodTemplate, basis: Basis) -> bool:
    if template.static:
        return False
    return basis == "all" if template.owner is None else template.owner.kind != "DaemonSet"


def of_changes(changes: Iterable[Change]) -> Workload:
    """That of manifests: a workload counts its replicas, a pod that none of them owns itself."""
    rows = [change.row for change in changes]
    workloads = {ref(row.kind, *row.key): row for row in rows if isinstance(row, WorkloadRow)}
    found = [
        (row.template, row.replicas)
        for row in workloads.values()
        if row.template is not None and row.replicas is not None and not _told(row.owner, workloads)
    ]
    pods = (row for row in rows if isinstance(row, PodRow) and row.active and not row.synthetic)
    found += [
        (pod.template, 1)
        for pod in pods
        if _counts(pod.template, "all") and not _told(pod.template.owner, workloads)
    ]
    return classes(found)


def _told(owner: Ref | None, workloads: Mapping[Ref, WorkloadRow]) -> bool:
    """Whether an owner, or the owner of one, says how many pods there are."""
    seen = set[Ref]()
    while owner is not None and owner not in seen:
        seen.add(owner)
        row = workloads.get(owner)
        if row is not None and row.template is not None and row.replicas is not None:
            return True
        owner = row.owner if row else None
    return False


def classes(templates: Iterable[tuple[PodTemplate, int]]) -> Workload:
    """Classes of templates and their numbers of pods, most frequent first."""
    pods: dict[Shape, int] = {}
    unmodelled: dict[Shape, set[str]] = {}
    for template, number in templates:
        if number > 0:
            shape = shape_of(template)
            pods[shape] = pods.get(shape, 0) + number
            unmodelled.setdefault(shape, set()).update(beyond(template))
    order = sorted(pods, key=lambda one: (-pods[one], one.requests, str(one.constraints)))
    return tuple(
        Class(name, shape, pods[shape], tuple(sorted(unmodelled[shape])))
        for name, shape in zip(_names(order), order, strict=True)
    )


def _names(shapes: Iterable[Shape]) -> Iterable[str]:
    seen: dict[str, int] = {}
    for shape in shapes:
        label = label_of(shape.requests)
        seen[label] = seen.get(label, 0) + 1
        yield label if seen[label] == 1 else f"{label}#{seen[label]}"


def covering(whole: Workload, coverage: float) -> Workload:
    """The most frequent classes that make up at least this share of the pods."""
    wanted, kept, pods = coverage * sum(one.pods for one in whole), [], 0
    for one in whole:
        if pods >= wanted:
            break
        kept.append(one)
        pods += one.pods
    return tuple(kept)


@derived
def owners(cluster: Cluster) -> Mapping[Shape, Mapping[Ref, int]]:
    """How many pods each controller has of each shape of the cluster's own workload."""
    found: dict[Shape, dict[Ref, int]] = {}
    for template, number in cluster.templates().items():
        if template.owner is not None and _counts(template, "owned"):
            of_shape = found.setdefault(shape_of(template), {})
            of_shape[template.owner] = of_shape.get(template.owner, 0) + number
    return found
