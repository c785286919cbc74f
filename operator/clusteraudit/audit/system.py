"""System namespaces: those that distributions, network plugins and provisioners bring."""

from fnmatch import fnmatchcase

SYSTEM_NAMESPACES = (
    "kube-*",
    "amazon-*",
    "aws-*",
    "azure-*",
    "calico-*",
    "cattle-*",
    "cilium*",
    "fleet-*",
    "gatekeeper-system",
    "gke-*",
    "gmp-*",
    "ingress-nginx",
    "karpenter",
    "local-path-storage",
    "longhorn-system",
    "metallb-system",
    "openshift*",
    "rook-ceph",
    "tigera-*",
)
"""Patterns. Hygiene rules are silent there unless asked: their owner is not who reads this."""


def is_system(namespace: str, patterns: tuple[str, ...] = SYSTEM_NAMESPACES) -> bool:
    """Whether a namespace is one of the system's."""
    return any(fnmatchcase(namespace, pattern) for pattern in patterns)
