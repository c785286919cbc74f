"""What the real API server and the real scheduler make of quantities, requests, limits and QoS.

`ORACLE_PODS` and `ORACLE_SEED` in the environment make it larger, and another one.
"""

import http.client
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

from clusteraudit.model.quantity import MAX, MILLI
from clusteraudit.model.requests import stored
from clusteraudit.model.rows import PodTemplate, amount_of
from clusteraudit.sources import amounts
from clusteraudit.sources.feed import TranslateError
from clusteraudit.sources.payload import decode
from controlplane import ApiError, ControlPlane, Object
from controlplane.api import PARALLEL, Access, Connections
from controlplane.components import SCHEDULER
from support.asking import OVERHEAD, RUNTIME, SPECIAL, pod, quantities, spec, template
from support.canonical import canonical

COUNT = int(os.environ.get("ORACLE_PODS", "300"))
SEED = int(os.environ.get("ORACLE_SEED", "1"))
FIT = "does not fit into 64 bits"


def answers(plane: ControlPlane, pods: Sequence[Object]) -> list[Object | ApiError]:
    """What the server would store, or why it refuses."""
    path = plane.api.object_path(pods[0], collection=True) + "?dryRun=All"

    def ask(one: Object) -> Object | ApiError:
        try:
            return plane.api.request("POST", path, one)
        except ApiError as error:
            return error

    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(ask, pods))


def without_class(manifest: Object) -> Object:
    """So that the class is computed, not read."""
    return {**manifest, "status": {}}


@pytest.fixture
def runtime(plane: ControlPlane) -> Iterator[None]:
    manifest = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": RUNTIME},
        "handler": "none",
        "overhead": {"podFixed": OVERHEAD},
    }
    plane.create([manifest])
    yield
    plane.delete([manifest])


# Quantities


def asking(text: object, resource: str) -> Object:
    container = {"name": "c", "image": "x:1", "resources": {"requests": {resource: text}}}
    return {"containers": [container]}


@pytest.mark.parametrize("resource", ["cpu", "memory"])
def test_a_quantity_is_valid_if_the_server_takes_it(
    plane: ControlPlane, fresh: str, resource: str
) -> None:
    """Value and form too. What int64 does not hold it takes, and reckons with something else."""
    texts = [*SPECIAL, *quantities(Random(SEED), COUNT)]
    pods = [pod(fresh, "p", asking(text, resource)) for text in texts]
    seen: Counter[str] = Counter()
    for text, sent, answer in zip(texts, pods, answers(plane, pods), strict=True):
        verdict, ours = judged(sent, resource)
        if isinstance(answer, ApiError):
            assert answer.status in {http.client.BAD_REQUEST, http.client.UNPROCESSABLE_ENTITY}
            assert verdict != "taken", (SEED, text, ours, answer)
        else:
            assert verdict != "refused", (SEED, text, ours, kept(answer, resource))
            same(text, kept(answer, resource), resource, verdict, ours)
        seen[verdict] += 1
    assert min(seen[one] for one in ("taken", "refused", "too large")) > len(texts) // 50


def judged(sent: Object, resource: str) -> tuple[str, int]:
    try:
        return "taken", amount_of(template(sent).requests, resource)
    except TranslateError as error:
        large = error.reason == "InvalidQuantity" and FIT in str(error)
        return ("too large" if large else "refused"), 0


def kept(answer: Object, resource: str) -> str:
    text: str = answer["spec"]["containers"][0]["resources"]["requests"][resource]
    return text


def same(text: str, server: str, resource: str, verdict: str, ours: int) -> None:
    form, value = canonical(text.strip())
    assert server == form, (SEED, text)
    if verdict == "too large":
        assert value * (MILLI if resource == "cpu" else 1) > MAX, (SEED, text, server)
    else:
        assert {resource: ours} == dict(template(pod("n", "p", asking(server, resource))).requests)


def test_numbers_and_null_are_read_as_the_server_reads_them(
    plane: ControlPlane, fresh: str
) -> None:
    values: list[object] = [0, 1, 7, 1.5, 0.1, 1e-7, 123456789.25, None, True, [], {}]
    pods = [pod(fresh, "p", asking(value, "cpu")) for value in values]
    for value, sent, answer in zip(values, pods, answers(plane, pods), strict=True):
        try:
            ours: PodTemplate | None = template(sent)
        except (TranslateError, ValueError):
            ours = None
        if isinstance(answer, ApiError):
            assert ours is None, value
        else:
            assert ours is not None, (value, kept(answer, "cpu"))
            # Null is 0 there, and nothing said here.
            theirs = template(without_class(answer))
            assert amount_of(ours.requests, "cpu") == amount_of(theirs.requests, "cpu"), value


