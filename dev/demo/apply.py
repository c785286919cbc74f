"""Applying staged objects to a real cluster, nodes' status included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from demo.stage import POOL, PRESSURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controlplane import Cluster
    from demo.stage import Manifest

_LAST = ("Deployment", "StatefulSet", "DaemonSet", "Job")
"""Their pods take the room that other objects leave them."""


_IMMUTABLE = ("StorageClass",)
"""Their fields cannot be changed: made anew, as a user would."""


def apply(cluster: Cluster, manifests: Iterable[Manifest]) -> None:
    """Create or change the objects: namespaces and nodes first, so that pods find them."""
    objects = list(manifests)
    there = {one["metadata"]["name"] for one in cluster.api.items("v1", "Node")}
    namespaces = {one["metadata"]["name"] for one in cluster.api.items("v1", "Namespace")}
    for one in objects:
        if one["kind"] == "Namespace":
            _namespace(cluster, one, namespaces)
    nodes = [one for one in objects if one["kind"] == "Node"]
    new = [one for one in nodes if one["metadata"]["name"] not in there]
    cluster.add_nodes([one for one in new if not one["spec"].get("unschedulable")])
    _add_cordoned(cluster, [one for one in new if one["spec"].get("unschedulable")])
    for one in new:
        _report_pressure(cluster, one)
    for one in nodes:
        if one["metadata"]["name"] in there:
            _change_node(cluster, one)
    rest = [one for one in objects if one["kind"] not in {"Namespace", "Node"}]
    cluster.delete([one for one in rest if one["kind"] in _IMMUTABLE])
    cluster.apply([one for one in rest if one["kind"] not in _LAST])
    cluster.apply([one for one in rest if one["kind"] in _LAST])


def _namespace(cluster: Cluster, manifest: Manifest, there: set[str]) -> None:
    """Create it, or add to its labels."""
    name, labels = manifest["metadata"]["name"], manifest["metadata"].get("labels") or {}
    if name not in there:
        cluster.add_namespace(name, labels)
        there.add(name)
    elif labels:
        cluster.api.patch(manifest, {"metadata": {"labels": labels}})


def _add_cordoned(cluster: Cluster, nodes: list[Manifest]) -> None:
    """A node that is born cordoned would never count as open to pods: cordon it afterwards."""
    opened = [{**one, "spec": {"taints": _pool_taint(one)}} for one in nodes]
    cluster.add_nodes(opened)
    for one in nodes:
        _change_node(cluster, one)


def _pool_taint(node: Manifest) -> list[Manifest]:
    return [taint for taint in node["spec"]["taints"] if taint["key"] == POOL]


def _change_node(cluster: Cluster, node: Manifest) -> None:
    name, spec = node["metadata"]["name"], node["spec"]
    wanted = {"unschedulable": spec.get("unschedulable"), "taints": spec["taints"]}
    room = {key: node["status"][key] for key in ("allocatable", "capacity")}
    _patch(cluster, name, {"metadata": {"labels": node["metadata"]["labels"]}, "spec": wanted})
    _patch(cluster, name, {"status": room}, "--subresource=status")
    _report_pressure(cluster, node)


def _report_pressure(cluster: Cluster, node: Manifest) -> None:
    """KWOK reports none when a node gets ready; where the example has some, it comes after that."""
    name, said = node["metadata"]["name"], node["status"].get("conditions", [])
    true = {one["type"] for one in said}
    there = cluster.api.get("v1", "Node", name)["status"]["conditions"]
    conditions = [
        {**one, "status": "True" if one["type"] in true else "False"}
        if one["type"] in PRESSURES
        else one
        for one in there
    ]
    if conditions != there:
        cluster.api.patch(node, {"status": {"conditions": conditions}}, "status")


def _patch(cluster: Cluster, name: str, change: Manifest, *more: str) -> None:
    cluster.kubectl("patch", "node", name, "--type=merge", "-p", json.dumps(change), *more)
