"""Clusters as distributions leave them, and autoscaled ones with no room to spare.

Tables, and the few functions that make whole objects of them. They are shaped from manifests that
the distributions publish and from listings that their users published; none is recorded from a
cluster. Addresses, hashes and usage are made up; what is not known for sure (budgets of GKE's
add-ons, requests of some of its DaemonSets) is as the listings suggest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from zlib import crc32

from clusteraudit.model.build import Manifest, ago, namespace, owned_by, thing

Terms = tuple[Mapping[str, str], ...]
Critical = Literal["", "node", "cluster"]
_AGE = 1800

# Tables: what there can be


@dataclass(frozen=True)
class Box:
    """A container: requests, then limits."""

    name: str
    cpu: str = ""
    memory: str = ""
    cpu_limit: str = ""
    memory_limit: str = ""
    ports: tuple[tuple[str, str, int], ...] = ()
    host_ports: bool = False

    def manifest(self) -> Manifest:
        requests = _given(cpu=self.cpu, memory=self.memory)
        limits = _given(cpu=self.cpu_limit, memory=self.memory_limit)
        ports = [
            {"name": name, "protocol": protocol, "containerPort": number}
            | ({"hostPort": number} if self.host_ports else {})
            for name, protocol, number in self.ports
        ]
        resources = _given(requests=requests, limits=limits)
        made: Manifest = {"name": self.name, "image": f"{self.name}:1", "resources": resources}
        return made | _given(ports=ports)


@dataclass(frozen=True, kw_only=True)
class Load:
    """A workload, and on which nodes (by number) its pods are; a DaemonSet's go where they may."""

    name: str
    boxes: tuple[Box, ...]
    kind: Literal["Deployment", "DaemonSet", "StatefulSet", "Job", "Static"] = "Deployment"
    namespace: str = "kube-system"
    at: tuple[int, ...] = (0,)
    labels: Mapping[str, str] = field(default_factory=dict)
    critical: Critical = ""
    priority: int = 0
    class_name: str = ""
    tolerations: Terms = ()
    selector: Mapping[str, str] = field(default_factory=lambda: {"kubernetes.io/os": "linux"})
    host_network: bool = False
    dns_policy: str = "ClusterFirst"
    affinity: Manifest = field(default_factory=dict)
    spread: tuple[Manifest, ...] = ()
    uses: tuple[int, int] = (3, 24)
    """Of each pod: CPU in thousandths, memory in Mi."""
    claim_size: str = ""

    @property
    def chosen(self) -> dict[str, str]:
        """Labels that select its pods."""
        return dict(self.labels) or {"app": self.name}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A node: capacity, and what of it can be allocated."""

    name: str
    capacity: tuple[str, str]
    allocatable: tuple[str, str]
    pods: str = "110"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Terms = ()
    quiet: tuple[str, ...] = ()
    """Conditions of problem detectors, all False."""
    base: tuple[int, int] = (60, 600)
    """What runs outside of pods uses: CPU in thousandths, memory in Mi."""


@dataclass(frozen=True)
class Budget:
    """A PodDisruptionBudget; exactly one of both amounts."""

    name: str
    selects: Mapping[str, str]
    max_unavailable: int | str | None = None
    min_available: int | str | None = None
    namespace: str = "kube-system"


@dataclass(frozen=True)
class Front:
    """A Service, with the EndpointSlice that belongs to it."""

    name: str
    selects: Mapping[str, str]
    ports: tuple[tuple[str, str, int, int], ...]
    """Name, protocol, port, port of the pods."""
    ip: str
    namespace: str = "kube-system"
    labels: Mapping[str, str] = field(default_factory=dict)
    type: str = "ClusterIP"


@dataclass(frozen=True)
class Class:
    """A StorageClass."""

    name: str
    provisioner: str
    waits: bool = True
    default: bool = False
    expands: bool = True


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A cluster of tables."""

    machines: tuple[Machine, ...]
    loads: tuple[Load, ...]
    fronts: tuple[Front, ...] = ()
    budgets: tuple[Budget, ...] = ()
    classes: tuple[Class, ...] = ()
    namespaces: tuple[str, ...] = ()
    extra: tuple[Manifest, ...] = ()
    measured: bool = True
    """Whether metrics.k8s.io is served."""


def _given(**parts: object) -> Manifest:
    return {name: value for name, value in parts.items() if value}


