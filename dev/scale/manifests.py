"""Everything of a cluster but its pods, as it is written into etcd."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from scale.cluster import MACHINES, Cluster, Workload, node_name, pool_of, zone_of
from scale.fields import managed
from scale.pods import REGISTRY, labels_of, spec_of, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scale.etcd import Put

Object = dict[str, Any]
_IMAGES = 40
"""Images of which a node tells."""
_CORDONED = 500
"""One node of so many."""
_CLASS = "fast"


def everything(cluster: Cluster, now: str) -> Iterator[Put]:
    """All objects but pods and their usage."""
    yield from (_namespace(name, now) for name in cluster.namespaces())
    yield _storage_class(now)
    for number in range(cluster.size.nodes):
        yield node(number, now)
        yield _csi_node(number, now)
    for workload in cluster.workloads:
        yield from _of_workload(workload, now)
    yield from _claims(cluster, now)
    yield from _policies(cluster, now)
    yield from _old(cluster, now)


def write(plural: str, api_version: str, kind: str, meta: Object, now: str, **parts: Any) -> Put:  # noqa: ANN401 - as the API has them
    """What is written of an object; `parts` are its spec, its status and the like."""
    namespace = meta.get("namespace", "")
    key = "/".join(part for part in (plural, namespace, meta["name"]) if part)
    whole = {"uid": uid(key), "creationTimestamp": now, **meta}
    owned = {"metadata": {"labels": meta.get("labels", {})}, **parts}
    whole["managedFields"] = [managed("kube-controller-manager", owned, now)]
    made = {"apiVersion": api_version, "kind": kind, "metadata": whole, **parts}
    return key, json.dumps(made, separators=(",", ":")).encode()


def _namespace(name: str, now: str) -> Put:
    labels = {"kubernetes.io/metadata.name": name, "team": name}
    spec, status = {"finalizers": ["kubernetes"]}, {"phase": "Active"}
    meta = {"name": name, "labels": labels}
    return write("namespaces", "v1", "Namespace", meta, now, spec=spec, status=status)


def _storage_class(now: str) -> Put:
    parts = {
        "provisioner": "disk.csi.example.com",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    return write(
        "storageclasses", "storage.k8s.io/v1", "StorageClass", {"name": _CLASS}, now, **parts
    )


def node(number: int, now: str, beat: str = "") -> Put:
    """A node with its images; `beat` is when its kubelet last said that it is well."""
    name, pool = node_name(number), pool_of(number)
    cores, gib = MACHINES[pool]
    capacity = {"cpu": str(cores), "memory": f"{gib}Gi", "pods": "110"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": zone_of(number),
        "topology.kubernetes.io/region": "region-1",
        "node.kubernetes.io/instance-type": f"{pool}-{cores}",
        "karpenter.sh/nodepool": pool,
    }
    status = {
        "capacity": capacity,
        "allocatable": {**capacity, "cpu": f"{cores * 1000 - 80}m", "memory": f"{gib - 2}Gi"},
        "conditions": [_condition(kind, now, beat or now) for kind in _CONDITIONS],
        "addresses": [{"type": "InternalIP", "address": f"10.0.{number >> 8}.{number & 255}"}],
        "nodeInfo": _INFO,
        "images": [_image(one) for one in range(number % 7, number % 7 + _IMAGES)],
    }
    spec: Object = {"providerID": f"example:///{zone_of(number)}/i-{number:017x}"}
    if number % _CORDONED == _CORDONED - 1:
        spec["unschedulable"] = True
    meta = {"name": name, "labels": labels}
    return write("minions", "v1", "Node", meta, now, spec=spec, status=status)


def lease(beat: str) -> Put:
    """The lease of a node; the operator does not read it."""
    spec = {"holderIdentity": node_name(0), "renewTime": beat.replace("Z", ".000000Z")}
    meta = {"name": node_name(0), "namespace": "kube-node-lease"}
    return write("leases", "coordination.k8s.io/v1", "Lease", meta, beat, spec=spec)


def _condition(kind: str, now: str, beat: str) -> Object:
    return {
        "type": kind,
        "status": "True" if kind == "Ready" else "False",
        "reason": f"Kubelet{kind}",
        "message": f"kubelet says {kind}",
        "lastHeartbeatTime": beat,
        "lastTransitionTime": now,
    }


def _image(number: int) -> Object:
    digest = f"{REGISTRY}/team/image-{number:03}@sha256:{number:064x}"
    return {
        "names": [digest, f"{REGISTRY}/team/image-{number:03}:1.0"],
        "sizeBytes": 100_000_000 + number,
    }


def _csi_node(number: int, now: str) -> Put:
    driver = {
        "name": "disk.csi.example.com",
        "nodeID": f"i-{number:017x}",
        "topologyKeys": ["topology.kubernetes.io/zone"],
        "allocatable": {"count": 25},
    }
    meta = {"name": node_name(number)}
    return write("csinodes", "storage.k8s.io/v1", "CSINode", meta, now, spec={"drivers": [driver]})


def _of_workload(workload: Workload, now: str) -> Iterator[Put]:
    kind = workload.kind
    plural = f"{kind.lower()}s"
    meta = {"name": workload.name, "namespace": workload.namespace, "labels": labels_of(workload)}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    yield write(plural, version, kind, meta, now, spec=_spec(workload), status=_done(workload))
    if workload.replicated:
        yield replicaset(workload, workload.owner(), len(workload.nodes), now)
    if kind in {"Deployment", "StatefulSet"}:
        yield from _service(workload, now)
        yield _budget(workload, now)


def _spec(workload: Workload) -> Object:
    labels = labels_of(workload)
    template = {"metadata": {"labels": labels}, "spec": _template(workload)}
    selector = {"matchLabels": {"app.kubernetes.io/name": workload.name}}
    count = len(workload.nodes)
    if workload.kind == "Job":
        mine = {
            "batch.kubernetes.io/controller-uid": uid(f"jobs/{workload.namespace}/{workload.name}")
        }
        named = {"batch.kubernetes.io/job-name": workload.name, "job-name": workload.name}
        old = {"controller-uid": mine["batch.kubernetes.io/controller-uid"]}
        template["metadata"] = {"labels": {**labels, **mine, **named, **old}}
        more = {"selector": {"matchLabels": mine}, "completionMode": "NonIndexed"}
        return {"completions": count, "parallelism": count, "template": template, **more}
    spec: Object = {"selector": selector, "template": template}
    if workload.kind != "DaemonSet":
        spec["replicas"] = count
    if workload.kind == "StatefulSet":
        asked = {"accessModes": ["ReadWriteOnce"], "storageClassName": _CLASS}
        room = {"resources": {"requests": {"storage": "10Gi"}}}
        spec["serviceName"] = workload.name
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {**asked, **room}}]
    return spec


def _template(workload: Workload) -> Object:
    """As people write it: claims of a StatefulSet are none of the template's volumes."""
    spec = copy.deepcopy(spec_of(workload))
    spec["volumes"] = [one for one in spec["volumes"] if "persistentVolumeClaim" not in one]
    spec["volumes"] = [one for one in spec["volumes"] if "projected" not in one]
    for container in spec["containers"]:
        mounts = container["volumeMounts"]  # admission gives the token to pods alone
        container["volumeMounts"] = [one for one in mounts if "@token" not in one["name"]]
    for key in ("priority", "preemptionPolicy"):
        del spec[key]
    return spec


