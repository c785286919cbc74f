"""A real API server that holds the made cluster: etcd is filled first, then it starts."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controlplane import ControlPlane
from controlplane.components import API_SERVER, ETCD
from demo.operator import NAMESPACE, RESTRICTED, install_chart
from scale.churn import moment
from scale.etcd import Etcd
from scale.manifests import everything
from scale.pods import Pods
from scale.server import Server
from scale.usage import MetricsServer, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from scale.churn import Where
    from scale.cluster import Cluster
    from scale.etcd import Put
    from scale.pods import State

_QUOTA = 16 * 2**30
_PATIENCE = 600.0
_FLAGS = {
    # Progress as kubeadm has it: without, a watch of a kind that never changes hears nothing.
    ETCD: [f"--quota-backend-bytes={_QUOTA}", "--watch-progress-notify-interval=5s"],
    # Every five minutes the cache is compared with all of etcd. What is JSON there, and protobuf
    # in a real cluster, takes 40 s of CPU to decode: of whatever is measured just then.
    API_SERVER: ["--feature-gates=DetectCacheInconsistency=false"],
}
_DAY = 86_400.0
"""The age of what is loaded: no rule waits for it any more."""


@dataclass(frozen=True)
class Stand:
    """What is measured on."""

    plane: ControlPlane
    etcd: Etcd
    server: Server
    kubeconfig: Path
    now: str
    loaded: int
    """Objects."""
    load_seconds: float
    states: dict[Where, State]
    """How its pods are by now, where that is not how they were made."""

    def pid(self, component: str) -> int:
        """The process of a component."""
        found = self.plane.component(component).pid
        if found is None:
            raise RuntimeError(f"{component} does not run")
        return found


@contextlib.asynccontextmanager
async def stand(cluster: Cluster, *, with_usage: bool) -> AsyncIterator[Stand]:
    """The control plane with everything in it; it goes with the context."""
    plane = ControlPlane(components=(ETCD, API_SERVER), flags=_FLAGS, patience=_PATIENCE)
    with plane:
        plane.add_namespace(NAMESPACE, RESTRICTED)
        kubeconfig = install_chart(plane)
        plane.kill(API_SERVER)
        began, now = time.monotonic(), moment(-_DAY)
        async with Etcd(plane.layout.ports[ETCD]) as etcd:
            loaded = await etcd.load(_all(cluster, now))
            plane.restart(API_SERVER)
            took = time.monotonic() - began
            states: dict[Where, State] = {}
            async with contextlib.AsyncExitStack() as stack:
                server = await stack.enter_async_context(Server(plane.access))
                if with_usage:
                    await stack.enter_async_context(serving(plane, MetricsServer(cluster, states)))
                yield Stand(plane, etcd, server, kubeconfig, now, loaded, took, states)


def _all(cluster: Cluster, now: str) -> Iterator[Put]:
    yield from everything(cluster, now)
    pods = Pods(now)
    for workload in cluster.workloads:
        for at in range(len(workload.nodes)):
            yield pods.put(workload, at)
