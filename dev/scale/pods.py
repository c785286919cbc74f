"""Pods as a cluster has them: 8 to 12 kB of JSON, of which half is managedFields.

What the pods of a workload share is made once and serialised with marks, which each pod replaces.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scale.cluster import Workload, node_name
from scale.fields import managed

if TYPE_CHECKING:
    from scale.etcd import Put

Object = dict[str, Any]
REGISTRY = "registry.example.com"
_KEPT = 2_000
"""Texts that are kept: each is 10 kB."""
_SETTINGS = 10
"""Environment variables of a container."""


@dataclass(frozen=True)
class State:
    """What changes of a pod while it lives."""

    revision: int = 0
    """Of the template: a rolling restart makes a new one."""
    life: int = 0
    """How often it was made anew."""
    ready: bool = True
    restarts: int = 0


NEW = State()


class Pods:
    """Pods of one cluster, as what is written of them; `now` as RFC 3339."""

    def __init__(self, now: str) -> None:
        self._now = now
        self._texts: dict[tuple[int, int, bool, bool], str] = {}

    def put(self, workload: Workload, at: int, state: State = NEW) -> Put:
        """A pod as it is in this state."""
        name = workload.pod(at, state.revision, state.life)
        key = f"pods/{workload.namespace}/{name}"
        node = workload.nodes[at]
        text = self._text(workload, state, waits=node is None)
        there = node_name(node) if node is not None else ""
        marks = {
            "@name": name,
            "@uid": uid(key, state.life),
            "@node": there,
            "@ip": f"10.{128 + (at & 63)}.{workload.number & 255}.{at & 255}",
            "@host": f"10.0.{(node or 0) >> 8}.{(node or 0) & 255}",
            "@claim": f"data-{name}",
            "@index": str(at),
            "@token": uid(key)[:5],
            "@count": str(state.restarts),
        }
        for mark, value in marks.items():
            text = text.replace(mark, value)
        return key, text.encode()

    def gone(self, workload: Workload, at: int, state: State) -> Put:
        """A pod that is deleted."""
        return f"pods/{workload.namespace}/{workload.pod(at, state.revision, state.life)}", None

    def _text(self, workload: Workload, state: State, *, waits: bool) -> str:
        key = (workload.number, state.revision, state.ready, waits)
        if key not in self._texts:
            if len(self._texts) >= _KEPT:
                self._texts.clear()
            self._texts[key] = json.dumps(
                _pod(workload, state, self._now, waits=waits), separators=(",", ":")
            ).replace('"@count"', "@count")
        return self._texts[key]


def uid(key: str, life: int = 0) -> str:
    """The uid of an object; always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{key}/{life}"))


def labels_of(workload: Workload) -> dict[str, str]:
    """Labels of its pods, as charts give them."""
    return {
        "app.kubernetes.io/name": workload.name,
        "app.kubernetes.io/instance": f"{workload.namespace}-{workload.name}",
        "app.kubernetes.io/component": "server",
        "app.kubernetes.io/part-of": workload.namespace,
        "app.kubernetes.io/version": f"1.{workload.number % 30}.0",
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": f"service-4.{workload.number % 9}.1",
        "cost-center": f"cc-{workload.number % 50:04}",
    }


def owner_reference(workload: Workload, revision: int) -> Object:
    """Of a pod to its controller."""
    kind = "ReplicaSet" if workload.replicated else workload.kind
    name = workload.owner(revision)
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "name": name,
        "uid": uid(f"{plural}/{workload.namespace}/{name}"),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _pod(workload: Workload, state: State, now: str, *, waits: bool) -> Object:
    owner = owner_reference(workload, state.revision)
    meta: Object = {
        "name": "@name",
        "generateName": f"{owner['name']}-",
        "namespace": workload.namespace,
        "uid": "@uid",
        "creationTimestamp": now,
        "labels": {**labels_of(workload), **_own_labels(workload, state)},
        "annotations": {
            "checksum/config": f"{workload.number:064x}",
            "prometheus.io/scrape": "true",
            "prometheus.io/port": "9090",
            "kubectl.kubernetes.io/restartedAt": now,
        },
        "ownerReferences": [owner],
    }
    spec = spec_of(workload)
    if not waits:
        spec["nodeName"] = "@node"
    status = _waiting(now) if waits else _status(workload, state, now)
    entries = [managed("kube-controller-manager", {"metadata": meta, "spec": spec}, now)]
    entries += [managed("kubelet", {"status": status}, now, "status")]
    meta["managedFields"] = entries
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def _own_labels(workload: Workload, state: State) -> dict[str, str]:
    """Those that its controller adds."""
    revision = f"{workload.number:05x}{state.revision:03x}"
    if workload.kind == "Deployment":
        return {"pod-template-hash": revision}
    if workload.kind == "Job":
        return {"batch.kubernetes.io/job-name": workload.name}
    named = {"controller-revision-hash": f"{workload.name}-{revision}"}
    if workload.kind == "StatefulSet":
        named["statefulset.kubernetes.io/pod-name"] = "@name"
        named["apps.kubernetes.io/pod-index"] = "@index"
    return named


