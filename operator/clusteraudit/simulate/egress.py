"""What a pod's egress policies let through: the union of their rules, as the API defines it.

Source: k8s.io/api `networking/v1/types.go`. Whether a block of addresses matches pods and Services
depends on the network plugin, so it is answered MAYBE.
"""

from collections.abc import Iterable
from enum import IntEnum
from ipaddress import ip_address, ip_network

import msgspec

from clusteraudit.model.cluster import Cluster
from clusteraudit.model.rows import ContainerPort, PolicyPeer, PolicyPort, PolicyRow
from clusteraudit.model.selectors import Labels

OTHER_POLICIES = (
    "cilium.io",
    "crd.antrea.io",
    "crd.projectcalico.org",
    "policy.networking.k8s.io",
    "projectcalico.org",
)
"""API groups with policies of other kinds, which can allow and deny beside NetworkPolicies."""


def decided_elsewhere(cluster: Cluster) -> bool:
    """Whether policies that are not modelled can decide."""
    return any(cluster.serves(group) for group in OTHER_POLICIES)


class Verdict(IntEnum):
    """Whether traffic passes."""

    NO = 0
    MAYBE = 1
    YES = 2


class Backend(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A class of pods that serve, and the addresses by which they can be reached."""

    namespace: str
    namespace_labels: Labels
    labels: Labels
    ports: tuple[ContainerPort, ...]
    addresses: tuple[str, ...]


def passes(policies: Iterable[PolicyRow], backend: Backend, protocol: str, number: int) -> Verdict:
    """Whether the policies, taken together, let a connection to the backend's port out."""
    best = Verdict.NO
    for policy in policies:
        for rule in policy.egress_rules:
            if not rule.ports or any(_opens(one, backend, protocol, number) for one in rule.ports):
                peers = [_admits(peer, policy.namespace, backend) for peer in rule.peers]
                best = max(best, Verdict.YES if not peers else max(peers))
    return best


def _opens(port: PolicyPort, backend: Backend, protocol: str, number: int) -> bool:
    if port.protocol != protocol:
        return False
    if port.name:
        return any(
            (one.name, one.protocol, one.number) == (port.name, protocol, number)
            for one in backend.ports
        )
    return port.number is None or port.number <= number <= (port.end or port.number)


def _admits(peer: PolicyPeer, namespace: str, backend: Backend) -> Verdict:
    if peer.cidr:
        return _covers(peer, backend.addresses)
    if peer.namespaces is None and backend.namespace != namespace:
        return Verdict.NO
    if peer.namespaces is not None and not peer.namespaces.matches(backend.namespace_labels):
        return Verdict.NO
    matches = peer.pods is None or peer.pods.matches(backend.labels)
    return Verdict.YES if matches else Verdict.NO


def _covers(peer: PolicyPeer, addresses: Iterable[str]) -> Verdict:
    inside = any(
        _within(address, peer.cidr) and not any(_within(address, one) for one in peer.excepted)
        for address in addresses
    )
    return Verdict.MAYBE if inside else Verdict.NO


def _within(address: str, cidr: str) -> bool:
    try:
        return ip_address(address) in ip_network(cidr, strict=False)
    except ValueError:  # such a block matches nothing
        return False
