"""The workload that room is measured by: classes of pods, and how frequent each is.

Pods that request the same and may run on the same nodes are one class (`Shape`). Requests of 0 are
no requests. Classes are ordered by frequency, then by what they are, so that the order of objects
changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec

from clusteraudit.model.cluster import Cluster, derived
from clusteraudit.model.kinds import ref
from clusteraudit.model.quantity import canonical
from clusteraudit.model.rows import SLOTS, Amounts, PodRow, PodTemplate, Ref, WorkloadRow
from clusteraudit.model.store import Change
from clusteraudit.simulate.filters.kit import Constraints, Shape, shape_of
from clusteraudit.simulate.templates import Basis, beyond, counts, templates


class Class(msgspec.Struct, frozen=True, gc=False):
    """A class of the workload."""

    name: str
    """What it requests, `cpu=500m,memory=1Gi`; `#2` and so on where constraints differ."""
    shape: Shape
    pods: int
    unmodelled: tuple[str, ...] = ()
    """Filters that could refuse some of its pods beyond what the class knows of."""


Workload = tuple[Class, ...]


@lru_cache(maxsize=4096)
def label_of(requests: Amounts) -> str:
    """`cpu=500m,memory=1Gi`, exactly; a pod that requests nothing still takes a slot."""
    asked = tuple((name, amount) for name, amount in requests if amount) or ((SLOTS, 1),)
    return ",".join(f"{name}={canonical(name, amount)}" for name, amount in asked)


@derived
def workload(cluster: Cluster, basis: Basis = "owned") -> Workload:
    """The cluster's own: pods that live, those that wait included; none that a DaemonSet made.

    `owned` are those with a controller, which would be made again; `all` adds bare pods. Static
    pods are of their node.
    """
    found = templates(cluster)
    return _classes(tuple(found.shapes), found.counted(basis))


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
        if counts(pod.template, "all") and not _told(pod.template.owner, workloads)
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


def classes(found: Iterable[tuple[PodTemplate, int]]) -> Workload:
    """Classes of templates and their numbers of pods, most frequent first."""
    shapes: dict[Shape, int] = {}
    counted = [
        (shapes.setdefault(shape_of(template), len(shapes)), beyond(template), number)
        for template, number in found
    ]
    return _classes(tuple(shapes), counted)


def _classes(
    shapes: Sequence[Shape], counted: Iterable[tuple[int, tuple[str, ...], int]]
) -> Workload:
    """Of shapes, by number, with what may refuse and how many pods: some of one shape."""
    pods = [0] * len(shapes)
    unmodelled: dict[int, set[str]] = {}
    for at, names, number in counted:
        pods[at] += max(0, number)
        if names and number > 0:
            unmodelled.setdefault(at, set()).update(names)
    order = sorted(
        (at for at, number in enumerate(pods) if number),
        key=lambda at: (-pods[at], shapes[at].requests, _text(shapes[at].constraints)),
    )
    return tuple(
        Class(name, shapes[at], pods[at], tuple(sorted(unmodelled.get(at, ()))))
        for name, at in zip(_names(shapes[at] for at in order), order, strict=True)
    )


@lru_cache(maxsize=1024)
def _text(constraints: Constraints) -> str:
    return str(constraints)


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
def owners(cluster: Cluster, shape: Shape) -> Mapping[Ref, int]:
    """How many pods each controller has of a shape of the cluster's own workload."""
    found, of = templates(cluster), dict[Ref, int]()
    at = found.shapes.get(shape)
    for one, number in found.numbers.items():
        owner = one.owner
        if found.known[one].shape == at and owner is not None and counts(one, "owned"):
            of[owner] = of.get(owner, 0) + number
    return of
