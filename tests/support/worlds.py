"""Random clusters for the drill's oracle: each a world of its own within one control plane.

A world has its nodes, its zones and its namespace, and its pods select its nodes, so that many can
be tried at once: what takes a minute takes it for all of them together.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from controlplane.objects import HOLD_ANNOTATION, Object, node

Question = tuple[Literal["drain", "node", "zone"], Literal["unreachable", "deleted"] | None]
QUESTIONS: tuple[Question, ...] = (
    ("drain", None),
    ("node", "unreachable"),
    ("zone", "unreachable"),
    ("node", "deleted"),
    ("zone", "deleted"),
)
POOL = "example.com/world"
ZONE = "topology.kubernetes.io/zone"
PRIORITIES = {"low": -10, "high": 1000}


@dataclass
class World:
    """A world, and what is asked of it."""

    name: str
    question: Question
    objects: list[Object] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    """Workloads whose pods run and are not ready."""


def priorities() -> list[Object]:
    """The priority classes that worlds use."""
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    return [
        {**kind, "metadata": {"name": f"drill-{name}"}, "value": value}
        for name, value in PRIORITIES.items()
    ]


def world(name: str, seed: int, question: Question) -> World:
    """A world that depends on its seed alone."""
    dice = random.Random(f"{seed}-{question}")
    made = World(name, question)
    zones = [f"{name}-{letter}" for letter in "abc"[: dice.choice((1, 2, 2, 3))]]
    roomy = dice.random() < 0.5
    for number in range(dice.randint(3, 6)):
        cpu = dice.choice((6, 8, 12) if roomy else (2, 4, 4, 6))
        made.objects.append(_node(dice, name, number, zones[number % len(zones)], cpu))
    for number in range(dice.randint(3, 7)):
        made.objects += _workload(dice, made, f"w{number}", zones)
    made.objects += list(_budgets(dice, made))
    return made


def _node(dice: random.Random, world: str, number: int, zone: str, cpu: int) -> Object:
    taints = [{"key": "example.com/odd", "effect": "NoSchedule"}] if dice.random() < 0.15 else []
    labels = {POOL: world, ZONE: zone}
    return node(f"{world}-{number}", {"cpu": str(cpu), "memory": "16Gi"}, labels, taints)


_KINDS = ("Deployment",) * 4 + ("StatefulSet",) * 2 + ("ReplicaSet", "DaemonSet", "Pod", "Job")


def _workload(dice: random.Random, made: World, name: str, zones: list[str]) -> Iterator[Object]:
    kind = dice.choice(_KINDS)
    replicas = 1 if kind == "Pod" else dice.randint(1, 4)
    spec = _pod_spec(dice, made, name, kind)
    objects: list[Object] = []
    if kind != "DaemonSet" and dice.random() < 0.25:
        objects, claims = _volume(dice, made, name, zones)
        spec["volumes"] = [*spec.get("volumes", ()), *claims]
    if kind in {"Deployment", "StatefulSet", "ReplicaSet"} and dice.random() < 0.2:
        made.unready.append(name)
    held = kind == "Job" or name in made.unready
    yield from objects
    meta: Object = {"name": name, "namespace": made.name}
    yield _controller(dice, meta, kind, replicas, _template(name, spec, held=held))


def _template(name: str, spec: Object, *, held: bool) -> Object:
    annotations = {HOLD_ANNOTATION: "test"} if held else {}
    return {"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": spec}


def _pod_spec(dice: random.Random, made: World, name: str, kind: str) -> Object:
    cpu = f"{dice.choice((100, 250, 500, 1000, 1500, 2000))}m" if kind != "DaemonSet" else "50m"
    container = {"name": "main", "image": "app:1", "resources": {"requests": {"cpu": cpu}}}
    spec: Object = {
        "nodeSelector": {POOL: made.name},
        "containers": [container],
        "terminationGracePeriodSeconds": dice.choice((0, 5, 30)),
    }
    if dice.random() < 0.3:
        spec["tolerations"] = [{"key": "example.com/odd", "operator": "Exists"}]
    if kind not in {"DaemonSet", "Pod", "Job"} and dice.random() < 0.1:
        forever = {"key": "node.kubernetes.io/unreachable", "operator": "Exists"}
        spec["tolerations"] = [*spec.get("tolerations", ()), forever]
    if dice.random() < 0.25:
        spec["priorityClassName"] = f"drill-{dice.choice(sorted(PRIORITIES))}"
    if dice.random() < 0.2:
        spec["volumes"] = [{"name": "scratch", "emptyDir": {}}]
    selector = {"labelSelector": {"matchLabels": {"app": name}}}
    if dice.random() < 0.15:
        term = {**selector, "topologyKey": dice.choice(("kubernetes.io/hostname", ZONE))}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        spec["affinity"] = {dice.choice(("podAntiAffinity",) * 3 + ("podAffinity",)): required}
    elif dice.random() < 0.2:
        hard = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", **selector}
        spec["topologySpreadConstraints"] = [hard]
    return spec


def _controller(
    dice: random.Random, meta: Object, kind: str, replicas: int, template: Object
) -> Object:
    if kind == "Pod":
        return {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {**meta, **template["metadata"]},
            "spec": template["spec"],
        }
    spec: Object = {"template": template}
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
        spec |= {"parallelism": replicas, "completions": replicas}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": meta, "spec": spec}
    spec["selector"] = {"matchLabels": template["metadata"]["labels"]}
    if kind != "DaemonSet":
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["podManagementPolicy"] = dice.choice(("OrderedReady", "Parallel"))
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec}


def _volume(
    dice: random.Random, made: World, name: str, zones: list[str]
) -> tuple[list[Object], list[Object]]:
    """A claim that is bound to a volume of one zone, or of all: shared by the workload's pods."""
    mode = dice.choice(("ReadWriteOnce", "ReadWriteMany"))
    volume = f"{made.name}-{name}"
    affinity = {"key": ZONE, "operator": "In", "values": dice.sample(zones, 1)}
    terms = [{"matchExpressions": [affinity]}]
    if dice.random() < 0.3:
        terms = [{"matchExpressions": [{"key": POOL, "operator": "Exists"}]}]
    disk: Object = {
        "capacity": {"storage": "1Gi"},
        "accessModes": [mode],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "csi": {"driver": "disk.example.com", "volumeHandle": volume},
        "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        "claimRef": {"namespace": made.name, "name": name},
    }
    ask: Object = {
        "accessModes": [mode],
        "storageClassName": "",
        "volumeName": volume,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    pv = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}}
    pvc: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": made.name},
    }
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": name}}
    return [{**pv, "spec": disk}, {**pvc, "spec": ask}], [claim]


def _budgets(dice: random.Random, made: World) -> Iterator[Object]:
    names = [one["metadata"]["name"] for one in made.objects if one["kind"] in _KINDS]
    for name in names:
        for number in range(dice.choices((0, 1, 2), (0.4, 0.54, 0.06))[0]):
            yield _budget(dice, made.name, f"{name}-{number}", {"matchLabels": {"app": name}})
    if dice.random() < 0.05:
        yield _budget(dice, made.name, "everything", {})


def _budget(dice: random.Random, namespace: str, name: str, selector: Object) -> Object:
    field_name = dice.choice(("minAvailable", "maxUnavailable"))
    amounts = (0, 1, 1, 1, 2, "1%", "34%", "50%", "100%")
    spec: Object = {"selector": selector, field_name: dice.choice(amounts)}
    if dice.random() < 0.3:
        spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
