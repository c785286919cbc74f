"""An egress policy cuts its pods off from the cluster's DNS.

## What it looks at
Pods that the policy isolates for egress, all policies that select them taken together, and the
endpoints of the cluster's DNS Service at their own port and protocol (which need not be 53).

## Why it matters
Every name fails to resolve. It looks like a slow or dead backend: timeouts, restarts, 502, and no
message that names the policy.

## What to do
Allow egress to the DNS pods, UDP and TCP, at the port of the endpoints.

## When it stays silent
For pods on the host's network, and those whose dnsPolicy is None or Default. Unknown where no DNS
endpoints are seen, where a node-local cache answers, where policies of other kinds can decide, and
where only a block of addresses would let the traffic out, which plugins read differently.
"""

from collections.abc import Iterator

from clusteraudit.model import build
from clusteraudit.model.rows import (
    ContainerPort,
    EndpointSliceRow,
    NamespaceRow,
    PodRow,
    PolicyRow,
    ServiceRow,
    WorkloadRow,
)
from clusteraudit.model.selectors import Labels
from clusteraudit.rules.kit import (
    Answer,
    Cluster,
    Failure,
    Layer,
    Ref,
    Settings,
    Severity,
    Unknown,
    broken,
    count,
    found,
    rule,
    some,
    sound,
)
from clusteraudit.simulate.egress import Backend, Verdict, decided_elsewhere, passes

_TO_DNS = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}


def _shop(policy: build.Manifest) -> tuple[build.Manifest, ...]:
    return (
        *build.cluster_dns(),
        build.node("node-a"),
        build.deployment("web"),
        *build.pods_of("web", on="node-a"),
        policy,
    )


