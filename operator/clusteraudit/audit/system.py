"""System namespaces: those that distributions, network plugins and provisioners bring."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

BROUGHT_BY: Mapping[str, str] = {
    "kube-*": "Kubernetes, flannel",
    "amazon-*": "add-ons of EKS",
    "aws-*": "add-ons of EKS",
    "azure-*": "Azure Arc",
    "calico-*": "Calico",
    "cattle-*": "Rancher",
    "cilium*": "Cilium",
    "cluster-audit": "the chart of Cluster Audit, by convention",
    "fleet-*": "Rancher",
    "gatekeeper-system": "the policy add-on of AKS, Gatekeeper",
    "gke-*": "GKE",
    "gmp-*": "GKE, managed Prometheus",
    "ingress-nginx": "the ingress add-on of several distributions",
    "karpenter": "Karpenter",
    "local-path-storage": "kind",
    "longhorn-system": "Longhorn",
    "metallb-system": "MetalLB",
    "openshift*": "OpenShift",
    "rook-ceph": "Rook",
    "tigera-*": "the operator of Calico",
}
"""Patterns, and who brings such a namespace.

Hygiene rules are silent there unless asked: their owner is not who reads this.
"""

SYSTEM_NAMESPACES = tuple(BROUGHT_BY)


@lru_cache(maxsize=10_000)
def is_system(namespace: str, patterns: tuple[str, ...] = SYSTEM_NAMESPACES) -> bool:
    """Whether a namespace is one of the system's."""
    return any(fnmatchcase(namespace, pattern) for pattern in patterns)
