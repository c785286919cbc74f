"""A template that is used again is the one that would be made anew, whatever of the pod differs.

It is known for as long as a pod has it.
"""

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from clusteraudit.model.quantity import QuantityError
from clusteraudit.model.rows import PodTemplate
from clusteraudit.model.selectors import SelectorError
from clusteraudit.sources.convert import owner
from clusteraudit.sources.documents import PodDoc
from clusteraudit.sources.feed import TranslateError
from clusteraudit.sources.pods import template_of
from clusteraudit.sources.twins import Twins

Path = tuple[Any, ...]
SELECTOR = {
    "matchLabels": {"app": "web"},
    "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}],
}
TERM = {
    "topologyKey": "zone",
    "labelSelector": SELECTOR,
    "namespaces": ["n", "m"],
    "namespaceSelector": SELECTOR,
    "matchLabelKeys": ["app"],
    "mismatchLabelKeys": ["tier"],
}
AMOUNTS = {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "1Gi"}
CONTAINER = {
    "name": "app",
    "resources": {"requests": AMOUNTS, "limits": {"memory": "2Gi"}},
    "ports": [{"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.1", "name": "http"}],
    "restartPolicy": "Always",
    "restartPolicyRules": [{"action": "RestartAllContainers"}],
    "volumeMounts": [{"bindMountOptions": ["rro"]}],
}
SAID = {
    "name": "app",
    "image": "registry.example.com/app:1",
    "restartCount": 1,
    "resources": {"requests": {"cpu": "600m"}, "limits": {"memory": "3Gi"}},
    "allocatedResources": {"cpu": "550m", "memory": "2Gi"},
    "lastState": {"terminated": {"reason": "OOMKilled", "finishedAt": "2026-01-01T00:00:00Z"}},
}
POD: dict[str, Any] = {
    "metadata": {
        "name": "web-1",
        "namespace": "n",
        "labels": {"app": "web", "tier": "a"},
        "annotations": {"kubernetes.io/config.mirror": "x"},
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": True}
        ],
    },
    "spec": {
        "nodeName": "node-a",
        "schedulerName": "mine",
        "terminationGracePeriodSeconds": 60,
        "priority": 5,
        "priorityClassName": "high",
        "preemptionPolicy": "Never",
        "hostNetwork": True,
        "hostUsers": False,
        "dnsPolicy": "Default",
        "nodeSelector": {"disk": "ssd"},
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "z", "operator": "In", "values": ["a"]}]}
                    ]
                }
            },
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]},
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]},
        },
        "tolerations": [
            {"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute"},
            {"operator": "Exists", "tolerationSeconds": 30},
        ],
        "topologySpreadConstraints": [
            {
                "topologyKey": "zone",
                "maxSkew": 2,
                "minDomains": 3,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": SELECTOR,
                "nodeAffinityPolicy": "Ignore",
                "nodeTaintsPolicy": "Honor",
                "matchLabelKeys": ["app"],
            }
        ],
        "schedulingGates": [{"name": "gate"}],
        "schedulingGroup": {},
        "resourceClaims": [{}],
        "containers": [CONTAINER],
        "initContainers": [{**CONTAINER, "name": "init"}],
        "overhead": {"cpu": "10m"},
        "resources": {"requests": {"cpu": "2"}, "limits": {"memory": "4Gi"}},
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}},
            {"name": "scratch", "ephemeral": {}},
            {"name": "tmp", "emptyDir": {}},
            {"name": "disk", "gcePersistentDisk": {"pdName": "d", "readOnly": True}},
            {"name": "rbd", "rbd": {"monitors": ["m"], "pool": "p", "image": "i"}},
            {"name": "old", "azureDisk": {}},
        ],
    },
    "status": {
        "phase": "Running",
        "qosClass": "Burstable",
        "nominatedNodeName": "node-b",
        "conditions": [
            {"type": "PodResizePending", "status": "True", "reason": "Infeasible"},
            {"type": "Ready", "status": "True"},
        ],
        "resources": {"requests": {"cpu": "3"}, "limits": {"memory": "5Gi"}},
        "allocatedResources": {"cpu": "2", "memory": "3Gi"},
        "containerStatuses": [SAID],
        "initContainerStatuses": [{**SAID, "name": "init"}],
    },
}


def plainer() -> dict[str, Any]:
    """Without amounts of the pod as a whole, before which its containers' do not count."""
    pod: dict[str, Any] = copy.deepcopy(POD)
    del pod["spec"]["resources"], pod["status"]["resources"]
    del pod["status"]["allocatedResources"], pod["status"]["conditions"]
    return pod


def unlabelled() -> dict[str, Any]:
    """Without terms that take values from its labels."""
    pod = plainer()
    del pod["spec"]["affinity"], pod["spec"]["topologySpreadConstraints"]
    return pod


