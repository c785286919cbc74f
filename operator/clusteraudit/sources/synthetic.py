"""Pods that a workload's template would make, where the input holds none of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from clusteraudit.model.kinds import WORKLOADS, ref
from clusteraudit.model.rows import Key, PodRow, Ref, WorkloadRow
from clusteraudit.model.store import Change
from clusteraudit.sources.documents import JobDoc, ObjectDoc, WorkloadDoc
from clusteraudit.sources.pods import ephemeral_claims

_HASH = "pod-template-hash"
_ENDS = ("Complete", "Failed")
MAX_PODS = 10_000
"""Of one workload: a manifest can ask for any number."""


def synthetic_pods(
    changes: Sequence[Change], documents: Mapping[str, Mapping[Key, ObjectDoc]]
) -> list[Change]:
    """Pods of every workload that nobody controls and that has none."""
    speaking = set(_with_pods(changes))
    made = []
    for change in changes:
        row = change.row
        if change.kind in WORKLOADS and isinstance(row, WorkloadRow) and row.owner is None:
            document = documents[change.kind][change.key]
            if ref(change.kind, *change.key) not in speaking and isinstance(document, WorkloadDoc):
                made += [Change("Pod", pod.key, pod) for pod in _pods(row, document)]
    return made


def _with_pods(changes: Iterable[Change]) -> Iterator[Ref]:
    """Workloads that own a pod, by way of others too, read or not."""
    owners = {
        ref(change.kind, *change.key): change.row.owner
        for change in changes
        if isinstance(change.row, WorkloadRow)
    }
    for change in changes:
        if not isinstance(change.row, PodRow):
            continue
        owner = change.row.template.owner
        seen = set[Ref]()
        while owner is not None and owner not in seen:
            seen.add(owner)
            yield owner
            owner = owners[owner] if owner in owners else _deployment(owner, change.row)


def _deployment(owner: Ref, pod: PodRow) -> Ref | None:
    """Whose ReplicaSet this is, that was not read: its name is the Deployment's and a hash.

    Source: `getNewReplicaSet` in `pkg/controller/deployment/sync.go`; the pods carry the hash.
    """
    name, dash, tail = owner.name.rpartition("-")
    if owner.kind != "ReplicaSet" or not dash or pod.template.labels.get(_HASH) != tail:
        return None
    return ref("Deployment", owner.namespace, name)


def _pods(row: WorkloadRow, document: WorkloadDoc) -> Iterator[PodRow]:
    if row.template is None or document.spec.template is None or _ended(document):
        return
    start = document.spec.ordinals.start
    wanted = 1 if row.replicas is None else max(0, row.replicas)
    for number in range(start, start + min(wanted, MAX_PODS)):
        name = f"{row.name}-{number}"
        yield PodRow(
            row.namespace,
            name,
            template=row.template,
            claims=tuple(_claims(name, row.name, number, document)),
            synthetic=True,
        )


def _ended(document: WorkloadDoc) -> bool:
    """Whether it is a Job that makes no pod any more."""
    return isinstance(document, JobDoc) and any(
        one.type in _ENDS and one.status == "True" for one in document.status.conditions
    )


def _claims(pod: str, workload: str, number: int, document: WorkloadDoc) -> Iterator[str]:
    """A claim template takes the place of a volume of its name (`stateful_set_utils.go`)."""
    template = document.spec.template
    volumes = template.spec.volumes if template else []
    made = [claim.metadata.name for claim in document.spec.volume_claim_templates]
    for volume in volumes:
        if volume.persistent_volume_claim and volume.name not in made:
            yield volume.persistent_volume_claim.claim_name
    for name in made:
        yield f"{name}-{workload}-{number}"
    if template:
        yield from ephemeral_claims(pod, template.spec)