def _tail(*words: object, length: int = 5) -> str:
    """Letters as the API server makes them up, always the same."""
    letters = "bcdfghjklmnpqrstvwxz2456789"
    number = crc32("/".join(map(str, words)).encode()) + length * 2**32
    return "".join(letters[number // 27**place % 27] for place in range(length))


# Words that tables share

ANY: Terms = ({"operator": "Exists"},)
ADDONS = {"key": "CriticalAddonsOnly", "operator": "Exists"}
MASTER = {
    "key": "node-role.kubernetes.io/control-plane",
    "operator": "Exists",
    "effect": "NoSchedule",
}
WINDOWS = {"kubernetes.io/os": "windows"}
DNS_PORTS = (("dns", "UDP", 53), ("dns-tcp", "TCP", 53), ("metrics", "TCP", 9153))
DNS_SERVICE = (("dns", "UDP", 53, 53), ("dns-tcp", "TCP", 53, 53), ("metrics", "TCP", 9153, 9153))
DNS = {"k8s-app": "kube-dns"}
_HTTPS = (("https", "TCP", 10250),)


def _linux(name: str, **more: str) -> dict[str, str]:
    system = {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}
    beta = {f"beta.{key}": value for key, value in system.items()}
    return {**beta, **system, "kubernetes.io/hostname": name, **more}


def _zoned(region: str, zone: str, machine: str) -> dict[str, str]:
    return {
        "failure-domain.beta.kubernetes.io/region": region,
        "failure-domain.beta.kubernetes.io/zone": zone,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
        "beta.kubernetes.io/instance-type": machine,
        "node.kubernetes.io/instance-type": machine,
    }


COREDNS = Load(
    name="coredns",
    boxes=(Box("coredns", "100m", "70Mi", "", "170Mi", DNS_PORTS),),
    labels=DNS,
    critical="cluster",
    tolerations=(ADDONS, MASTER),
    dns_policy="Default",
    uses=(4, 20),
)

# kind: one control plane and two workers

_CONTROL_PLANE = (
    ("etcd", "100m", "100Mi", (25, 60)),
    ("kube-apiserver", "250m", "", (60, 260)),
    ("kube-controller-manager", "200m", "", (20, 60)),
    ("kube-scheduler", "100m", "", (5, 26)),
)
_KIND_ROLE = {
    "node-role.kubernetes.io/control-plane": "",
    "node.kubernetes.io/exclude-from-external-load-balancers": "",
}
_HOST = ("8", "32834480Ki")

KIND = Distribution(
    measured=False,
    machines=(
        Machine(
            name="kind-control-plane",
            capacity=_HOST,
            allocatable=_HOST,
            labels=_linux("kind-control-plane", **_KIND_ROLE),
            taints=({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},),
        ),
        *(
            Machine(name=name, capacity=_HOST, allocatable=_HOST, labels=_linux(name))
            for name in ("kind-worker", "kind-worker2")
        ),
    ),
    loads=(
        *(
            Load(
                name=name,
                kind="Static",
                boxes=(Box(name, cpu, memory),),
                labels={"component": name, "tier": "control-plane"},
                critical="node",
                tolerations=({"operator": "Exists", "effect": "NoExecute"},),
                selector={},
                host_network=True,
                uses=uses,
            )
            for name, cpu, memory, uses in _CONTROL_PLANE
        ),
        replace(COREDNS, at=(0, 0)),
        Load(
            name="kindnet",
            kind="DaemonSet",
            boxes=(Box("kindnet-cni", "100m", "50Mi", "100m", "50Mi"),),
            tolerations=ANY,
            host_network=True,
        ),
        Load(
            name="kube-proxy",
            kind="DaemonSet",
            boxes=(Box("kube-proxy"),),
            labels={"k8s-app": "kube-proxy"},
            critical="node",
            tolerations=ANY,
            host_network=True,
        ),
        Load(
            name="local-path-provisioner",
            namespace="local-path-storage",
            boxes=(Box("local-path-provisioner"),),
            tolerations=({**MASTER, "operator": "Equal"},),
        ),
    ),
    fronts=(Front("kube-dns", DNS, DNS_SERVICE, "10.96.0.10", labels=DNS),),
    classes=(Class("standard", "rancher.io/local-path", default=True, expands=False),),
    namespaces=("local-path-storage",),
)

# k3s: one server, and three

_TRAEFIK = {
    "app.kubernetes.io/name": "traefik",
    "app.kubernetes.io/instance": "traefik-kube-system",
}
_K3S_ROLE = {
    "node-role.kubernetes.io/control-plane": "true",
    "node.kubernetes.io/instance-type": "k3s",
    "beta.kubernetes.io/instance-type": "k3s",
}
_K3S_TOLERATES: Terms = (ADDONS, MASTER)
_ADDONS = ("coredns", "local-storage", "metrics-server-deployment", "traefik")


def _k3s(cpu: str, memory: str, *names: str) -> Distribution:
    role = _K3S_ROLE | ({"node-role.kubernetes.io/etcd": "true"} if len(names) > 1 else {})
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": DNS},
    }
    return Distribution(
        machines=tuple(
            Machine(
                name=name,
                capacity=(cpu, memory),
                allocatable=(cpu, memory),
                labels=_linux(name, **role),
                base=(150, 900),
            )
            for name in names
        ),
        loads=(
            replace(COREDNS, spread=(spread,)),
            Load(
                name="local-path-provisioner",
                boxes=(Box("local-path-provisioner"),),
                critical="node",
                tolerations=_K3S_TOLERATES,
            ),
            Load(
                name="metrics-server",
                boxes=(Box("metrics-server", "100m", "70Mi", ports=_HTTPS),),
                labels={"k8s-app": "metrics-server"},
                critical="node",
                tolerations=_K3S_TOLERATES,
                uses=(8, 22),
            ),
            Load(
                name="traefik",
                boxes=(Box("traefik", ports=(("web", "TCP", 8000), ("websecure", "TCP", 8443))),),
                labels=_TRAEFIK,
                at=(len(names) - 1,),
                critical="cluster",
                tolerations=_K3S_TOLERATES,
                selector={},
                uses=(2, 32),
            ),
            Load(
                name="svclb-traefik-5f2c9a1b",
                kind="DaemonSet",
                boxes=tuple(
                    Box(name, ports=((name, "TCP", port),), host_ports=True)
                    for name, port in (("lb-tcp-80", 80), ("lb-tcp-443", 443))
                ),
                critical="node",
                tolerations=_K3S_TOLERATES,
                selector={},
                uses=(1, 2),
            ),
            *(
                Load(
                    name=f"helm-install-{name}",
                    kind="Job",
                    boxes=(Box("helm"),),
                    tolerations=(*_K3S_TOLERATES, {"key": "node.kubernetes.io/not-ready"}),
                    host_network=True,
                )
                for name in ("traefik-crd", "traefik")
            ),
        ),
        fronts=(
            Front("kube-dns", DNS, DNS_SERVICE, "10.43.0.10", labels=DNS),
            Front(
                "metrics-server",
                {"k8s-app": "metrics-server"},
                (("https", "TCP", 443, 10250),),
                "10.43.17.4",
            ),
            Front(
                "traefik",
                _TRAEFIK,
                (("web", "TCP", 80, 8000), ("websecure", "TCP", 443, 8443)),
                "10.43.98.12",
                type="LoadBalancer",
            ),
        ),
        classes=(Class("local-path", "rancher.io/local-path", default=True, expands=False),),
        extra=(
            *(thing("k3s.cattle.io/v1", "Addon", name, "kube-system") for name in _ADDONS),
            thing("helm.cattle.io/v1", "HelmChart", "traefik", "kube-system"),
        ),
    )


K3S = _k3s("2", "2014352Ki", "k3s")
K3S_3 = _k3s("4", "8127412Ki", "k3s-1", "k3s-2", "k3s-3")

# EKS: a managed node group over three zones, with the EBS driver and metrics-server as add-ons

_EKS_ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
_EKS_DNS = {**DNS, "eks.amazonaws.com/component": "coredns"}
_EBS = {"app": "ebs-csi-controller", "app.kubernetes.io/name": "aws-ebs-csi-driver"}
_METRICS = {"app.kubernetes.io/name": "metrics-server"}
_SOON: Terms = (ADDONS, {"operator": "Exists", "effect": "NoExecute"})
_NOT_FARGATE: Manifest = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
                        {
                            "key": "eks.amazonaws.com/compute-type",
                            "operator": "NotIn",
                            "values": ["fargate", "hybrid", "auto"],
                        },
                    ]
                }
            ]
        }
    }
}


