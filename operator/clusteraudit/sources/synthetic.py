"""Pods that a workload's template would make, where the input holds none of them."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from clusteraudit.model.kinds import WORKLOADS, ref
from clusteraudit.model.rows import Key, PodRow, Ref, Row, WorkloadRow
from clusteraudit.sources.documents import JobDoc, ObjectDoc, WorkloadDoc

_HASH = "pod-template-hash"
_ENDS = ("Complete", "Failed")
MAX_PODS = 10_000
"""Of one workload: a manifest can ask for any number."""


class Recipe(msgspec.Struct, frozen=True, gc=False):
    """What the pods of a workload have beside its template."""

    start: int = 0
    """The ordinal of the first."""
    named: tuple[str, ...] = ()
    """Claims that they share."""
    each: tuple[str, ...] = ()
    """Claim templates, of which each pod has a claim."""
    ephemeral: tuple[str, ...] = ()
    """Generic ephemeral volumes."""
    ended: bool = False
    """A Job that makes no pod any more."""


PLAIN = Recipe()


def recipe(document: ObjectDoc) -> Recipe | None:
    """Of a workload's document, None where there is nothing beside the template.

    A claim template takes the place of a volume of its name (`stateful_set_utils.go`).
    """
    if not isinstance(document, WorkloadDoc) or document.spec.template is None:
        return None
    each = tuple(one.metadata.name for one in document.spec.volume_claim_templates)
    volumes = document.spec.template.spec.volumes
    claims = ((one.name, one.persistent_volume_claim) for one in volumes)
    made = Recipe(
        document.spec.ordinals.start,
        tuple(claim.claim_name for name, claim in claims if claim and name not in each),
        each,
        tuple(one.name for one in volumes if one.ephemeral is not None),
        _ended(document),
    )
    return None if made == PLAIN else made


def _ended(document: WorkloadDoc) -> bool:
    return isinstance(document, JobDoc) and any(
        one.type in _ENDS and one.status == "True" for one in document.status.conditions
    )


def synthetic_pods(
    rows: Mapping[str, Iterable[Row]], recipes: Mapping[tuple[str, Key], Recipe]
) -> Iterator[PodRow]:
    """Pods of every workload that nobody controls and that has none."""
    speaking = set(_with_pods(rows))
    for kind in WORKLOADS:
        for row in rows[kind]:
            if not isinstance(row, WorkloadRow) or row.owner is not None:
                continue
            if ref(kind, *row.key) not in speaking:
                yield from _pods(row, recipes.get((kind, row.key), PLAIN))


def _with_pods(rows: Mapping[str, Iterable[Row]]) -> Iterator[Ref]:
    """Workloads that own a pod, by way of others too, read or not."""
    owners = {
        ref(kind, *row.key): row.owner
        for kind in WORKLOADS
        for row in rows[kind]
        if isinstance(row, WorkloadRow)
    }
    for row in rows["Pod"]:
        if not isinstance(row, PodRow):
            continue
        owner = row.template.owner
        seen = set[Ref]()
        while owner is not None and owner not in seen:
            seen.add(owner)
            yield owner
            owner = owners[owner] if owner in owners else _deployment(owner, row)


def _deployment(owner: Ref, pod: PodRow) -> Ref | None:
    """Whose ReplicaSet this is, that was not read: its name is the Deployment's and a hash.

    Source: `getNewReplicaSet` in `pkg/controller/deployment/sync.go`; the pods carry the hash.
    """
    name, dash, tail = owner.name.rpartition("-")
    if owner.kind != "ReplicaSet" or not dash or pod.template.labels.get(_HASH) != tail:
        return None
    return ref("Deployment", owner.namespace, name)


def _pods(row: WorkloadRow, made: Recipe) -> Iterator[PodRow]:
    if row.template is None or made.ended:
        return
    wanted = 1 if row.replicas is None else max(0, row.replicas)
    for number in range(made.start, made.start + min(wanted, MAX_PODS)):
        name = f"{row.name}-{number}"
        yield PodRow(
            row.namespace,
            name,
            template=row.template,
            claims=tuple(_claims(name, row.name, number, made)),
            synthetic=True,
        )


def _claims(pod: str, workload: str, number: int, made: Recipe) -> Iterator[str]:
    yield from made.named
    yield from (f"{name}-{workload}-{number}" for name in made.each)
    yield from (f"{pod}-{name}" for name in made.ephemeral)