def _done(workload: Workload) -> Object:
    count = len(workload.nodes)
    if workload.kind == "Job":
        return {"succeeded": count}
    if workload.kind == "DaemonSet":
        return {
            "desiredNumberScheduled": count,
            "currentNumberScheduled": count,
            "numberReady": count,
            "numberMisscheduled": 0,
        }
    return {"replicas": count, "readyReplicas": count}


def replicaset(workload: Workload, name: str, replicas: int, now: str) -> Put:
    """A ReplicaSet of a Deployment: its current one, or an old one without pods."""
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": workload.name,
        "uid": uid(f"deployments/{workload.namespace}/{workload.name}"),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    meta = {
        "name": name,
        "namespace": workload.namespace,
        "labels": labels_of(workload),
        "ownerReferences": [owner],
    }
    spec = {**_spec(workload), "replicas": replicas}
    return write(
        "replicasets", "apps/v1", "ReplicaSet", meta, now, spec=spec, status={"replicas": replicas}
    )


def histories(cluster: Cluster) -> dict[int, list[str]]:
    """Names of ReplicaSets of earlier revisions, spread over the Deployments, by their numbers."""
    deployments = [one for one in cluster.workloads if one.replicated]
    return {
        one.number: [
            f"{one.name}-old{number:03}"
            for number in range(len(range(place, cluster.size.old_replicasets, len(deployments))))
        ]
        for place, one in enumerate(deployments)
    }


def _old(cluster: Cluster, now: str) -> Iterator[Put]:
    """ReplicaSets of earlier revisions; those of a Deployment are alike but for the name."""
    workloads = {one.number: one for one in cluster.workloads}
    for owner, names in histories(cluster).items():
        like = f"{workloads[owner].name}-old"
        key, made = replicaset(workloads[owner], like, 0, now)
        text = (made or b"").decode()
        for name in names:
            number = name.removeprefix(like)
            own = text.replace(f'"name":"{like}"', f'"name":"{name}"')
            own = own.replace(uid(key), uid(f"{key}{number}"))
            yield f"{key}{number}", own.encode()


def _service(workload: Workload, now: str) -> Iterator[Put]:
    name, namespace = workload.name, workload.namespace
    meta = {"name": name, "namespace": namespace, "labels": labels_of(workload)}
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    # Headless: addresses of their own would have to be allocated one by one.
    spec = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "clusterIPs": ["None"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "sessionAffinity": "None",
        "selector": {"app.kubernetes.io/name": name},
        "ports": ports,
    }
    yield write("services/specs", "v1", "Service", meta, now, spec=spec)
    labels = {"kubernetes.io/service-name": name}
    slice_meta = {"name": f"{name}-x4kq2", "namespace": namespace, "labels": labels}
    parts = {
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [_endpoint(workload, at) for at in range(min(len(workload.nodes), 100))],
    }
    yield write("endpointslices", "discovery.k8s.io/v1", "EndpointSlice", slice_meta, now, **parts)


