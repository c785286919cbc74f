"""Small manifests in few words: the examples of rules, which tests, demo and docs share.

Every function returns an object as the API holds it, with the fields that the model reads.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from clusteraudit.model.moments import epoch, rfc3339

Manifest: TypeAlias = dict[str, object]
Spec: TypeAlias = Mapping[str, object]

NOW = epoch("2026-01-01T12:00:00Z")
"""The moment at which examples are asked."""


def ago(seconds: int) -> str:
    """RFC 3339 of a time before NOW."""
    return rfc3339(NOW - seconds)


def thing(api_version: str, kind: str, name: str, namespace: str = "", **rest: object) -> Manifest:
    """Any object; what is None is left out."""
    meta: Manifest = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    extra = rest.pop("metadata", None)
    if isinstance(extra, dict):
        meta |= {key: value for key, value in extra.items() if value}
    parts = {key: value for key, value in rest.items() if value is not None}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **parts}


def node(
    name: str,
    cpu: str = "4",
    memory: str = "16Gi",
    *,
    zone: str = "",
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    cordoned: int | None = None,
    pressure: Sequence[str] = (),
) -> Manifest:
    """A node; `cordoned` says for how many seconds it has been, pressure lasts for ten minutes."""
    named = {"kubernetes.io/hostname": name, **(labels or {})}
    if zone:
        named["topology.kubernetes.io/zone"] = zone
    spec: Manifest = {"taints": [dict(one) for one in taints]}
    if cordoned is not None:
        taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
        spec = {"unschedulable": True, "taints": [*taints, {**taint, "timeAdded": ago(cordoned)}]}
    room = {"cpu": cpu, "memory": memory, "pods": "110"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    since = {"status": "True", "lastTransitionTime": ago(600)}
    conditions = [ready, *({"type": one, **since} for one in pressure)]
    status = {"allocatable": room, "capacity": room, "conditions": conditions}
    return thing("v1", "Node", name, metadata={"labels": named}, spec=spec, status=status)


def template(
    app: str, cpu: str = "", memory: str = "", claim: str = "", spec: Spec | None = None
) -> Manifest:
    """A pod template whose pods carry the label app."""
    wanted = {name: text for name, text in (("cpu", cpu), ("memory", memory)) if text}
    container = {"name": "main", "image": "app:1", "resources": {"requests": wanted}}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    whole = {"containers": [container], "volumes": volumes, **(spec or {})}
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {key: value for key, value in whole.items() if value},
    }


def owned_by(kind: str, name: str, api_version: str = "apps/v1") -> list[Manifest]:
    """Owner references that name a controller."""
    uid = f"{kind.lower()}-{name}"
    return [{"apiVersion": api_version, "kind": kind, "name": name, "controller": True, "uid": uid}]


def deployment(
    name: str,
    namespace: str = "shop",
    replicas: int = 1,
    spec: Spec | None = None,
    **asks: str,
) -> Manifest:
    """A Deployment; `asks` are cpu, memory and claim of its template."""
    return _workload("Deployment", name, namespace, replicas, template(name, spec=spec, **asks))


def stateful_set(
    name: str,
    namespace: str = "shop",
    replicas: int = 1,
    spec: Spec | None = None,
    **asks: str,
) -> Manifest:
    """A StatefulSet; `asks` are cpu, memory and claim of its template."""
    return _workload("StatefulSet", name, namespace, replicas, template(name, spec=spec, **asks))


def _workload(kind: str, name: str, namespace: str, replicas: int, made: Manifest) -> Manifest:
    spec: Manifest = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": made,
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return thing("apps/v1", kind, name, namespace, spec=spec)


def replica_set(deployment_name: str, namespace: str = "shop") -> Manifest:
    """The ReplicaSet of a Deployment, as metadata."""
    meta = {"ownerReferences": owned_by("Deployment", deployment_name)}
    return thing("apps/v1", "ReplicaSet", f"{deployment_name}-1", namespace, metadata=meta)


def pod(
    name: str,
    namespace: str = "shop",
    *,
    app: str = "",
    owner: Sequence[Spec] = (),
    on: str = "",
    unschedulable: int | None = None,
    spec: Spec | None = None,
    status: Spec | None = None,
    **asks: str,
) -> Manifest:
    """A pod; `on` names its node, `unschedulable` says for how many seconds it has waited.

    `status` stands in place of the parts that it names.
    """
    placed = {"nodeName": on} if on else {}
    made = template(app or name, spec={**(spec or {}), **placed}, **asks)
    conditions: list[Manifest] = [{"type": "Ready", "status": "True"}] if on else []
    if unschedulable is not None:
        waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        conditions = [{**waits, "lastTransitionTime": ago(unschedulable)}]
    phase = "Running" if on else "Pending"
    whole = {"phase": phase, "conditions": conditions, **(status or {})}
    meta = {"labels": {"app": app or name}, "ownerReferences": [dict(one) for one in owner]}
    return thing("v1", "Pod", name, namespace, metadata=meta, spec=made["spec"], status=whole)


def pods_of(
    deployment_name: str,
    count: int = 1,
    namespace: str = "shop",
    *,
    on: str = "",
    unschedulable: int | None = None,
    spec: Spec | None = None,
    status: Spec | None = None,
    **asks: str,
) -> list[Manifest]:
    """Pods of a Deployment, with the ReplicaSet between."""
    owner = owned_by("ReplicaSet", f"{deployment_name}-1")
    made = [
        pod(
            f"{deployment_name}-1-{number}",
            namespace,
            app=deployment_name,
            owner=owner,
            on=on,
            unschedulable=unschedulable,
            spec=spec,
            status=status,
            **asks,
        )
        for number in range(count)
    ]
    return [replica_set(deployment_name, namespace), *made]


def unready(seconds: int, *containers: Spec, phase: str = "Running") -> Manifest:
    """The status of a pod that has not been ready for so long, and of its containers."""
    ready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    conditions = [{**ready, "lastTransitionTime": ago(seconds)}]
    return {
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": [dict(one) for one in containers],
    }


def unpulled(message: str, image: str = "registry.example.com/team/app:1") -> Manifest:
    """The status of a container whose image the kubelet cannot pull."""
    waiting = {"reason": "ImagePullBackOff", "message": message}
    return {**_container(image), "ready": False, "state": {"waiting": waiting}}


def killed(seconds: int, restarts: int = 3) -> Manifest:
    """The status of a container that runs again, since the kernel killed it so long ago."""
    end = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ago(seconds)}
    again = {"running": {"startedAt": ago(seconds)}}
    last = {"terminated": {**end, "startedAt": ago(2 * seconds)}}
    return {**_container("app:1", restarts), "ready": True, "state": again, "lastState": last}


def failing() -> Manifest:
    """The status of a container that runs and fails its readiness probe."""
    return {**_container("app:1"), "ready": False, "state": {"running": {"startedAt": ago(900)}}}


def _container(image: str, restarts: int = 0) -> Manifest:
    return {"name": "main", "image": image, "imageID": "", "restartCount": restarts}


def namespace(name: str, **labels: str) -> Manifest:
    """A namespace."""
    return thing("v1", "Namespace", name, metadata={"labels": labels})


def claim(
    name: str,
    volume: str = "",
    namespace: str = "shop",
    *,
    storage_class: str = "",
    created: int | None = None,
) -> Manifest:
    """A PersistentVolumeClaim, bound if it names a volume; made `created` seconds ago."""
    ask = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec = {**ask, "storageClassName": storage_class} | ({"volumeName": volume} if volume else {})
    meta = {} if created is None else {"creationTimestamp": ago(created)}
    kind = ("v1", "PersistentVolumeClaim", name, namespace)
    status = {"phase": "Bound" if volume else "Pending"}
    return thing(*kind, metadata=meta, spec=spec, status=status)


def volume(
    name: str,
    zone: str,
    claim_name: str = "",
    namespace: str = "shop",
    *,
    storage_class: str = "",
) -> Manifest:
    """A PersistentVolume that lives in one zone."""
    inside = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}
    spec: Manifest = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "csi": {"driver": "disk.example.com", "volumeHandle": name},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [inside]}]}},
    }
    if storage_class:
        spec["storageClassName"] = storage_class
    if claim_name:
        spec["claimRef"] = {"namespace": namespace, "name": claim_name}
    status = {"phase": "Bound" if claim_name else "Available"}
    return thing("v1", "PersistentVolume", name, spec=spec, status=status)


def quota(name: str, namespace: str = "shop", **hard: str) -> Manifest:
    """A ResourceQuota."""
    return thing("v1", "ResourceQuota", name, namespace, spec={"hard": hard})


def storage_class(
    name: str, provisioner: str, *, waits: bool = False, default: bool = False
) -> Manifest:
    """A StorageClass; one that waits binds when a pod that uses the claim has a node."""
    key = "storageclass.kubernetes.io/is-default-class"
    return thing(
        "storage.k8s.io/v1",
        "StorageClass",
        name,
        metadata={"annotations": {key: "true"} if default else {}},
        provisioner=provisioner,
        volumeBindingMode="WaitForFirstConsumer" if waits else "Immediate",
    )


def service(name: str, namespace: str = "shop", *, app: str = "") -> Manifest:
    """A Service of the pods of an app, by default that of its name."""
    spec = {"selector": {"app": app or name}, "ports": [{"port": 80, "protocol": "TCP"}]}
    return thing("v1", "Service", name, namespace, spec=spec)


def endpoints(name: str, namespace: str = "shop", *, ready: int = 1, total: int = 1) -> Manifest:
    """The EndpointSlice of a Service, so many of its endpoints ready."""
    return thing(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"{name}-1",
        namespace,
        metadata={"labels": {"kubernetes.io/service-name": name}},
        addressType="IPv4",
        endpoints=[
            {"addresses": [f"10.1.0.{number + 1}"], "conditions": {"ready": number < ready}}
            for number in range(total)
        ],
        ports=[{"protocol": "TCP", "port": 80}],
    )


def egress_policy(
    name: str,
    namespace: str = "shop",
    *,
    app: str = "",
    egress: Sequence[Mapping[str, object]] = (),
) -> Manifest:
    """A NetworkPolicy that isolates egress of all pods, or of those of one app."""
    chosen: Manifest = {"matchLabels": {"app": app}} if app else {}
    spec = {"podSelector": chosen, "policyTypes": ["Egress"], "egress": [dict(e) for e in egress]}
    return thing("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=spec)


def budget(
    name: str,
    namespace: str = "shop",
    *,
    app: str = "",
    counts: tuple[int, int, int] | None = None,
    **spec: object,
) -> Manifest:
    """A PodDisruptionBudget; `counts` are currentHealthy, desiredHealthy, expectedPods."""
    whole: Manifest = {"selector": {"matchLabels": {"app": app or name}}, **spec}
    made = thing("policy/v1", "PodDisruptionBudget", name, namespace, spec=whole)
    if counts:
        healthy, desired, expected = counts
        made["metadata"] = {"name": name, "namespace": namespace, "generation": 1}
        made["status"] = {
            "observedGeneration": 1,
            "disruptionsAllowed": max(0, healthy - desired),
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
    return made


def cluster_dns(port: int = 53, address: str = "10.1.0.53") -> list[Manifest]:
    """The cluster's DNS: Service, endpoints and a pod behind it."""
    meta = {"labels": {"k8s-app": "kube-dns"}}
    ports = [
        {"name": "dns", "protocol": "UDP", "port": port},
        {"name": "dns-tcp", "protocol": "TCP", "port": port},
    ]
    selector = {"k8s-app": "kube-dns"}
    spec = {
        "selector": selector,
        "clusterIP": "10.0.0.10",
        "clusterIPs": ["10.0.0.10"],
        "ports": [{**one, "targetPort": port} for one in ports],
    }
    service = thing("v1", "Service", "kube-dns", "kube-system", metadata=meta, spec=spec)
    endpoints = thing(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "kube-dns-1",
        "kube-system",
        metadata={"labels": {"kubernetes.io/service-name": "kube-dns"}},
        addressType="IPv4",
        endpoints=[{"addresses": [address], "conditions": {"ready": True}}],
        ports=ports,
    )
    server = pod("coredns", "kube-system", on="dns-node")
    server["metadata"] = {"name": "coredns", "namespace": "kube-system", "labels": selector}
    return [namespace("kube-system"), service, endpoints, server]


def node_usage(name: str, cpu: str, memory: str) -> Manifest:
    """NodeMetrics."""
    usage = {"cpu": cpu, "memory": memory}
    return thing("metrics.k8s.io/v1beta1", "NodeMetrics", name, timestamp=ago(15), usage=usage)


def pod_usage(name: str, cpu: str, memory: str, namespace: str = "shop") -> Manifest:
    """PodMetrics of a pod with one container."""
    containers = [{"name": "main", "usage": {"cpu": cpu, "memory": memory}}]
    kind = ("metrics.k8s.io/v1beta1", "PodMetrics", name, namespace)
    return thing(*kind, timestamp=ago(15), containers=containers)
