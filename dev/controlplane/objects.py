"""Objects that tests write: nodes, and the usage that a metrics server would tell."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import yaml

Object: TypeAlias = dict[str, Any]

# KWOK stops playing a node that has this label: no more heartbeats, as if the machine were gone.
LOST_LABEL = "controlplane/lost"
# KWOK leaves the status of a pod with this annotation, of any value, to the test.
HOLD_ANNOTATION = "controlplane/hold"
METRICS = "metrics.k8s.io"
METRICS_VERSION = f"{METRICS}/v1beta1"


def yaml_text(*documents: Object) -> str:
    """Documents as one YAML text."""
    return yaml.safe_dump_all(documents, sort_keys=False)


def node(
    name: str,
    capacity: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    taints: Iterable[Object] = (),
) -> Object:
    """A node; without other words 8 cores, 32 GiB and 110 pods."""
    room = {"cpu": "8", "memory": "32Gi", "pods": "110", **(capacity or {})}
    standard = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**standard, **(labels or {})}},
        "spec": {"taints": list(taints)},
        "status": {"capacity": room, "allocatable": dict(room)},
    }


def is_ready(manifest: Object) -> bool:
    """Whether a node is ready, and open to pods as far as its controllers are concerned."""
    taints = manifest.get("spec", {}).get("taints", [])
    waiting = any(taint["key"].startswith("node.kubernetes.io/not-ready") for taint in taints)
    return has_condition(manifest, "Ready") and not waiting


def is_established(crd: Object) -> bool:
    """Whether the server serves the kind of a CustomResourceDefinition."""
    return has_condition(crd, "Established")


def has_condition(manifest: Object, kind: str, status: str = "True") -> bool:
    """Whether an object has a condition of this type and status."""
    conditions = manifest.get("status", {}).get("conditions") or []  # null until a controller came
    return any(each["type"] == kind and each["status"] == status for each in conditions)


def metrics_definition(plural: str, kind: str, scope: str) -> Object:
    """A definition that serves one kind of metrics.k8s.io, as kubectl top reads it."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1beta1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    # Groups below k8s.io are protected: an unreviewed definition has to say that it is one.
    approval = {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{METRICS}", "annotations": approval},
        "spec": {
            "group": METRICS,
            "scope": scope,
            "names": {"plural": plural, "singular": "", "kind": kind, "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


METRICS_DEFINITIONS = (
    metrics_definition("pods", "PodMetrics", "Namespaced"),
    metrics_definition("nodes", "NodeMetrics", "Cluster"),
)


def pod_usage(
    namespace: str, name: str, containers: Mapping[str, Mapping[str, str]], at: str
) -> Object:
    """What a pod uses by container (`{"app": {"cpu": "250m"}}`), at an RFC 3339 time."""
    usage = [{"name": container, "usage": dict(used)} for container, used in containers.items()]
    return {
        "apiVersion": METRICS_VERSION,
        "kind": "PodMetrics",
        "metadata": {"namespace": namespace, "name": name},
        "timestamp": at,
        "window": "30s",
        "containers": usage,
    }


def node_usage(name: str, usage: Mapping[str, str], at: str) -> Object:
    """What a node uses: `{"cpu": "3", "memory": "12Gi"}`, at an RFC 3339 time."""
    return {
        "apiVersion": METRICS_VERSION,
        "kind": "NodeMetrics",
        "metadata": {"name": name},
        "timestamp": at,
        "window": "30s",
        "usage": dict(usage),
    }