PODS = {"whole": POD, "by container": plainer(), "unlabelled": unlabelled()}


def places(value: object, path: Path = ()) -> Iterator[Path]:
    """Every part of it."""
    if path:
        yield path
    for key, part in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        yield from places(part, (*path, key))


def without(pod: dict[str, Any], path: Path) -> dict[str, Any]:
    changed = copy.deepcopy(pod)
    del at(changed, path[:-1])[path[-1]]
    return changed


def other(pod: dict[str, Any], path: Path) -> dict[str, Any]:
    """With another value there; an object or a list has one more of what it holds."""
    changed = copy.deepcopy(pod)
    inside = at(changed, path[:-1])
    inside[path[-1]] = another(inside[path[-1]])
    return changed


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return _OTHERS.get(value, value + "1" if value[-1:].isalpha() else "7")
        case list():
            return [*value, *copy.deepcopy(value[-1:])]
        case _:
            return {**value, "example.com/more": "1"}


_OTHERS = {
    "Always": "Never",
    "Never": "Always",
    "In": "NotIn",
    "Infeasible": "Deferred",
    "DoNotSchedule": "ScheduleAnyway",
    "Honor": "Ignore",
    "Ignore": "Honor",
    "1Gi": "2Gi",
    "2Gi": "9Gi",
    "3Gi": "8Gi",
    "4Gi": "7Gi",
    "5Gi": "6Gi",
}


def made(document: PodDoc, twins: Twins | None = None) -> PodTemplate | str:
    """By memory, or anew; or why there is none."""
    controller = owner(document.metadata)
    try:
        if twins is None:
            return template_of(document, controller)
        return twins.template(document, controller, lambda: template_of(document, controller))
    except (QuantityError, SelectorError, TranslateError) as error:
        return str(error)


def read(pod: object) -> PodDoc:
    return msgspec.json.decode(msgspec.json.encode(pod), type=PodDoc)


@pytest.mark.parametrize("pod", PODS.values(), ids=PODS)
@pytest.mark.parametrize("change", [without, other])
def test_whatever_of_a_pod_differs(change: Any, pod: dict[str, Any]) -> None:
    first = read(pod)
    apart = 0
    for path in places(pod):
        try:
            second = read(change(pod, path))
        except msgspec.ValidationError:  # no pod any more
            continue
        twins = Twins()
        held = made(first, twins)
        assert held == made(first)
        assert made(second, twins) == made(second), path
        apart += made(second) != made(first)
    assert apart > 20, "the changes do change templates"


def test_pods_that_differ_in_name_node_and_claim_share_one() -> None:
    twins, second = Twins(), copy.deepcopy(POD)
    second["metadata"]["name"] = "web-2"
    second["spec"]["nodeName"] = "node-c"
    second["spec"]["volumes"][0] = {
        "name": "other",
        "persistentVolumeClaim": {"claimName": "data-web-2"},
    }
    first = made(read(POD), twins)
    assert made(read(second), twins) is first


def test_one_that_ran_is_known_again_after_one_that_waits() -> None:
    """Of both is the same template made; a model may hold either."""
    running, waiting = copy.deepcopy(plainer()), plainer()
    waiting["status"]["containerStatuses"] = waiting["status"]["initContainerStatuses"] = []
    del running["status"]["containerStatuses"][0]["resources"]
    del running["status"]["containerStatuses"][0]["allocatedResources"]
    del running["status"]["initContainerStatuses"][0]["resources"]
    del running["status"]["initContainerStatuses"][0]["allocatedResources"]
    twins = Twins()
    held = made(read(waiting), twins)
    assert made(read(running), twins) is held
    assert made(read(running), twins) is held
    assert times(read(running), twins) == times(read(waiting), twins) == 0


def test_what_no_pod_has_any_more_is_forgotten() -> None:
    twins = Twins()
    held = made(read(POD), twins)
    assert times(read(POD), twins) == 0
    del held
    assert times(read(POD), twins) == 1
    assert not twins._held
    assert not twins._lately


def times(document: PodDoc, twins: Twins) -> int:
    """How many templates are made of it."""
    asked = []

    def make() -> PodTemplate:
        asked.append(document)
        return template_of(document, owner(document.metadata))

    twins.template(document, owner(document.metadata), make)
    return len(asked)


@pytest.mark.parametrize("held", [True, False])
def test_no_more_are_held_than_allowed(held: bool) -> None:
    twins, holding = Twins(most=15), []
    for number in range(40):
        pod = copy.deepcopy(POD)
        pod["metadata"]["ownerReferences"][0]["name"] = f"web-{number}"
        template = made(read(pod), twins)
        assert template == made(read(pod))
        holding += [template] if held else []
    assert len(twins._held) <= 15
    assert len(twins._lately) <= 3
