"""A claim gets no volume.

## What it looks at
Claims that have been Pending for longer than `forSeconds`, with their class and its provisioner. A
claim whose class waits for its first consumer counts from when the scheduler has chosen a node for
it; or, where the class makes no volumes, when a pod waits and none is free.

## Why it matters
A pod that names the claim cannot start, however much room there is.

## What to do
Make the class that it names, or name another in a new claim. Where the provisioner has made
nothing, `kubectl describe pvc` shows what it says, its own pods say why.

## When it stays silent
For claims that wait for a pod, before that time, and for claims of a file that no server has seen.
"""

from collections.abc import Iterator

from pydantic import Field

from clusteraudit.model import build
from clusteraudit.model.moments import rfc3339
from clusteraudit.model.rows import ClaimRow, StorageClassRow, VolumeRow
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    broken,
    found,
    rule,
    some,
    sound,
)
from clusteraudit.simulate.claims import NOBODY, Users, claim_users

_MAKES_NONE = "kubernetes.io/no-provisioner"


class ClaimPendingSettings(Settings):
    for_seconds: int = Field(
        300, ge=0, le=86_400, description="How long a claim may be Pending, in seconds."
    )


def _db(*volumes: build.Manifest, created: int = 600) -> tuple[build.Manifest, ...]:
    return (
        build.node("node-a"),
        build.storage_class("fast", "disk.example.com"),
        build.stateful_set("db", claim="data"),
        build.pod(
            "db-0",
            app="db",
            owner=build.owned_by("StatefulSet", "db"),
            unschedulable=600,
            claim="data",
        ),
        build.claim("data", storage_class="fast", created=created),
        *volumes,
    )


@rule(
    code="STO201",
    title="A claim gets no volume",
    subject="PersistentVolumeClaim",
    layer=Layer.STORAGE,
    failure=Failure.STATE,
    severity=Severity.HIGH,
    reads=("PersistentVolumeClaim", "StorageClass"),
    complete=("StorageClass",),
    uses=(
        "Pod",
        "PersistentVolume",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
    ),
    leads_to=("pod-pending",),
    message="{subject}: Pending since {since}: {why}{whom}.",
    remedy="{mend}; `kubectl describe pvc -n {namespace} {name}` shows what was tried.",
    since="0.1",
    settings=ClaimPendingSettings,
    examples=(
        broken(
            "nobody makes volumes of its class",
            _db(),
            mend=[
                build.claim("data", "disk-1", storage_class="fast"),
                build.volume("disk-1", "zone-a", "data", storage_class="fast"),
                build.node("node-a", zone="zone-a"),
            ],
        ),
        sound("it was made a minute ago", _db(created=60)),
        sound(
            "its class waits for a pod, and there is none",
            build.storage_class("fast", "disk.example.com", waits=True),
            build.claim("data", storage_class="fast", created=600),
        ),
    ),
)
def claim_pending(claim: Ref, cluster: Cluster, settings: ClaimPendingSettings) -> Iterator[Answer]:
    row = cluster.get(ClaimRow, claim)
    if row is None or row.phase != "Pending" or row.created is None:
        return
    users = claim_users(cluster, claim.namespace).get(claim.name, NOBODY)
    told = _why(cluster, row, users)
    if told is None or not cluster.older(row.created, settings.for_seconds):
        return
    why, mend = told
    yield found(
        claim,
        severity=Severity.HIGH if users.owners else Severity.MEDIUM,
        refs=users.owners,
        since=rfc3339(row.created),
        storageClass=row.storage_class,
        users=tuple(str(one) for one in users.owners[:5]),
        words={
            "why": why,
            "whom": f"; {some([str(one) for one in users.owners])} cannot start without it"
            if users.owners
            else "",
            "mend": mend,
            "namespace": claim.namespace,
            "name": claim.name,
        },
    )


def _why(cluster: Cluster, row: ClaimRow, users: Users) -> tuple[str, str] | None:
    """Why it gets none and what mends that; None where it waits for a pod, as it should."""
    if row.volume:
        return f"it is not bound to the volume {row.volume} that it names", (
            f"See with `kubectl get pv {row.volume}` whether it is there and free"
        )
    if not row.storage_class:
        return "it has no class, and no volume that is there fits it", (
            "Name a class in a new claim, or make a volume that fits"
        )
    made_by = cluster.find(StorageClassRow, "StorageClass", "", row.storage_class)
    if made_by is None:
        return f"its class {row.storage_class} does not exist", (
            f"Make StorageClass {row.storage_class}, or name another in a new claim"
        )
    return _unmade(cluster, row, made_by, users)


def _unmade(
    cluster: Cluster, row: ClaimRow, made_by: StorageClassRow, users: Users
) -> tuple[str, str] | None:
    by_hand = made_by.provisioner == _MAKES_NONE
    waits = made_by.binding_mode != "Immediate" and not row.selected
    if waits and not (by_hand and users.waiting and not _free(cluster, made_by.name)):
        return None
    if by_hand:
        return f"its class {made_by.name} makes no volumes, and none of it is free", (
            "Make a volume of that class that fits"
        )
    return f"{made_by.provisioner} has made no volume of class {made_by.name} for it", (
        f"See whether {made_by.provisioner} runs, and what it logs"
    )


def _free(cluster: Cluster, storage_class: str) -> bool:
    volumes = cluster.all(VolumeRow, "PersistentVolume")
    return any(one.storage_class == storage_class and one.phase == "Available" for one in volumes)