def _eks_machine(number: int, zone: str, taints: Terms = ()) -> Machine:
    name = f"ip-10-0-{16 * number}-{21 + number}.eu-west-1.compute.internal"
    group = {
        "eks.amazonaws.com/nodegroup": "default",
        "eks.amazonaws.com/capacityType": "ON_DEMAND",
        "topology.ebs.csi.aws.com/zone": zone,
        "topology.k8s.aws/zone-id": f"euw1-az{number + 1}",
    }
    return Machine(
        name=name,
        capacity=("2", "3943300Ki"),
        allocatable=("1930m", "3388304Ki"),
        pods="17",
        labels=_linux(name, **_zoned("eu-west-1", zone, "t3.medium"), **group),
        taints=taints,
        base=(50, 420),
    )


def _csi(*names: str) -> tuple[Box, ...]:
    return tuple(Box(name, "10m", "40Mi", "", "256Mi") for name in names)


_EBS_NODE = Load(
    name="ebs-csi-node",
    kind="DaemonSet",
    boxes=_csi("ebs-plugin", "node-driver-registrar", "liveness-probe"),
    critical="node",
    tolerations=ANY,
    affinity=_NOT_FARGATE,
)

EKS = Distribution(
    machines=tuple(_eks_machine(number, zone) for number, zone in enumerate(_EKS_ZONES)),
    loads=(
        Load(
            name="aws-node",
            kind="DaemonSet",
            boxes=(Box("aws-node", "25m"), Box("aws-eks-nodeagent", "25m")),
            labels={"k8s-app": "aws-node"},
            critical="node",
            tolerations=ANY,
            selector={},
            host_network=True,
            affinity=_NOT_FARGATE,
            uses=(5, 60),
        ),
        Load(
            name="kube-proxy",
            kind="DaemonSet",
            boxes=(Box("kube-proxy", "100m"),),
            labels={"k8s-app": "kube-proxy"},
            critical="node",
            tolerations=ANY,
            selector={},
            host_network=True,
        ),
        replace(COREDNS, at=(0, 1), labels=_EKS_DNS, selector={}, affinity=_NOT_FARGATE),
        Load(
            name="ebs-csi-controller",
            boxes=_csi(
                "ebs-plugin",
                "csi-provisioner",
                "csi-attacher",
                "csi-snapshotter",
                "csi-resizer",
                "liveness-probe",
            ),
            labels=_EBS,
            at=(0, 1),
            critical="cluster",
            tolerations=_SOON,
            uses=(4, 70),
        ),
        _EBS_NODE,
        replace(_EBS_NODE, name="ebs-csi-node-windows", selector=WINDOWS, affinity={}),
        Load(
            name="metrics-server",
            boxes=(Box("metrics-server", "100m", "200Mi", "", "400Mi", _HTTPS),),
            labels=_METRICS,
            at=(1, 2),
            critical="cluster",
            tolerations=(ADDONS,),
            selector={},
            uses=(6, 40),
        ),
    ),
    fronts=(
        Front("kube-dns", DNS, DNS_SERVICE, "172.20.0.10", labels=_EKS_DNS),
        Front("metrics-server", _METRICS, (("https", "TCP", 443, 10250),), "172.20.44.7"),
    ),
    budgets=(
        Budget("coredns", _EKS_DNS, max_unavailable=1),
        Budget("ebs-csi-controller", _EBS, max_unavailable=1),
        Budget("metrics-server", _METRICS, max_unavailable=1),
    ),
    classes=(Class("gp2", "kubernetes.io/aws-ebs", expands=False),),
    extra=tuple(
        thing("vpcresources.k8s.aws/v1alpha1", "CNINode", _eks_machine(number, zone).name)
        for number, zone in enumerate(_EKS_ZONES)
    ),
)

# AKS: one system pool over three zones, Azure CNI as an overlay

_AKS_ZONES = ("westeurope-1", "westeurope-2", "westeurope-3")
_KONNECTIVITY = {"app": "konnectivity-agent"}
_AKS_METRICS = {"k8s-app": "metrics-server"}
_AKS_QUIET = (
    "VMEventScheduled",
    "KernelDeadlock",
    "ReadonlyFilesystem",
    "FilesystemCorruptionProblem",
    "FrequentContainerdRestart",
    "FrequentKubeletRestart",
)


def _aks_machine(number: int, zone: str) -> Machine:
    name = f"aks-nodepool1-30912867-vmss00000{number}"
    pool = {
        "agentpool": "nodepool1",
        "kubernetes.azure.com/agentpool": "nodepool1",
        "kubernetes.azure.com/mode": "system",
        "topology.disk.csi.azure.com/zone": zone,
    }
    return Machine(
        name=name,
        capacity=("2", "8143864Ki"),
        allocatable=("1900m", "5906864Ki"),
        pods="250",
        labels=_linux(name, **_zoned("westeurope", zone, "Standard_D2s_v5"), **pool),
        quiet=_AKS_QUIET,
        base=(90, 900),
    )


def _on_every(name: str, *boxes: Box, **more: object) -> Load:
    """A DaemonSet of the platform: host network, every taint tolerated."""
    load = Load(name=name, boxes=boxes, kind="DaemonSet", critical="node", tolerations=ANY)
    return replace(load, host_network=True, **more)  # type: ignore[arg-type]


_AKS_PROXY = _on_every("kube-proxy", Box("kube-proxy", "100m"))