def spec_of(workload: Workload) -> Object:
    """The spec of its pods, before they have a node."""
    names = ["app", "mesh-proxy"] if workload.sidecar else ["app"]
    volumes: list[Object] = [
        {"name": "config", "configMap": {"name": f"{workload.name}-config", "defaultMode": 420}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "kube-api-access-@token", "projected": _TOKEN},
    ]
    if workload.claims:
        volumes.append({"name": "data", "persistentVolumeClaim": {"claimName": "@claim"}})
    agent = workload.kind == "DaemonSet"
    spec: Object = {
        "containers": [_container(workload, name) for name in names],
        "volumes": volumes,
        "restartPolicy": "Never" if workload.kind == "Job" else "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": workload.name,
        "serviceAccount": workload.name,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532},
        "schedulerName": "default-scheduler",
        "tolerations": _EVERYWHERE if agent else _USUAL,
        "priority": 2_000_001_000 if agent else 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    if agent:
        spec["priorityClassName"] = "system-node-critical"
    return spec | _preferences(workload)


def _preferences(workload: Workload) -> Object:
    """Where its pods like to be: a third says nothing."""
    selector = {"matchLabels": {"app.kubernetes.io/name": workload.name}}
    if workload.kind == "DaemonSet" or workload.number % 3 == 0:
        return {}
    if workload.number % 3 == 1:
        spread = {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": selector,
        }
        return {"topologySpreadConstraints": [spread]}
    apart = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
    preferred = [{"weight": 100, "podAffinityTerm": apart}]
    linux = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    terms = [{"matchExpressions": [linux]}]
    return {
        "affinity": {
            "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred},
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}
            },
        }
    }


def _container(workload: Workload, name: str) -> Object:
    main = name == "app"
    cpu, memory = (workload.cpu, workload.memory) if main else (10, 32)
    probe = {
        "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
        "initialDelaySeconds": 5,
        "timeoutSeconds": 2,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    mounts = [
        {"name": "config", "mountPath": "/etc/app", "readOnly": True},
        {"name": "tmp", "mountPath": "/scratch"},
        {
            "name": "kube-api-access-@token",
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            "readOnly": True,
        },
    ]
    if main and workload.claims:
        mounts.append({"name": "data", "mountPath": "/data"})
    return {
        "name": name,
        "image": image_of(workload, name),
        "args": ["--config=/etc/app/config.yaml", "--listen=:8080", "--log-format=json"],
        "ports": [{"name": "http", "containerPort": 8080 if main else 15001, "protocol": "TCP"}],
        "env": _environment(workload) if main else [],
        "resources": {
            "requests": {"cpu": f"{cpu}m", "memory": f"{memory}Mi"},
            "limits": {"memory": f"{2 * memory}Mi"},
        },
        "volumeMounts": mounts,
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _environment(workload: Workload) -> list[Object]:
    where = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
    named: list[Object] = [{"name": "POD_NAME", "valueFrom": where}]
    return named + [
        {"name": f"SETTING_{number:02}", "value": f"{workload.name}-value-of-setting-{number:02}"}
        for number in range(_SETTINGS)
    ]


def image_of(workload: Workload, container: str) -> str:
    """The image of a container."""
    tag = f"1.{workload.number % 30}.0"
    return f"{REGISTRY}/{workload.namespace}/{workload.name}/{container}:{tag}"


def _waiting(now: str) -> Object:
    return {
        "phase": "Pending",
        "qosClass": "Burstable",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0 nodes are available: insufficient cpu.",
                "lastTransitionTime": now,
            }
        ],
    }


def _status(workload: Workload, state: State, now: str) -> Object:
    done = workload.kind == "Job"
    ready = state.ready and not done
    word = "True" if ready else "False"
    states = {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": word,
        "ContainersReady": word,
        "PodScheduled": "True",
    }
    names = ["app", "mesh-proxy"] if workload.sidecar else ["app"]
    return {
        "phase": "Succeeded" if done else "Running",
        "qosClass": "Burstable",
        "hostIP": "@host",
        "hostIPs": [{"ip": "@host"}],
        "podIP": "@ip",
        "podIPs": [{"ip": "@ip"}],
        "startTime": now,
        "conditions": [
            {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": now}
            for kind, status in states.items()
        ],
        "containerStatuses": [
            _container_status(workload, name, now, ready=ready, done=done) for name in names
        ],
    }


def _container_status(
    workload: Workload, name: str, now: str, *, ready: bool, done: bool
) -> Object:
    run: Object = {"running": {"startedAt": now}}
    digest = f"sha256:{workload.number:064x}"
    if done:
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}
        run = {"terminated": {**ended, "containerID": f"containerd://{workload.number:064x}"}}
    return {
        "name": name,
        "image": image_of(workload, name),
        "imageID": f"{REGISTRY}/{workload.name}@{digest}",
        "containerID": f"containerd://{workload.number:064x}",
        "ready": ready,
        "started": not done,
        "restartCount": "@count",
        "state": run,
        "lastState": {},
    }


_TOKEN = {
    "defaultMode": 420,
    "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
    ],
}
_USUAL = [
    {
        "key": f"node.kubernetes.io/{why}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for why in ("not-ready", "unreachable")
]
_EVERYWHERE = [{"operator": "Exists"}]
