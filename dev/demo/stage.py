"""The rules' examples, put side by side into one real cluster.

Each example gets a namespace and a pool of nodes of its own, named after its rule, so that no
example moves another's answer. What controllers make (pods of a Deployment, its ReplicaSet, any
status) is left to them.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clusteraudit.rules.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clusteraudit.rules.kit import Example, Rule

Manifest = dict[str, Any]
POOL = "example.com/pool"
SHARED = ("kube-system",)
_TEMPLATED = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


def broken(rule: Rule) -> list[Manifest]:
    """The objects of the rule's first broken example, as a user would apply them."""
    example = next(one for one in rule.examples if one.finds)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": rule.name}}
    return [namespace, *_staged(rule.name, example.objects, _workloads(example))]


def mended(rule: Rule) -> list[Manifest]:
    """What mends it."""
    example = next(one for one in rule.examples if one.finds)
    return list(_staged(rule.name, example.mend, _workloads(example)))


def pooled(rule: Rule) -> Iterator[Manifest]:
    """The same example with all that controllers would have made of it, for a snapshot."""
    example = next(one for one in rule.examples if one.finds)
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": rule.name}}
    for one in example.objects:
        manifest: Manifest = copy.deepcopy(dict(one))
        kept = {key: manifest["metadata"].get(key) for key in ("ownerReferences", "generation")}
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
        {"code": rule.code, "settings": {"forSeconds": 0}}
        for rule in rules
        if "for_seconds" in rule.settings.model_fields and rule.name != "node-cordoned-long"
    ]


def _workloads(example: Example) -> set[str]:
    """Names of those whose pods the cluster's controllers will make."""
    objects: list[Manifest] = [*example.objects, *example.mend]
    return {one["metadata"]["name"] for one in objects if one["kind"] in _TEMPLATED[:3]}


def _staged(
    pool: str, manifests: Iterable[Mapping[str, object]], workloads: set[str]
) -> Iterator[Manifest]:
    objects: list[Manifest] = [copy.deepcopy(dict(one)) for one in manifests]
    for one in objects:
        if not _made_by_controllers(one, workloads):
            _place(one, pool)
            yield one


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
    if meta.get("namespace") not in {None, *SHARED}:
        meta["namespace"] = pool
    if kind in {"Node", "NodeMetrics", "PersistentVolume"}:
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
    meta["labels"] |= {POOL: pool, "kubernetes.io/hostname": meta["name"]}
    spec["taints"] = [*spec.get("taints", []), {"key": POOL, "value": pool, "effect": "NoSchedule"}]
    manifest["status"].pop("conditions", None)


def _spec(kind: str, spec: Manifest, pool: str) -> None:
    if kind == "Pod":
        _pod(spec, pool)
    elif kind in _TEMPLATED and "template" in spec:
        _pod(spec["template"]["spec"], pool)
    elif kind == "PersistentVolume" and "claimRef" in spec:
        spec["claimRef"]["namespace"] = pool
    elif kind == "PersistentVolumeClaim" and "volumeName" in spec:
        spec["volumeName"] = f"{pool}-{spec['volumeName']}"
    elif kind == "Service":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)


def _pod(spec: Manifest, pool: str) -> None:
    spec["nodeSelector"] = {**spec.get("nodeSelector", {}), POOL: pool}
    tolerations = spec.get("tolerations", [])
    spec["tolerations"] = [*tolerations, {"key": POOL, "operator": "Exists"}]
    node = spec.get("nodeName")
    if node == "dns-node":
        del spec["nodeName"]
    elif node:
        spec["nodeName"] = f"{pool}-{node}"