AKS = Distribution(
    machines=tuple(_aks_machine(number, zone) for number, zone in enumerate(_AKS_ZONES)),
    loads=(
        _on_every(
            "azure-cns",
            Box("cns-container", "40m", "250Mi", "40m", "250Mi"),
            labels={"k8s-app": "azure-cns"},
        ),
        _on_every(
            "azure-ip-masq-agent",
            Box("azure-ip-masq-agent", "100m", "50Mi", "500m", "250Mi"),
            labels={"k8s-app": "azure-ip-masq-agent"},
        ),
        _on_every(
            "cloud-node-manager",
            Box("cloud-node-manager", "50m", "50Mi", "", "512Mi"),
            labels={"k8s-app": "cloud-node-manager"},
        ),
        _on_every(
            "cloud-node-manager-windows",
            Box("cloud-node-manager", "50m", "50Mi", "", "512Mi"),
            selector=WINDOWS,
        ),
        *(
            _on_every(
                f"csi-azure{kind}-node",
                Box("liveness-probe", "10m", "20Mi", "", "100Mi"),
                Box("node-driver-registrar", "10m", "20Mi", "", "100Mi"),
                Box(f"azure{kind}", "10m", "20Mi", "", limit),
            )
            for kind, limit in (("disk", "5600Mi"), ("file", "400Mi"))
        ),
        _AKS_PROXY,
        replace(
            COREDNS,
            at=(0, 1),
            boxes=(Box("coredns", "100m", "70Mi", "3", "500Mi", DNS_PORTS),),
            tolerations=(*_SOON, MASTER),
        ),
        Load(
            name="coredns-autoscaler",
            boxes=(Box("autoscaler", "20m", "10Mi", "200m", "500Mi"),),
            labels={"k8s-app": "coredns-autoscaler"},
            critical="node",
            tolerations=_SOON,
        ),
        Load(
            name="konnectivity-agent",
            boxes=(Box("konnectivity-agent", "20m", "20Mi", "1", "1Gi"),),
            labels=_KONNECTIVITY,
            at=(1, 2),
            critical="node",
            tolerations=_SOON,
        ),
        Load(
            name="konnectivity-agent-autoscaler",
            boxes=(Box("autoscaler", "20m", "10Mi", "350m", "512M"),),
            labels={"app": "konnectivity-agent-autoscaler"},
            critical="node",
            tolerations=_SOON,
        ),
        Load(
            name="metrics-server",
            boxes=(
                Box("metrics-server-vpa", "5m", "50Mi", "100m", "200Mi"),
                Box("metrics-server", "151m", "84Mi", "151m", "204Mi", _HTTPS),
            ),
            labels=_AKS_METRICS,
            at=(0, 2),
            critical="node",
            tolerations=_SOON,
            uses=(6, 45),
        ),
    ),
    fronts=(
        Front("kube-dns", DNS, DNS_SERVICE, "10.0.0.10", labels=DNS),
        Front("metrics-server", _AKS_METRICS, (("https", "TCP", 443, 10250),), "10.0.171.5"),
    ),
    budgets=(
        Budget("coredns-pdb", DNS, min_available=1),
        Budget("konnectivity-agent", _KONNECTIVITY, min_available=1),
        Budget("metrics-server-pdb", _AKS_METRICS, min_available=1),
    ),
    classes=(
        Class("default", "disk.csi.azure.com", default=True),
        Class("managed-csi", "disk.csi.azure.com"),
        Class("azurefile-csi", "file.csi.azure.com", waits=False),
    ),
    extra=(
        thing(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "konnectivity-agent",
            "kube-system",
            spec={
                "podSelector": {"matchLabels": _KONNECTIVITY},
                "policyTypes": ["Egress"],
                "egress": [{}],
            },
        ),
    ),
)

AKS_CILIUM = replace(
    AKS,
    loads=(
        *(load for load in AKS.loads if load != _AKS_PROXY),
        _on_every(
            "cilium",
            Box("cilium-agent", "100m", "300Mi"),
            labels={"k8s-app": "cilium"},
            uses=(30, 180),
        ),
        Load(
            name="cilium-operator",
            boxes=(Box("cilium-operator"),),
            labels={"name": "cilium-operator"},
            at=(1, 2),
            critical="cluster",
            tolerations=ANY,
            host_network=True,
        ),
    ),
    extra=(
        *AKS.extra,
        *(thing("cilium.io/v2", "CiliumNode", machine.name) for machine in AKS.machines),
    ),
)

# GKE Standard: a regional cluster of the default machine, Workload Identity and managed Prometheus

_GKE_ZONES = ("europe-west4-a", "europe-west4-b", "europe-west4-c")
_GKE_QUIET = (
    "KernelDeadlock",
    "ReadonlyFilesystem",
    "CorruptDockerOverlay2",
    "FrequentUnregisterNetDevice",
    "FrequentKubeletRestart",
    "FrequentContainerdRestart",
)
_PLAIN: Mapping[str, str] = {}


def _gke_machine(number: int, zone: str) -> Machine:
    name = f"gke-fresh-default-pool-{_tail('pool', zone, length=8)}-{_tail(zone, length=4)}"
    pool = {
        "cloud.google.com/gke-nodepool": "default-pool",
        "cloud.google.com/machine-family": "e2",
        "cloud.google.com/gke-provisioning": "standard",
        "cloud.google.com/gke-netd-ready": "true",
        "iam.gke.io/gke-metadata-server-enabled": "true",
        "topology.gke.io/zone": zone,
    }
    return Machine(
        name=name,
        capacity=("2", "4015308Ki"),
        allocatable=("940m", "2872268Ki"),
        labels=_linux(name, **_zoned("europe-west4", zone, "e2-medium"), **pool),
        quiet=_GKE_QUIET,
        base=(110, 560),
    )


def _one(name: str, *boxes: Box, critical: Critical = "cluster", **more: object) -> Load:
    """An add-on of GKE, which its label selects."""
    load = Load(name=name, boxes=boxes, labels={"k8s-app": name}, critical=critical)
    return replace(load, tolerations=(ADDONS,), **more)  # type: ignore[arg-type]


_GMP = "gmp-system"
_GMP_TOLERATES: Terms = ({"key": "components.gke.io/gke-managed-components", "operator": "Exists"},)
_SINGLE = (
    "event-exporter-gke",
    "konnectivity-agent-autoscaler",
    "kube-dns-autoscaler",
    "l7-default-backend",
    "metrics-server-v1.33.0",
)

