"""Pods that are resized in place: how much of a node the real scheduler thinks that they take.

`ORACLE_PODS` and `ORACLE_SEED` in the environment make it larger, and another one.
"""

import os
from collections.abc import Callable
from random import Random

from clusteraudit.model.quantity import MILLI
from clusteraudit.model.rows import amount_of
from controlplane import ControlPlane, Object, node
from controlplane.objects import HOLD_ANNOTATION, has_condition
from support.asking import pod, template

RESIZES = int(os.environ.get("ORACLE_PODS", "300")) // 25
SEED = int(os.environ.get("ORACLE_SEED", "1"))
CORES = 32


def resized(rng: Random, namespace: str, number: int) -> tuple[Object, Object]:
    """A pod on a node of its own, and a status in which a kubelet has not followed its spec."""

    def cpu() -> Object:
        return {"cpu": rng.choice(["500m", "1", "2", "3"])}

    def container(name: str, **more: str) -> Object:
        return {"name": name, "image": "x:1", "resources": {"requests": cpu()}, **more}

    apps = [container(f"a{n}") for n in range(rng.randint(1, 3))]
    inits = [container(f"i{n}", restartPolicy="Always") for n in range(rng.randint(0, 2))]
    if rng.random() < 0.5:
        inits.append(container("last"))
    whole = rng.random() < 0.3
    asks: Object = {"containers": apps, "initContainers": inits, "nodeName": f"resize-{number}"}
    if whole:
        asks["resources"] = {"requests": {"cpu": "16"}}
    status: Object = {"phase": "Running", "conditions": []}
    if rng.random() < 0.5:
        reason = rng.choice(["Infeasible", "Deferred"])
        status["conditions"] = [{"type": "PodResizePending", "status": "True", "reason": reason}]
    for field, containers in (("containerStatuses", apps), ("initContainerStatuses", inits)):
        status[field] = [said(rng, one["name"], cpu) for one in containers if rng.random() < 0.8]
    if whole and rng.random() < 0.7:
        status |= {"resources": {"requests": {"cpu": "15"}}, "allocatedResources": {"cpu": "17"}}
    sent = pod(namespace, f"resized-{number}", asks)
    sent["metadata"]["annotations"] = {HOLD_ANNOTATION: ""}
    return sent, status


def said(rng: Random, name: str, cpu: Callable[[], Object]) -> Object:
    found: Object = {"name": name, "image": "x:1", "imageID": "", "ready": True, "restartCount": 0}
    if rng.random() < 0.7:
        found["resources"] = {"requests": cpu()}
    if rng.random() < 0.7:
        found["allocatedResources"] = cpu()
    return found


def test_a_resized_pod_takes_as_much_as_the_scheduler_thinks(
    plane: ControlPlane, fresh: str, add_nodes: Callable[..., None]
) -> None:
    """Beside it a pod fits that asks for the rest of the node, and none that asks for more."""
    rng = Random(SEED)
    cases = [resized(rng, fresh, number) for number in range(RESIZES)]
    add_nodes(*(node(f"resize-{number}", {"cpu": str(CORES)}) for number in range(RESIZES)))
    plane.create(sent for sent, _ in cases)
    for sent, status in cases:
        plane.api.patch(sent, {"status": status}, "status")
    held = {one["metadata"]["name"]: one for one in plane.api.items("v1", "Pod", fresh)}
    rests = [
        CORES * MILLI - amount_of(template(held[sent["metadata"]["name"]]).requests, "cpu")
        for sent, _ in cases
    ]
    plane.create(beside(fresh, number, "over", rest + 1) for number, rest in enumerate(rests))
    plane.wait(lambda: ended(plane, fresh, "over"), what="pods that do not fit", timeout=60)
    plane.create(beside(fresh, number, "rest", rest) for number, rest in enumerate(rests))
    plane.wait(lambda: ended(plane, fresh, "rest"), what="pods that fit", timeout=60)
    placed = {one["metadata"]["name"] for one in of(plane, fresh, "rest") if on_a_node(one)}
    for number, case in enumerate(cases):
        assert f"rest-{number}" in placed, (SEED, rests[number], case)
    refused = [one for one in of(plane, fresh, "over") if not on_a_node(one)]
    assert len(refused) == RESIZES, (SEED, [one["metadata"]["name"] for one in refused])


def beside(namespace: str, number: int, label: str, milli: int) -> Object:
    asks = {"requests": {"cpu": f"{milli}m"}}
    selector = {"kubernetes.io/hostname": f"resize-{number}"}
    containers = [{"name": "c", "image": "x:1", "resources": asks}]
    sent = pod(namespace, f"{label}-{number}", {"containers": containers, "nodeSelector": selector})
    sent["metadata"]["labels"] = {"is": label}
    return sent


def of(plane: ControlPlane, namespace: str, label: str) -> list[Object]:
    return plane.api.items("v1", "Pod", namespace, f"labelSelector=is%3D{label}")


def on_a_node(one: Object) -> bool:
    return bool(one["spec"].get("nodeName"))


def ended(plane: ControlPlane, namespace: str, label: str) -> bool:
    """Whether the scheduler has decided on all of them."""
    pods = of(plane, namespace, label)
    decided = [one for one in pods if on_a_node(one) or has_condition(one, "PodScheduled", "False")]
    return len(decided) == RESIZES