# Pods


@pytest.mark.usefixtures("runtime")
def test_requests_limits_and_qos_are_completed_as_the_server_does(
    plane: ControlPlane, fresh: str
) -> None:
    rng = Random(SEED)
    pods = [pod(fresh, "p", spec(rng)) for _ in range(COUNT)]
    classes: Counter[str] = Counter()
    for sent, answer in zip(pods, answers(plane, pods), strict=True):
        assert not isinstance(answer, ApiError), (SEED, sent, answer)
        ours, theirs = template(sent), template(without_class(answer))
        assert ours.qos == theirs.qos == answer["status"]["qosClass"], (SEED, sent)
        assert (ours.requests, ours.limits) == (theirs.requests, theirs.limits), (SEED, sent)
        assert literal(answer["spec"]) == completed(sent), (SEED, sent)
        classes[ours.qos] += 1
    assert min(classes[one] for one in ("BestEffort", "Burstable", "Guaranteed")) > COUNT // 30


def literal(answered: Object) -> Object:
    """Requests and limits of each container, and of the whole, as the server stored them."""
    every = [*answered["containers"], *answered.get("initContainers", [])]
    parts = {one["name"]: _both(one.get("resources", {})) for one in every}
    whole = _both(answered.get("resources", {}))
    return {"parts": parts, "whole": whole if any(whole) else None}


def _both(held: Object) -> tuple[Object, Object]:
    return stored(held.get("requests", {})), stored(held.get("limits", {}))


def completed(sent: Object) -> Object:
    """The same as we complete them."""
    document: Any = decode("Pod", sent)
    found = amounts.asked(document.spec)
    whole = (found.whole.requests, found.whole.limits) if found.whole else None
    parts = {part.name: (part.asks.requests, part.asks.limits) for part in found.parts}
    return {"parts": parts, "whole": whole}


@pytest.mark.usefixtures("runtime")
def test_sums_are_those_of_the_scheduler(plane: ControlPlane, fresh: str) -> None:
    """Its own metrics of what each pod requests and may use, to the precision of a float."""
    rng = Random(SEED + 1)
    pods = [pod(fresh, f"p-{number}", spec(rng)) for number in range(COUNT)]
    created = plane.create(pods)
    plane.wait(lambda: len(told(plane, fresh)) >= asking_anything(created), what="its metrics")
    theirs = told(plane, fresh)
    for sent in pods:
        name, ours = sent["metadata"]["name"], template(sent)
        wanted = {("request", r): in_units(r, v) for r, v in ours.requests if v}
        wanted |= {("limit", r): in_units(r, v) for r, v in ours.limits if v}
        assert theirs.get(name, {}) == wanted, (SEED, sent)
    plane.delete(created, grace=0)


def asking_anything(pods: Iterable[Object]) -> int:
    return sum(any(v for _, v in (*t.requests, *t.limits)) for t in map(template, pods))


def in_units(resource: str, value: int) -> float:
    return value / MILLI if resource == "cpu" else float(value)


_METRIC = re.compile(r"kube_pod_resource_(request|limit)\{(.*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def told(plane: ControlPlane, namespace: str) -> dict[str, dict[tuple[str, str], float]]:
    """By pod, what the scheduler says of its requests and limits; amounts rounded up as it does."""
    port = plane.layout.ports[SCHEDULER]
    access = Access(f"https://127.0.0.1:{port}", plane.ca, plane.token)
    connections = Connections(access)
    headers = {"Authorization": f"Bearer {plane.token}"}
    status, text = connections.exchange("GET", "/metrics/resources", None, headers)
    connections.close()
    assert status == http.client.OK
    found: dict[str, dict[tuple[str, str], float]] = {}
    for kind, labels, value in _METRIC.findall(text):
        of = dict(_LABEL.findall(labels))
        if of["namespace"] == namespace:
            amount = ceiling(of["resource"], float(value))
            found.setdefault(of["pod"], {})[kind, of["resource"]] = amount
    return found


def ceiling(resource: str, value: float) -> float:
    """Its metric is exact to thousandths; fits count whole bytes, as we do."""
    thousandths = round(value * MILLI)
    return thousandths / MILLI if resource == "cpu" else float(-(-thousandths // MILLI))