GKE = Distribution(
    machines=tuple(_gke_machine(number, zone) for number, zone in enumerate(_GKE_ZONES)),
    loads=(
        Load(
            name="kube-proxy",
            kind="Static",
            boxes=(Box("kube-proxy", "100m"),),
            at=(0, 1, 2),
            labels={"component": "kube-proxy", "tier": "node"},
            critical="node",
            tolerations=({"operator": "Exists", "effect": "NoExecute"},),
            selector=_PLAIN,
            host_network=True,
        ),
        _on_every(
            "fluentbit-gke",
            Box("fluentbit", "50m", "100Mi", "", "250Mi"),
            Box("fluentbit-gke", "50m", "100Mi", "", "250Mi"),
            Box("fluentbit-metrics-collector", "5m", "30Mi", "", "30Mi"),
            uses=(8, 70),
        ),
        _on_every(
            "gke-metadata-server",
            Box("gke-metadata-server", "100m", "100Mi", "", "100Mi"),
            selector={"iam.gke.io/gke-metadata-server-enabled": "true"},
        ),
        _on_every(
            "gke-metrics-agent",
            Box("gke-metrics-agent", "8m", "110Mi", "", "110Mi"),
            Box("core-metrics-exporter", "6m", "20Mi", "", "20Mi"),
            Box("gke-metrics-agent-metrics-collector", "5m", "25Mi", "", "25Mi"),
            uses=(5, 80),
        ),
        _on_every("gke-metrics-agent-windows", Box("agent", "30m", "130Mi"), selector=WINDOWS),
        _on_every(
            "netd",
            Box("netd", "2m", "30Mi"),
            Box("netd-metrics-collector", "5m", "30Mi", "", "30Mi"),
            selector={"cloud.google.com/gke-netd-ready": "true"},
        ),
        _on_every(
            "pdcsi-node",
            Box("csi-driver-registrar", "5m", "10Mi", "", "50Mi"),
            Box("gce-pd-driver", "5m", "10Mi", "", "50Mi"),
        ),
        _on_every(
            "nvidia-gpu-device-plugin-small-cos",
            Box("nvidia-gpu-device-plugin", "55m", "55Mi"),
            selector={"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"},
        ),
        _one(
            "kube-dns",
            Box("kubedns", "100m", "70Mi", "", "210Mi", (("dns-local", "UDP", 10053),)),
            Box("dnsmasq", "150m", "20Mi", ports=DNS_PORTS[:2]),
            Box("sidecar", "10m", "20Mi", ports=(("metrics", "TCP", 10054),)),
            Box("kubedns-metrics-collector", "5m", "30Mi", "", "30Mi"),
            at=(0, 1),
            dns_policy="Default",
            uses=(5, 55),
        ),
        _one("kube-dns-autoscaler", Box("autoscaler", "20m", "10Mi")),
        _one("konnectivity-agent", Box("agent", "15m", "60Mi", "", "155Mi"), at=(0, 1, 2)),
        _one("konnectivity-agent-autoscaler", Box("autoscaler", "10m", "10M")),
        _one("event-exporter-gke", Box("event-exporter", "3m", "100Mi"), critical=""),
        _one("l7-default-backend", Box("default-http-backend", "10m", "20Mi"), at=(1,)),
        _one(
            "metrics-server-v1.33.0",
            Box("metrics-server", "48m", "105Mi", "", "355Mi", _HTTPS),
            at=(2,),
            uses=(5, 35),
        ),
        Load(
            name="collector",
            kind="DaemonSet",
            namespace=_GMP,
            boxes=(
                Box("prometheus", "4m", "32M", "", "3G"),
                Box("config-reloader", "1m", "4M", "", "32M"),
            ),
            labels={"app.kubernetes.io/name": "collector"},
            class_name="gmp-critical",
            priority=1_000_000_000,
            tolerations=ANY,
            uses=(4, 60),
        ),
        Load(
            name="gmp-operator",
            namespace=_GMP,
            boxes=(Box("operator", "1m", "16M", "", "2G"),),
            labels={"app.kubernetes.io/name": "gmp-operator"},
            class_name="gmp-critical",
            priority=1_000_000_000,
            tolerations=_GMP_TOLERATES,
        ),
        Load(
            name="rule-evaluator",
            namespace=_GMP,
            boxes=(Box("evaluator", "1m", "16M", "", "1G"),),
            labels={"app.kubernetes.io/name": "rule-evaluator"},
            at=(),
        ),
        Load(
            name="kube-state-metrics",
            kind="StatefulSet",
            namespace="gke-managed-cim",
            boxes=(
                Box("kube-state-metrics", "100m", "100Mi", "", "500Mi"),
                Box("ksm-metrics-collector", "5m", "30Mi", "", "30Mi"),
            ),
            labels={"k8s-app": "kube-state-metrics"},
            at=(2,),
            tolerations=_GMP_TOLERATES,
        ),
    ),
    fronts=(
        Front("kube-dns", DNS, DNS_SERVICE[:2], "34.118.224.10", labels=DNS),
        Front(
            "metrics-server",
            {"k8s-app": "metrics-server-v1.33.0"},
            (("https", "TCP", 443, 10250),),
            "34.118.230.61",
        ),
        Front(
            "default-http-backend",
            {"k8s-app": "l7-default-backend"},
            (("http", "TCP", 80, 8080),),
            "34.118.226.9",
            type="NodePort",
        ),
    ),
    budgets=(
        Budget("kube-dns", DNS, max_unavailable=1),
        Budget("konnectivity-agent", {"k8s-app": "konnectivity-agent"}, max_unavailable=1),
        *(Budget(name, {"k8s-app": name}, max_unavailable=1) for name in _SINGLE),
    ),
    classes=(
        Class("premium-rwo", "pd.csi.storage.gke.io"),
        Class("standard", "kubernetes.io/gce-pd", waits=False),
        Class("standard-rwo", "pd.csi.storage.gke.io", default=True),
    ),
    namespaces=(_GMP, "gmp-public", "gke-managed-cim", "gke-managed-system"),
    extra=(
        *(
            thing(
                "v1",
                "ResourceQuota",
                "gke-resource-quotas",
                name,
                spec={"hard": {"pods": "1500", "services": "500", "count/jobs.batch": "5k"}},
            )
            for name in ("default", "gmp-public")
        ),
        thing(
            "v1",
            "ResourceQuota",
            "gcp-critical-pods",
            "kube-system",
            spec={"hard": {"pods": "1G"}},
        ),
    ),
)

# Autoscaled on EKS: three small nodes for add-ons, and nodes that are filled to 95% of their CPU

_TEAMS = ("shop", "data", "overprovisioning", "monitoring")
"""Namespaces of a platform that gives each an owner, a level of pod security and a policy."""
_SYSTEM_ONLY = {"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"}
_FILLED = tuple(range(3, 15))
PLACEHOLDER = -10


def _filled_machine(number: int, pool: Mapping[str, str]) -> Machine:
    name = f"ip-10-0-{10 * number}-{90 + number}.eu-west-1.compute.internal"
    zone = _EKS_ZONES[number % 3]
    place = {**_zoned("eu-west-1", zone, "m5.xlarge"), "topology.ebs.csi.aws.com/zone": zone}
    return Machine(
        name=name,
        capacity=("4", "16073532Ki"),
        allocatable=("3920m", "15056700Ki"),
        pods="58",
        labels=_linux(name, **place, **pool),
        base=(80, 700),
    )


