"""Pods that a workload's template would make, where the input holds none of them."""

from collections.abc import Sequence

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.model.rows import PodRow
from support.clusters import changes_of

META = {"namespace": "shop"}
TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "example.com/app:1"}]}}


def made(objects: Sequence[Manifest]) -> list[str]:
    rows = (change.row for change in changes_of(objects))
    return sorted(row.name for row in rows if isinstance(row, PodRow) and row.synthetic)


def job(condition: str = "", **spec: object) -> Manifest:
    conditions = [{"type": condition, "status": "True"}] if condition else []
    return build.thing(
        "batch/v1",
        "Job",
        "import",
        "shop",
        spec={"parallelism": 2, "template": TEMPLATE, **spec},
        status={"conditions": conditions},
    )


def of_set(name: str, generation: str) -> Manifest:
    """A pod of a ReplicaSet that is not in the input."""
    metadata = {
        "labels": {"pod-template-hash": generation},
        "ownerReferences": build.owned_by("ReplicaSet", name),
    }
    return {**build.pod(f"{name}-x", on="a"), "metadata": {**META, "name": f"{name}-x", **metadata}}


def test_a_workload_alone_is_seen_through_its_pods() -> None:
    assert made([build.deployment("web", replicas=2)]) == ["web-0", "web-1"]


def test_a_workload_that_has_pods_gets_none() -> None:
    web = [build.deployment("web", replicas=2), build.replica_set("web")]
    assert made([*web, *build.pods_of("web", 1, on="a")]) == []


@pytest.mark.parametrize(
    ("condition", "spec", "count"),
    [
        ("", {}, 2),
        ("Complete", {}, 0),
        ("Failed", {}, 0),
        ("SuccessCriteriaMet", {}, 2),
        ("", {"suspend": True}, 0),
    ],
)
def test_a_job_that_has_ended_makes_no_pod(
    condition: str, spec: dict[str, object], count: int
) -> None:
    assert len(made([job(condition, **spec)])) == count


def test_pods_speak_for_a_deployment_whose_replica_set_was_not_read() -> None:
    web = build.deployment("web", replicas=2)
    assert made([web, of_set("web-5d4f", "5d4f")]) == []
    assert made([web, of_set("web-5d4f", "9999")]) == ["web-0", "web-1"]
    assert made([web, of_set("api-5d4f", "5d4f")]) == ["web-0", "web-1"]
