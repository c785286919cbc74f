"""The API server takes the made cluster for one of its own, though etcd was filled past it."""

import asyncio
import json
from collections import Counter
from functools import partial
from typing import Any

import pytest

from controlplane import ApiError, ControlPlane
from controlplane.components import API_SERVER, ETCD
from controlplane.objects import METRICS_VERSION
from controlplane.ports import free_port
from scale.churn import Life
from scale.cluster import Cluster
from scale.manifests import everything
from scale.sizes import Size
from scale.stand import Stand, stand
from scale.usage import registration
from support.cli import call

KINDS = {
    "v1": ("Node", "Pod", "Namespace", "Service", "PersistentVolumeClaim", "PersistentVolume"),
    "apps/v1": ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "policy/v1": ("PodDisruptionBudget",),
    "discovery.k8s.io/v1": ("EndpointSlice",),
    "storage.k8s.io/v1": ("StorageClass", "CSINode"),
    "batch/v1": ("Job",),
}
ODD = {
    "Node": "minions",
    "StorageClass": "storageclasses",
    "NetworkPolicy": "networkpolicies",
}


def folder(kind: str) -> str:
    """Where etcd has objects of a kind."""
    return ODD.get(kind, f"{kind.lower()}s")


def refused(standing: Stand, made: dict[str, Any]) -> str:
    """Why the server would not take the object as an update of what it holds; empty if it would."""
    api = standing.plane.api
    try:
        api.request("PUT", f"{api.object_path(made)}?dryRun=All", made)
    except ApiError as error:
        return str(error)
    return ""


def names(standing: Stand, version: str, kind: str) -> set[tuple[str, str]]:
    """Namespaces and names of all of a kind."""
    metas = (one["metadata"] for one in standing.plane.api.items(version, kind))
    return {(meta["namespace"], meta["name"]) for meta in metas}


async def test_all_that_was_written_is_served_and_valid() -> None:
    cluster = Cluster(Size(400))
    written = Counter(key.split("/")[0] for key, _ in everything(cluster, "2026-11-01T00:00:00Z"))
    async with stand(cluster, with_usage=True) as standing:
        api = standing.plane.api
        for version, kinds in KINDS.items():
            for kind in kinds:
                items = await asyncio.to_thread(api.items, version, kind)
                wanted = cluster.pods if kind == "Pod" else written[folder(kind)]
                assert len(items) >= wanted > 0, kind
                for one in items[:2]:
                    made = {"apiVersion": version, "kind": kind, **one}
                    assert await asyncio.to_thread(refused, standing, made) == "", json.dumps(made)
        there = await asyncio.to_thread(names, standing, "v1", "Pod")
        used = await asyncio.to_thread(names, standing, METRICS_VERSION, "PodMetrics")
        assert used <= there
        assert len(used) > 0.8 * cluster.pods

        await Life(cluster, standing.etcd, standing.now, standing.states).restart(rate=1000)
        await asyncio.to_thread(standing.plane.wait, partial(follows, standing), 30, "the pods")


def follows(standing: Stand) -> bool:
    """Whether usage is told of pods that are there."""
    used = names(standing, METRICS_VERSION, "PodMetrics")
    return bool(used) and used <= names(standing, "v1", "Pod")


def test_without_its_metrics_server_a_cluster_is_scanned_all_the_same() -> None:
    with ControlPlane(components=(ETCD, API_SERVER)) as plane:
        plane.apply(registration(free_port()))
        plane.wait(lambda: broken(plane), what="usage to be unavailable")
        said = call("scan", "-o", "json", env={"KUBECONFIG": str(plane.kubeconfig)})

    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["inputs"]["unread"] == [
        {"kind": kind, "reason": "Unavailable"} for kind in ("NodeMetrics", "PodMetrics")
    ]


def broken(plane: ControlPlane) -> bool:
    """Whether the API server knows of a metrics-server, and that it does not answer."""
    try:
        plane.api.items(METRICS_VERSION, "NodeMetrics")
    except ApiError as error:
        return error.status == 503
    return False


pytestmark = pytest.mark.slow