def _app(
    name: str, cpu: str, memory: str, at: Sequence[int], uses: tuple[int, int], **more: object
) -> Load:
    team = "data" if name == "cache" else "shop"
    box = Box("main", cpu, memory, "", memory)
    load = Load(name=name, boxes=(box,), namespace=team, at=tuple(at), selector={}, uses=uses)
    return replace(load, **more)  # type: ignore[arg-type]


_THIRDS = tuple(_FILLED[number::3] for number in range(3))
_API, _WORKER, _HELD = _THIRDS
_APPS = (
    _app("api", "2", "6Gi", (*_API, *_HELD), (1300, 4300)),
    _app("worker", "1", "3Gi", (*_API, *_WORKER, *_WORKER, *_WORKER), (700, 2100)),
    _app("web", "500m", "1536Mi", _FILLED[3:], (210, 800)),
    _app("cache", "500m", "1536Mi", _FILLED[:3], (90, 900), kind="StatefulSet", claim_size="20Gi"),
    _app(
        "placeholder",
        "1",
        "3Gi",
        _HELD,
        (1, 1),
        namespace="overprovisioning",
        priority=PLACEHOLDER,
        class_name="overprovisioning",
    ),
)
_AGENT = _on_every(
    "node-agent",
    Box("agent", "45m", "256Mi", "", "512Mi"),
    namespace="monitoring",
    critical="",
    uses=(20, 170),
)
_TO_DNS: Manifest = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": DNS},
        }
    ],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}


def _autoscaled(pool: Mapping[str, str], *scaler: Load) -> Distribution:
    system = (_eks_machine(number, zone, (_SYSTEM_ONLY,)) for number, zone in enumerate(_EKS_ZONES))
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [_TO_DNS]}
    scales = tuple(
        Budget(load.name, load.chosen, max_unavailable=1, namespace=load.namespace)
        for load in scaler
    )
    return replace(
        EKS,
        machines=(*system, *(_filled_machine(number, pool) for number in _FILLED)),
        loads=(*EKS.loads, *scaler, _AGENT, *_APPS),
        budgets=(
            *EKS.budgets,
            *scales,
            Budget("api", {"app": "api"}, max_unavailable="25%", namespace="shop"),
            Budget("worker", {"app": "worker"}, min_available="80%", namespace="shop"),
            Budget("web", {"app": "web"}, max_unavailable=1, namespace="shop"),
            Budget("cache", {"app": "cache"}, min_available=2, namespace="data"),
        ),
        classes=(*EKS.classes, Class("gp3", "ebs.csi.aws.com", default=True)),
        namespaces=(*_TEAMS, "karpenter"),
        extra=(
            *EKS.extra,
            *(
                thing("networking.k8s.io/v1", "NetworkPolicy", "only-dns", team, spec=spec)
                for team in _TEAMS
            ),
        ),
    )


KARPENTER = _autoscaled(
    {"karpenter.sh/nodepool": "default", "karpenter.sh/capacity-type": "on-demand"},
    Load(
        name="karpenter",
        namespace="karpenter",
        boxes=(Box("controller", "1", "1Gi", "1", "1Gi"),),
        labels={"app.kubernetes.io/name": "karpenter"},
        at=(0, 2),
        critical="cluster",
        tolerations=(ADDONS,),
        affinity={
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "karpenter.sh/nodepool", "operator": "DoesNotExist"}
                            ]
                        }
                    ]
                }
            }
        },
        uses=(120, 300),
    ),
)
AUTOSCALER = _autoscaled(
    {"eks.amazonaws.com/nodegroup": "apps", "eks.amazonaws.com/capacityType": "ON_DEMAND"},
    Load(
        name="cluster-autoscaler",
        boxes=(Box("cluster-autoscaler", "100m", "600Mi", "", "600Mi"),),
        labels={"app.kubernetes.io/name": "aws-cluster-autoscaler"},
        at=(2,),
        critical="cluster",
        tolerations=(ADDONS,),
        uses=(15, 120),
    ),
)

TABLES: Mapping[str, Distribution] = {
    "kind": KIND,
    "k3s": K3S,
    "k3s-3": K3S_3,
    "eks": EKS,
    "gke": GKE,
    "aks": AKS,
    "aks-cilium": AKS_CILIUM,
    "karpenter": KARPENTER,
    "cluster-autoscaler": AUTOSCALER,
}


# Expansion: from a table to whole objects


def fresh() -> dict[str, list[Manifest]]:
    """Every object of every distribution, by its name."""
    return {name: objects(table) for name, table in TABLES.items()}


def objects(table: Distribution) -> list[Manifest]:
    """Every object of a distribution, as the API would list them."""
    pods = [
        (load, machine, pod)
        for load in table.loads
        for machine, pod in zip(places(load, table.machines), _pods(load, table), strict=True)
    ]
    names = ("default", "kube-node-lease", "kube-public", "kube-system", *table.namespaces)
    made = [namespace(name, **_namespace_labels(name)) for name in names]
    made += [node(machine) for machine in table.machines]
    made += [one for load in table.loads for one in _controllers(load, table)]
    made += [pod for _, _, pod in pods]
    made += [_budget(budget, [load for load, _, _ in pods]) for budget in table.budgets]
    made += [one for front in table.fronts for one in _service(front, pods)]
    made += [_class(one) for one in table.classes]
    made += [one for load in table.loads for one in _disks(load, table)]
    made += [*_api_server(), *table.extra]
    return made + (list(_usage(table, pods)) if table.measured else [])


Placed = tuple[Load, Machine, Manifest]


def _namespace_labels(name: str) -> dict[str, str]:
    own = {"team": name, "pod-security.kubernetes.io/enforce": "baseline"}
    return {"kubernetes.io/metadata.name": name, **(own if name in _TEAMS else {})}


def places(load: Load, machines: Sequence[Machine]) -> list[Machine]:
    """The nodes of a workload's pods, one for each pod."""
    if load.kind != "DaemonSet":
        return [machines[number] for number in load.at]
    chosen = [one for one in machines if load.selector.items() <= one.labels.items()]
    return [one for one in chosen if all(_tolerates(load, taint) for taint in one.taints)]


def _tolerates(load: Load, taint: Mapping[str, str]) -> bool:
    return any(one.get("key", taint["key"]) == taint["key"] for one in load.tolerations)