@rule(
    code="NET101",
    title="A policy cuts pods off from DNS",
    subject="NetworkPolicy",
    layer=Layer.NETWORKING,
    failure=Failure.CONNECTIVITY,
    severity=Severity.HIGH,
    reads=("NetworkPolicy", "Pod", "Service", "EndpointSlice", "Namespace"),
    complete=("NetworkPolicy", "Service", "EndpointSlice", "Namespace"),
    uses=("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "Job"),
    leads_to=("service-without-endpoints",),
    message="{subject}: {pods} of {workloads} cannot reach the cluster's DNS over {protocols}: "
    "no egress rule lets them out to {dns} at port {ports}.",
    remedy="Allow egress to {dns}, UDP and TCP, port {ports}.",
    since="0.1",
    examples=(
        broken(
            "egress is denied without a word about DNS",
            _shop(build.egress_policy("lock")),
            mend=build.egress_policy("lock", egress=[_TO_DNS]),
        ),
        sound("DNS is allowed", _shop(build.egress_policy("lock", egress=[_TO_DNS]))),
        sound("the policy selects another app", _shop(build.egress_policy("lock", app="api"))),
    ),
)
def egress_cuts_dns(policy: Ref, cluster: Cluster, _: Settings) -> Iterator[Answer]:
    row = cluster.get(PolicyRow, policy)
    if row is None or not row.egress:
        return
    selected = list(_selected(cluster, row))
    if not selected:
        return
    dns, missing = _dns(cluster)
    if dns is None:
        yield Unknown(policy, missing)
        return
    yield from _judge(cluster, policy, selected, dns)


def _judge(
    cluster: Cluster, policy: Ref, selected: list[tuple[Labels, list[PodRow]]], dns: "_Dns"
) -> Iterator[Answer]:
    verdicts = {
        protocol: [
            (_best(cluster, policy.namespace, labels, dns, port), pods) for labels, pods in selected
        ]
        for protocol, port in dns.ports.items()
    }
    cut = {
        protocol: [pod for verdict, pods in rows if verdict is Verdict.NO for pod in pods]
        for protocol, rows in verdicts.items()
    }
    protocols = tuple(sorted(protocol for protocol, pods in cut.items() if pods))
    if protocols:
        worst = cut["UDP" if "UDP" in protocols else protocols[0]]
        yield _finding(cluster, policy, worst, protocols, dns)
    elif any(verdict is Verdict.MAYBE for rows in verdicts.values() for verdict, _ in rows):
        yield Unknown(policy, "AddressBlockSemantics")


def _finding(
    cluster: Cluster, policy: Ref, pods: list[PodRow], protocols: tuple[str, ...], dns: "_Dns"
) -> Answer:
    owners = sorted({cluster.owner(pod) for pod in pods})
    ports = sorted({str(port.number) for port in dns.ports.values()})
    return found(
        policy,
        refs=owners,
        severity=Severity.HIGH if "UDP" in protocols else Severity.INFO,
        pods=len(pods),
        names=tuple(sorted(pod.name for pod in pods))[:5],
        protocols=protocols,
        dnsPorts=tuple(ports),
        words={
            "pods": count(len(pods), "pod"),
            "workloads": some([str(one) for one in owners]),
            "protocols": " and ".join(protocols),
            "dns": f"Service {dns.service.namespace}/{dns.service.name}",
            "ports": " and ".join(ports),
        },
    )


def _selected(cluster: Cluster, policy: PolicyRow) -> Iterator[tuple[Labels, list[PodRow]]]:
    for labels in cluster.labels("pods_by_labels", policy.namespace, policy.selector):
        pods = cluster.bucket(PodRow, "there_by_labels", (policy.namespace, labels))
        asking = [pod for pod in pods if pod.active and _asks_cluster_dns(pod)]
        if asking:
            yield labels, asking


def _asks_cluster_dns(pod: PodRow) -> bool:
    return not pod.template.host_network and pod.template.dns_policy not in {"Default", "None"}


def _best(
    cluster: Cluster, namespace: str, labels: Labels, dns: "_Dns", port: ContainerPort
) -> Verdict:
    policies = [
        one
        for one in cluster.bucket(PolicyRow, "policies_in", namespace)
        if one.egress and one.selector.matches(labels)
    ]
    return max(passes(policies, one, port.protocol, port.number) for one in dns.backends)


class _Dns:
    """The cluster's DNS: its Service, a port by protocol, and classes of pods behind it."""

    def __init__(
        self, service: ServiceRow, ports: dict[str, ContainerPort], backends: list[Backend]
    ) -> None:
        self.service = service
        self.ports = ports
        self.backends = backends


def _dns(cluster: Cluster) -> tuple[_Dns | None, str]:
    """The cluster's DNS, or what is missing to judge it."""
    if decided_elsewhere(cluster):
        return None, "OtherPolicyKinds"
    if cluster.find(WorkloadRow, "DaemonSet", "kube-system", "node-local-dns"):
        return None, "NodeLocalDNS"
    services = cluster.bucket(ServiceRow, "cluster_dns", at=True)
    if not services:
        return None, "DNSService"
    service = services[0]
    slices = [
        one for one in cluster.bucket(EndpointSliceRow, "slices_of", service.key) if one.ready
    ]
    ports = {port.protocol: port for one in slices for port in one.ports if _is_dns(port)}
    backends = list(_backends(cluster, service, [ip for one in slices for ip in one.addresses]))
    if not ports or not backends:
        return None, "DNSEndpoints"
    return _Dns(service, ports, backends), ""


def _is_dns(port: ContainerPort) -> bool:
    return port.name.startswith("dns") or port.name.endswith("-53") or port.number in {53, 5353}


def _backends(cluster: Cluster, service: ServiceRow, addresses: list[str]) -> Iterator[Backend]:
    namespace = cluster.find(NamespaceRow, "Namespace", "", service.namespace)
    if not service.selector:
        return
    for labels in cluster.labels("pods_by_labels", service.namespace, service.selector):
        pods = cluster.bucket(PodRow, "there_by_labels", (service.namespace, labels))
        serving = [pod for pod in pods if pod.active]
        if serving:
            yield Backend(
                namespace=service.namespace,
                namespace_labels=namespace.labels if namespace else Labels(),
                labels=labels,
                ports=serving[0].template.ports,
                addresses=(*addresses, *service.cluster_ips),
            )
