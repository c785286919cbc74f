"""The rules' examples, put side by side into one real cluster.

Each example gets a namespace, zones and a pool of nodes of its own, named after its rule, so that
no example moves another's answer; and what every namespace and container is expected to have, so
that each shows its own fault only. What controllers make (pods of a Deployment, its ReplicaSet, any
status) is left to them; what a kubelet would say of a pod's containers is handed to KWOK.
"""

from __future__ import annotations

import copy
import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clusteraudit.model.build import NOW
from clusteraudit.model.moments import epoch, rfc3339
from clusteraudit.rules.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clusteraudit.rules.kit import Example, Rule

Manifest = dict[str, Any]
POOL = "example.com/pool"
PLAYED = "controlplane/status"
"""Annotation of a pod: the status that KWOK gives it (`controlplane/stages.yaml`)."""
KEPT = ("ownerReferences", "generation", "creationTimestamp")
"""Of metadata: what controllers or the server write, which a snapshot holds."""
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
SHARED = ("kube-system",)
UNASKING = "container-without-requests"
"""The rule whose example lives on what the others' containers are given."""
_ZONES = frozenset({"topology.kubernetes.io/zone", "topology.kubernetes.io/region"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TEMPLATED = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


def broken(rule: Rule) -> list[Manifest]:
    """The objects of the rule's first broken example, as a user would apply them."""
    example = _example(rule)
    staged = _staged(rule.name, example.objects, _workloads(example))
    return [*_railed(rule), *staged]


def _example(rule: Rule) -> Example:
    """The first that finds."""
    return next(one for one in rule.examples if one.finds)


def _railed(rule: Rule) -> Iterator[Manifest]:
    """The namespace of an example; as it should be, unless that is what the rule is about."""
    labels = {"owner": "demo", "pod-security.kubernetes.io/enforce": "privileged"}
    sound = rule.subject != "Namespace"
    if not sound and any(one["kind"] == "Namespace" for one in _example(rule).objects):
        return
    meta = {"name": rule.name, "labels": labels if sound else {}}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    if sound:
        yield {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "all-may-enter", "namespace": rule.name},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
        }


def mended(rule: Rule) -> list[Manifest]:
    """What mends it."""
    example = _example(rule)
    return list(_staged(rule.name, example.mend, _workloads(example)))


def pooled(rule: Rule) -> Iterator[Manifest]:
    """The same example with all that controllers would have made of it, for a snapshot."""
    example = _example(rule)
    yield from _railed(rule)
    for one in example.objects:
        manifest: Manifest = copy.deepcopy(dict(one))
        kept = {key: manifest["metadata"].get(key) for key in KEPT}
        status, timestamp = manifest.get("status"), manifest.get("timestamp")
        _place(manifest, rule.name)
        manifest["metadata"] |= {key: value for key, value in kept.items() if value}
        yield manifest | {
            key: value
            for key, value in (("status", status), ("timestamp", timestamp))
            if value is not None
        }


def everything() -> list[Manifest]:
    """Every rule's broken example, each object once."""
    found: dict[tuple[str, str, str], Manifest] = {}
    for rule in catalogue():
        for one in broken(rule):
            meta = one["metadata"]
            found.setdefault((one["kind"], meta.get("namespace", ""), meta["name"]), one)
    return list(found.values())


def eager(rules: Iterable[Rule]) -> list[Manifest]:
    """Tunings of a report's spec under which rules that wait do not."""
    return [
        {"code": rule.code, "settings": dict.fromkeys(_waits(rule), 0)}
        for rule in rules
        if _waits(rule) and rule.name != "node-cordoned-long"
    ]


def _waits(rule: Rule) -> list[str]:
    """Settings by which a rule waits."""
    named = {"for_seconds": "forSeconds", "provision_seconds": "provisionSeconds"}
    return [name for field, name in named.items() if field in rule.settings.model_fields]


def _workloads(example: Example) -> set[str]:
    """Names of those whose pods the cluster's controllers will make."""
    objects: list[Manifest] = [*example.objects, *example.mend]
    return {one["metadata"]["name"] for one in objects if one["kind"] in _TEMPLATED[:3]}


def _staged(
    pool: str, manifests: Iterable[Mapping[str, object]], workloads: set[str]
) -> Iterator[Manifest]:
    objects: list[Manifest] = [copy.deepcopy(dict(one)) for one in manifests]
    played = dict(_played(objects))
    for one in objects:
        if not _made_by_controllers(one, workloads):
            _play(one, played)
            _place(one, pool)
            yield one


def _played(objects: Iterable[Manifest]) -> Iterator[tuple[str, str]]:
    """What kubelets say of containers, by the workload or the pod whose they are."""
    for one in objects:
        status = one.get("status", {})
        if one["kind"] == "Pod" and "containerStatuses" in status:
            owners = one["metadata"].get("ownerReferences") or [one["metadata"]]
            text = json.dumps({"startTime": rfc3339(NOW), **status})
            yield owners[0]["name"].removesuffix("-1"), _TIME.sub(_now, text)


def _now(found: re.Match[str]) -> str:
    """A time as long ago as it is in the example."""
    return rfc3339(int(time.time()) - NOW + epoch(found[0]))


def _play(manifest: Manifest, played: Mapping[str, str]) -> None:
    told = played.get(manifest["metadata"]["name"])
    if told is None:
        return
    if manifest["kind"] == "Pod":
        manifest["metadata"]["annotations"] = {PLAYED: told}
    elif manifest["kind"] in _TEMPLATED:
        manifest["spec"]["template"]["metadata"]["annotations"] = {PLAYED: told}


def _made_by_controllers(manifest: Manifest, workloads: set[str]) -> bool:
    if manifest["kind"] in {"ReplicaSet", "EndpointSlice"}:
        return True
    owners = manifest["metadata"].get("ownerReferences", [])
    return any(one["name"].removesuffix("-1") in workloads for one in owners)


def _place(manifest: Manifest, pool: str) -> None:
    """Move an object into the namespace and onto the nodes of its example."""
    meta, kind = manifest["metadata"], manifest["kind"]
    meta.pop("ownerReferences", None)
    meta.pop("generation", None)
    meta.pop("creationTimestamp", None)
    if meta.get("namespace") not in {None, *SHARED}:
        meta["namespace"] = pool
    if kind == "Namespace" and meta["name"] not in SHARED:
        meta["name"] = pool
    if kind in {"Node", "NodeMetrics", "PersistentVolume", "StorageClass"}:
        meta["name"] = f"{pool}-{meta['name']}"
    if kind == "Node":
        _node(manifest, pool)
        return
    manifest.pop("status", None)
    if "timestamp" in manifest:
        manifest["timestamp"] = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    spec = manifest.get("spec", {})
    _spec(kind, spec, pool)


def _node(manifest: Manifest, pool: str) -> None:
    meta, spec = manifest["metadata"], manifest.setdefault("spec", {})
    zones = {key: f"{pool}-{one}" for key, one in meta["labels"].items() if key in _ZONES}
    meta["labels"] |= {POOL: pool, "kubernetes.io/hostname": meta["name"], **zones}
    spec["taints"] = [*spec.get("taints", []), {"key": POOL, "value": pool, "effect": "NoSchedule"}]
    said = manifest["status"].get("conditions", [])
    manifest["status"]["conditions"] = [one for one in said if one["type"] in PRESSURES]


def _spec(kind: str, spec: Manifest, pool: str) -> None:
    if kind == "Pod":
        _pod(spec, pool)
    elif kind in _TEMPLATED and "template" in spec:
        _pod(spec["template"]["spec"], pool)
    elif kind == "PersistentVolume":
        _volume(spec, pool)
    elif kind == "PersistentVolumeClaim":
        names = (one for one in ("volumeName", "storageClassName") if spec.get(one))
        spec.update({one: f"{pool}-{spec[one]}" for one in names})
    elif kind == "Service":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)


def _volume(spec: Manifest, pool: str) -> None:
    if "claimRef" in spec:
        spec["claimRef"]["namespace"] = pool
    if spec.get("storageClassName"):
        spec["storageClassName"] = f"{pool}-{spec['storageClassName']}"
    terms = spec.get("nodeAffinity", {}).get("required", {}).get("nodeSelectorTerms", [])
    for one in (one for term in terms for one in term["matchExpressions"]):
        if one["key"] in _ZONES:
            one["values"] = [f"{pool}-{zone}" for zone in one["values"]]


def _pod(spec: Manifest, pool: str) -> None:
    if pool != UNASKING:
        for container in spec["containers"]:
            requests = container.setdefault("resources", {}).setdefault("requests", {})
            container["resources"]["requests"] = {"cpu": "1m", "memory": "1Mi", **requests}
    spec["nodeSelector"] = {**spec.get("nodeSelector", {}), POOL: pool}
    tolerations = spec.get("tolerations", [])
    spec["tolerations"] = [*tolerations, {"key": POOL, "operator": "Exists"}]
    node = spec.get("nodeName")
    if node == "dns-node":
        del spec["nodeName"]
    elif node:
        spec["nodeName"] = f"{pool}-{node}"
