"""A real Kubernetes control plane on this machine: no kubelet, no containers, ready in seconds.

Tests, the demo and the benchmarks share it. `ControlPlane` starts etcd, kube-apiserver,
kube-controller-manager, kube-scheduler and KWOK, which plays the nodes; `python -m controlplane up`
does so for a developer.
"""

from .api import Api
from .binaries import provide
from .cluster import Cluster
from .errors import ApiError
from .objects import Object, node
from .plane import ControlPlane
from .processes import ComponentFailedError
from .waiting import wait

__all__ = [
    "Api",
    "ApiError",
    "Cluster",
    "ComponentFailedError",
    "ControlPlane",
    "Object",
    "node",
    "provide",
    "wait",
]
