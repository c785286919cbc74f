"""Usage as a metrics-server tells it: an API behind the API server, with samples made when asked.

Of the pods that run by then, in nanocores and Ki, and never twice the same. Like metrics-server it
does not heed `limit`: one answer holds all that was asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
from collections import defaultdict
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from aiohttp import web

from controlplane import ApiError
from controlplane.objects import METRICS, METRICS_VERSION
from scale.churn import moment
from scale.cluster import MACHINES, SYSTEM, node_name, pool_of
from scale.pods import NEW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

    from controlplane import ControlPlane
    from scale.churn import Where
    from scale.cluster import Cluster, Workload
    from scale.pods import State

NAME = "metrics-server"
_PATIENCE = 60.0
_KINDS = {"nodes": "NodeMetrics", "pods": "PodMetrics"}
_AT_ONCE = 1000
_MEBIBYTE = 1024
"""In Ki."""


class MetricsServer:
    """What the cluster uses; `states` is how its pods are by now."""

    def __init__(self, cluster: Cluster, states: Mapping[Where, State], seed: int = 3) -> None:
        self._nodes = cluster.size.nodes
        self._states = states
        self._chance = random.Random(seed)
        self._by_namespace = defaultdict[str, list["Workload"]](list)
        for workload in cluster.workloads:
            if workload.kind != "Job":
                self._by_namespace[workload.namespace].append(workload)

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        root = f"/apis/{METRICS_VERSION}"
        return [
            web.get(root, self._discovery),
            web.get(f"{root}/nodes", self._of_nodes),
            web.get(f"{root}/pods", self._of_pods),
            web.get(f"{root}/namespaces/{{namespace}}/pods", self._of_pods),
        ]

    async def _discovery(self, _: web.Request) -> web.Response:
        resources = [
            {"name": name, "singularName": "", "namespaced": name == "pods", "kind": kind}
            for name, kind in _KINDS.items()
        ]
        said = [{**one, "verbs": ["get", "list"]} for one in resources]
        group = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": METRICS_VERSION}
        return web.json_response({**group, "resources": said})

    async def _of_nodes(self, request: web.Request) -> web.StreamResponse:
        return await _listed(request, "nodes", map(self._node, range(self._nodes)))

    async def _of_pods(self, request: web.Request) -> web.StreamResponse:
        names = [request.match_info.get("namespace", "")]
        if not names[0]:
            names = list(self._by_namespace)
        return await _listed(request, "pods", self.samples(names))

    def samples(self, namespaces: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Of each pod that runs in them."""
        workloads = (one for name in namespaces for one in self._by_namespace.get(name, ()))
        return chain.from_iterable(map(self._pods, workloads))

    def _node(self, number: int) -> dict[str, Any]:
        cores, gib = MACHINES[pool_of(number)]
        used = self._used(600 * cores, 700 * gib)
        return {"metadata": {"name": node_name(number)}, **_sampled(moment()), "usage": used}

    def _pods(self, workload: Workload) -> Iterator[dict[str, Any]]:
        names = ("app", "mesh-proxy") if workload.sidecar else ("app",)
        now, labels = moment(), {"app": workload.name}
        for at, node in enumerate(workload.nodes):
            if node is not None:
                state = self._states.get((workload.number, at), NEW)
                name = workload.pod(at, state.revision, state.life)
                meta = {"name": name, "namespace": workload.namespace, "labels": labels}
                meta["creationTimestamp"] = now
                used = (self._used(workload.cpu, workload.memory) for _ in names)
                pairs = zip(names, used, strict=True)
                containers = [{"name": one, "usage": usage} for one, usage in pairs]
                yield {"metadata": meta, **_sampled(now), "containers": containers}

    def _used(self, cpu: int, memory: int) -> dict[str, str]:
        """Up to so many millicores, and between a fourth and all of so many MiB."""
        spent = int(self._chance.random() * cpu * 10**6)
        held = int((0.25 + 0.75 * self._chance.random()) * memory * _MEBIBYTE)
        return {"cpu": f"{spent}n", "memory": f"{held}Ki"}


def _sampled(now: str) -> dict[str, str]:
    return {"timestamp": now, "window": "15.1s"}


async def _listed(
    request: web.Request, resource: str, items: Iterator[dict[str, Any]]
) -> web.StreamResponse:
    """A list, made while it is read: the largest has 70 MB."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    kind = {"kind": f"{_KINDS[resource]}List", "apiVersion": METRICS_VERSION, "metadata": {}}
    await response.write(_text(kind)[:-1] + b',"items":[')
    between = b""
    while some := list(islice(items, _AT_ONCE)):
        await response.write(between + _text(some)[1:-1])
        between = b","
    await response.write(b"]}")
    return response


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@contextlib.asynccontextmanager
async def serving(plane: ControlPlane, server: MetricsServer) -> AsyncIterator[None]:
    """Serve it behind the API server of the control plane."""
    app = web.Application()
    app.add_routes(server.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        pki = plane.layout.pki
        tls.load_cert_chain(pki / "server.crt", pki / "server.key")
        await web.TCPSite(runner, "localhost", 0, ssl_context=tls).start()
        plane.apply(registration(runner.addresses[0][1]))
        answers = partial(_answers, plane)
        await asyncio.to_thread(plane.wait, answers, _PATIENCE, "the API server to tell usage")
        yield
    finally:
        await runner.cleanup()


def _answers(plane: ControlPlane) -> bool:
    try:
        return bool(plane.api.items(METRICS_VERSION, "NodeMetrics"))
    except ApiError:
        return False


def registration(port: int) -> list[dict[str, Any]]:
    """What tells the API server who answers for metrics.k8s.io: somebody on this machine."""
    of = {"name": NAME, "namespace": SYSTEM}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": of,
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }
    version = METRICS_VERSION.partition("/")[2]
    spec = {
        "group": METRICS,
        "version": version,
        "service": {**of, "port": port},
        "insecureSkipTLSVerify": True,
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
    }
    api_service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{METRICS}"},
        "spec": spec,
    }
    return [service, api_service]