def node(machine: Machine) -> Manifest:
    """A node that has been Ready since shortly after it came."""
    calm = {"MemoryPressure": "NoPressure", "DiskPressure": "NoPressure", "PIDPressure": "Enough"}
    states = {**calm, **dict.fromkeys(machine.quiet, "NoProblem")}
    conditions = [
        {"type": name, "status": "False", "reason": reason, "lastTransitionTime": ago(_AGE)}
        for name, reason in states.items()
    ]
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    conditions.append({**ready, "lastTransitionTime": ago(_AGE - 30)})
    capacity = {"cpu": machine.capacity[0], "memory": machine.capacity[1]}
    room = {"cpu": machine.allocatable[0], "memory": machine.allocatable[1]}
    disk = {"ephemeral-storage": "94Gi", "hugepages-2Mi": "0", "pods": machine.pods}
    spec = {"taints": [dict(taint) for taint in machine.taints]}
    status = {
        "capacity": {**disk, **capacity},
        "allocatable": {**disk, **room},
        "conditions": conditions,
    }
    meta = _meta(machine.name, labels=dict(machine.labels))
    return thing("v1", "Node", machine.name, metadata=meta, spec=spec, status=status)


def _meta(uid: str, **more: object) -> Manifest:
    return {"uid": f"uid-{uid}", "creationTimestamp": ago(_AGE), **more}


def _hash(load: Load) -> str:
    return _tail(load.namespace, load.name, length=10)


def _made_by(load: Load, machine: Machine | None) -> list[Manifest]:
    """Who made the pods of a workload."""
    if load.kind == "Static":
        return owned_by("Node", machine.name if machine else "", "v1")
    if load.kind == "Deployment":
        return owned_by("ReplicaSet", f"{load.name}-{_hash(load)}")
    return owned_by(load.kind, load.name, "batch/v1" if load.kind == "Job" else "apps/v1")


def _pods(load: Load, table: Distribution) -> Iterator[Manifest]:
    for number, machine in enumerate(places(load, table.machines)):
        yield pod(load, number, machine)


def waiting(load: Load, number: int, seconds: int) -> Manifest:
    """One more pod of a workload, for which the scheduler finds no node."""
    return pod(load, number, None, seconds)


def pod(load: Load, number: int, machine: Machine | None, waits: int = 0) -> Manifest:
    """A pod of a workload."""
    name = _pod_name(load, number, machine)
    extra = {"Deployment": "pod-template-hash", "DaemonSet": "controller-revision-hash"}
    labels = load.chosen | ({extra[load.kind]: _hash(load)} if load.kind in extra else {})
    annotations = {"kubernetes.io/config.mirror": _hash(load)} if load.kind == "Static" else {}
    owner = _made_by(load, machine)
    meta = _meta(name, labels=labels, annotations=annotations, ownerReferences=owner)
    spec = {**_pod_spec(load), **_tied(load, machine)}
    if load.claim_size:
        claim = {"claimName": f"data-{name}"}
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": claim}]
    status = _pod_status(load, name, waits)
    return thing("v1", "Pod", name, load.namespace, metadata=meta, spec=spec, status=status)


def _pod_name(load: Load, number: int, machine: Machine | None) -> str:
    if load.kind == "StatefulSet":
        return f"{load.name}-{number}"
    if load.kind == "Static" and machine:
        return f"{load.name}-{machine.name}"
    stem = f"{load.name}-{_hash(load)}" if load.kind == "Deployment" else load.name
    return f"{stem}-{_tail(load.namespace, load.name, number)}"