def _endpoint(workload: Workload, at: int) -> Object:
    node = workload.nodes[at] or 0
    return {
        "addresses": [f"10.{128 + (at & 63)}.{workload.number & 255}.{at & 255}"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": node_name(node),
        "zone": zone_of(node),
        "targetRef": {
            "kind": "Pod",
            "namespace": workload.namespace,
            "name": workload.pod(at),
        },
    }


def _budget(workload: Workload, now: str) -> Put:
    meta = {"name": workload.name, "namespace": workload.namespace}
    count = len(workload.nodes)
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": workload.name}},
    }
    status = {
        "observedGeneration": 1,
        "disruptionsAllowed": 1,
        "currentHealthy": count,
        "desiredHealthy": count - 1,
        "expectedPods": count,
    }
    return write(
        "poddisruptionbudgets",
        "policy/v1",
        "PodDisruptionBudget",
        {**meta, "generation": 1},
        now,
        spec=spec,
        status=status,
    )


def _claims(cluster: Cluster, now: str) -> Iterator[Put]:
    """The claims of StatefulSets; those of pods that are gone stay, until there are enough."""
    left = cluster.size.claims
    owners = [one for one in cluster.workloads if one.claims]
    for workload in owners:
        for at in range(len(workload.nodes)):
            yield from _claim(workload, at, workload.nodes[at] or 0, now)
        left -= len(workload.nodes)
    for number in range(left if owners else 0):
        workload = owners[number % len(owners)]
        at = len(workload.nodes) + number // len(owners)
        yield from _claim(workload, at, number % cluster.size.nodes, now)


def _claim(workload: Workload, at: int, node: int, now: str) -> Iterator[Put]:
    name, namespace = f"data-{workload.pod(at)}", workload.namespace
    volume = f"pvc-{uid(f'persistentvolumeclaims/{namespace}/{name}')}"
    room = {"storage": "10Gi"}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": _CLASS,
        "volumeMode": "Filesystem",
        "volumeName": volume,
        "resources": {"requests": room},
    }
    notes = {"pv.kubernetes.io/bind-completed": "yes"}
    meta = {"name": name, "namespace": namespace, "annotations": notes}
    status = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": room}
    yield write(
        "persistentvolumeclaims", "v1", "PersistentVolumeClaim", meta, now, spec=spec, status=status
    )
    yield _volume(volume, name, workload, node, now)


def _volume(volume: str, claim: str, workload: Workload, node: int, now: str) -> Put:
    inside = {
        "key": "topology.kubernetes.io/zone",
        "operator": "In",
        "values": [zone_of(node)],
    }
    where = {"required": {"nodeSelectorTerms": [{"matchExpressions": [inside]}]}}
    spec = {
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": _CLASS,
        "persistentVolumeReclaimPolicy": "Delete",
        "volumeMode": "Filesystem",
        "nodeAffinity": where,
        "claimRef": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": workload.namespace,
            "name": claim,
            "uid": uid(f"persistentvolumeclaims/{workload.namespace}/{claim}"),
        },
        "csi": {"driver": "disk.csi.example.com", "volumeHandle": volume, "fsType": "ext4"},
    }
    meta = {"name": volume}
    return write(
        "persistentvolumes",
        "v1",
        "PersistentVolume",
        meta,
        now,
        spec=spec,
        status={"phase": "Bound"},
    )


def _policies(cluster: Cluster, now: str) -> Iterator[Put]:
    """Policies that let in, or out to DNS and within the namespace; each selects a workload."""
    chosen = [one for one in cluster.workloads if one.kind in {"Deployment", "StatefulSet"}]
    dns = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    for number in range(cluster.size.policies):
        workload = chosen[number % len(chosen)]
        spec: Object = {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": workload.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
            "egress": [
                {"to": [{"namespaceSelector": {}}], "ports": dns},
                {"to": [{"podSelector": {}}]},
            ],
        }
        meta = {"name": f"allow-{number:05}", "namespace": workload.namespace}
        yield write(
            "networkpolicies", "networking.k8s.io/v1", "NetworkPolicy", meta, now, spec=spec
        )


_CONDITIONS = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
_INFO = {
    "machineID": "0123456789abcdef0123456789abcdef",
    "systemUUID": "01234567-89ab-cdef-0123-456789abcdef",
    "bootID": "fedcba98-7654-3210-fedc-ba9876543210",
    "kernelVersion": "6.12.0",
    "osImage": "Linux",
    "containerRuntimeVersion": "containerd://2.2.0",
    "kubeletVersion": "v1.37.0",
    "kubeProxyVersion": "",
    "operatingSystem": "linux",
    "architecture": "amd64",
}