def _tied(load: Load, machine: Machine | None) -> Manifest:
    """The node of a pod; a DaemonSet's pod asks for it by name."""
    if machine is None:
        return {}
    if load.kind != "DaemonSet":
        return {"nodeName": machine.name}
    field_ = {"key": "metadata.name", "operator": "In", "values": [machine.name]}
    required = {"nodeSelectorTerms": [{"matchFields": [field_]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return {"nodeName": machine.name, "affinity": affinity}


def _pod_spec(load: Load) -> Manifest:
    """Of a pod, and of its template."""
    known = {"cluster": 2_000_000_000, "node": 2_000_001_000, "": load.priority}
    named = f"system-{load.critical}-critical" if load.critical else load.class_name
    made: Manifest = {
        "containers": [box.manifest() for box in load.boxes],
        "dnsPolicy": load.dns_policy,
        "priority": known[load.critical],
        "schedulerName": "default-scheduler",
        "tolerations": [dict(one) for one in (*load.tolerations, *_added(load))],
    }
    return made | _given(
        nodeSelector=dict(load.selector),
        hostNetwork=load.host_network,
        affinity=load.affinity,
        priorityClassName=named,
        topologySpreadConstraints=list(load.spread),
    )


def _added(load: Load) -> Iterator[Mapping[str, str]]:
    """Tolerations that admission or the DaemonSet controller adds."""
    if load.kind == "Static":
        return
    for state in ("not-ready", "unreachable"):
        yield {
            "key": f"node.kubernetes.io/{state}",
            "operator": "Exists",
            "effect": "NoExecute",
        }
    if load.kind == "DaemonSet":
        for state in ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"):
            key = f"node.kubernetes.io/{state}"
            yield {"key": key, "operator": "Exists", "effect": "NoSchedule"}


def _pod_status(load: Load, name: str, waits: int) -> Manifest:
    if waits:
        unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        stands: list[Manifest] = [{**unschedulable, "lastTransitionTime": ago(waits)}]
        return {"phase": "Pending", "conditions": stands}
    done = load.kind == "Job"
    types = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    conditions = [
        {
            "type": one,
            "status": "False" if done and one.endswith("Ready") else "True",
            "lastTransitionTime": ago(_AGE - 60),
        }
        for one in types
    ]
    phase = "Succeeded" if done else "Running"
    return {"phase": phase, "conditions": conditions, "podIP": _address(name)}


def _address(name: str) -> str:
    number = crc32(name.encode())
    return f"10.244.{number // 256 % 256}.{number % 254 + 1}"


def _controllers(load: Load, table: Distribution) -> Iterator[Manifest]:
    """The object that users see, and a ReplicaSet between a Deployment and its pods."""
    if load.kind == "Static":
        return
    count = len(places(load, table.machines))
    template = {"metadata": {"labels": load.chosen}, "spec": _pod_spec(load)}
    spec: Manifest = {"selector": {"matchLabels": load.chosen}, "template": template}
    status: Manifest = {"replicas": count, "readyReplicas": count, "observedGeneration": 1}
    if load.kind == "DaemonSet":
        scheduled = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
        status = dict.fromkeys(scheduled, count)
    elif load.kind == "Job":
        spec = {"completions": 1, "parallelism": 1, "template": template}
        status = {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    else:
        spec["replicas"] = count
    if load.claim_size:
        spec["serviceName"] = load.name
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": _ask(load)}]
    version = "batch/v1" if load.kind == "Job" else "apps/v1"
    meta = _meta(load.name, labels=load.chosen, generation=1)
    place = (load.name, load.namespace)
    yield thing(version, load.kind, *place, metadata=meta, spec=spec, status=status)
    if load.kind == "Deployment":
        name = f"{load.name}-{_hash(load)}"
        of = _meta(name, ownerReferences=owned_by("Deployment", load.name))
        place = (name, load.namespace)
        yield thing(version, "ReplicaSet", *place, metadata=of, spec=spec, status=status)


def _ask(load: Load) -> Manifest:
    return {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": load.claim_size}},
        "storageClassName": "gp3",
    }


def _disks(load: Load, table: Distribution) -> Iterator[Manifest]:
    """Claims and their disks, each in the zone of its pod."""
    for number, machine in enumerate(places(load, table.machines) if load.claim_size else ()):
        name = f"data-{load.name}-{number}"
        volume = f"pvc-{_tail(load.namespace, name, length=12)}"
        key = "topology.kubernetes.io/zone"
        inside = {"key": key, "operator": "In", "values": [machine.labels[key]]}
        spec = {
            "capacity": {"storage": load.claim_size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": "gp3",
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": f"vol-{volume}"},
            "claimRef": {"namespace": load.namespace, "name": name},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [inside]}]}},
        }
        bound = {"phase": "Bound"}
        meta = _meta(name)
        ask = {**_ask(load), "volumeName": volume}
        place = (name, load.namespace)
        yield thing("v1", "PersistentVolumeClaim", *place, metadata=meta, spec=ask, status=bound)
        yield thing("v1", "PersistentVolume", volume, spec=spec, status=bound)


def _class(one: Class) -> Manifest:
    key = "storageclass.kubernetes.io/is-default-class"
    return thing(
        "storage.k8s.io/v1",
        "StorageClass",
        one.name,
        metadata={"annotations": {key: "true"} if one.default else {}},
        provisioner=one.provisioner,
        reclaimPolicy="Delete",
        volumeBindingMode="WaitForFirstConsumer" if one.waits else "Immediate",
        allowVolumeExpansion=one.expands,
    )


def _budget(budget: Budget, loads: Sequence[Load]) -> Manifest:
    """With the status that the controller writes while all pods are healthy."""
    here = [load for load in loads if load.namespace == budget.namespace]
    expected = sum(budget.selects.items() <= load.chosen.items() for load in here)
    if budget.min_available is None:
        desired = max(0, expected - _share(budget.max_unavailable or 0, expected))
        amount: Manifest = {"maxUnavailable": budget.max_unavailable}
    else:
        desired = _share(budget.min_available, expected)
        amount = {"minAvailable": budget.min_available}
    status = {
        "observedGeneration": 1,
        "disruptionsAllowed": max(0, expected - desired),
        "currentHealthy": expected,
        "desiredHealthy": desired,
        "expectedPods": expected,
    }
    spec = {"selector": {"matchLabels": dict(budget.selects)}, **amount}
    meta = _meta(budget.name, generation=1)
    place = (budget.name, budget.namespace)
    return thing(
        "policy/v1", "PodDisruptionBudget", *place, metadata=meta, spec=spec, status=status
    )


def _share(amount: int | str, of: int) -> int:
    return amount if isinstance(amount, int) else -(-int(amount.rstrip("%")) * of // 100)


def _service(front: Front, pods: Sequence[Placed]) -> Iterator[Manifest]:
    behind = [
        str(one["metadata"]["name"])  # type: ignore[index]
        for load, _, one in pods
        if load.namespace == front.namespace and front.selects.items() <= load.chosen.items()
    ]
    ports = [
        {"name": name, "protocol": protocol, "port": port, "targetPort": target}
        for name, protocol, port, target in front.ports
    ]
    spec = {
        "type": front.type,
        "selector": dict(front.selects),
        "clusterIP": front.ip,
        "clusterIPs": [front.ip],
        "ports": ports,
    }
    meta = _meta(front.name, labels=dict(front.labels))
    yield thing("v1", "Service", front.name, front.namespace, metadata=meta, spec=spec)
    yield _slice(front.name, front.namespace, [_address(name) for name in behind], front.ports)


def _slice(
    service: str,
    within: str,
    addresses: Sequence[str],
    ports: Sequence[tuple[str, str, int, int]],
) -> Manifest:
    return thing(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"{service}-{_tail(within, service)}",
        within,
        metadata=_meta(service, labels={"kubernetes.io/service-name": service}),
        addressType="IPv4",
        endpoints=[{"addresses": [one], "conditions": {"ready": True}} for one in addresses],
        ports=[{"name": name, "protocol": proto, "port": port} for name, proto, _, port in ports],
    )


def _api_server() -> Iterator[Manifest]:
    ports = [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]
    spec = {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": ports}
    yield thing("v1", "Service", "kubernetes", "default", metadata=_meta("api"), spec=spec)
    yield _slice("kubernetes", "default", ["172.16.0.2"], [("https", "TCP", 443, 6443)])


def _usage(table: Distribution, pods: Sequence[Placed]) -> Iterator[Manifest]:
    """What metrics-server tells of nodes, and of pods that run."""
    version = "metrics.k8s.io/v1beta1"
    running = [placed for placed in pods if placed[0].kind != "Job"]
    for machine in table.machines:
        used = [load.uses for load, where, _ in running if where is machine]
        cpu, memory = (sum(column) for column in zip(machine.base, *used, strict=True))
        amount = {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}
        yield thing(version, "NodeMetrics", machine.name, timestamp=ago(20), usage=amount)
    for load, _, one in running:
        cpu, memory = (part // len(load.boxes) for part in load.uses)
        amount = {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}
        containers = [{"name": box.name, "usage": amount} for box in load.boxes]
        name = str(one["metadata"]["name"])  # type: ignore[index]
        place = (name, load.namespace)
        yield thing(version, "PodMetrics", *place, timestamp=ago(20), containers=containers)
