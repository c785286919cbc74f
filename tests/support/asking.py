"""Generated pods and quantities: what the API server takes, and what it refuses."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from clusteraudit.model.rows import PodTemplate
from clusteraudit.sources.payload import decode
from clusteraudit.sources.translate import translate

CPU, MEMORY, DISK = "cpu", "memory", "ephemeral-storage"
PAGES, GPU = "hugepages-2Mi", "example.com/gpu"
RUNTIME = "oracle-overhead"
OVERHEAD = {"cpu": "250m", "memory": "64Mi"}

_SIZES: Mapping[str, tuple[str, ...]] = {
    CPU: ("0", "100u", "1m", "100m", "0.25", "333333u", "1", "1500m", "2e0", "2"),
    MEMORY: ("0", "100m", "1", "1500", "64Mi", "100M", "1e9", "1Gi", "1.5Gi", "2Gi"),
    DISK: ("0", "10Mi", "1G", "1.5Gi", "2Gi"),
    PAGES: ("2Mi", "4Mi", "64Mi"),
    GPU: ("1", "2", "8"),
}
"""Each in ascending order: a request is taken from before its limit."""
_WHOLE = {CPU: ("64", "128"), MEMORY: ("64Gi", "100Gi"), PAGES: ("1Gi",)}
"""Of a pod as a whole: more than all of its containers together can ask for."""


SPECIAL = (
    *("nan", "NaN", "Infinity", "1K", "1e", "1 Gi", " 1Gi ", "\t1", "1\n", "\u0663", "\uff11"),
    *("1e" + "9" * 800, "1e99", "1e-99", "1e-400", "1e400", "0e99", "1e4294967299", "1E", "1E3"),
    *("", " ", "+", "-", ".", "m", "e3", "e-10", "Ki", "Ei", ".Gi", "+.5", "1.", "01", "1e3Ki"),
    *(
        "8Ei",
        "-8Ei",
        "9223372036854775807",
        "9223372036854775808",
        "10E",
        "123456789012345678901Gi",
    ),
    *("1n", "0.1n", "0.0000000001", "999999999n", "1.0000000001", "-1n", "-0", "0.5Ki", "1_000"),
    *("1023", "1024", "9" * 500, "9" * 500 + "Ki", "0" * 500 + "1", "0." + "0" * 500 + "1"),
    "1." + "3" * 500 + "Gi",
)
"""Texts at the edges of the grammar, and beyond."""


def pod(namespace: str, name: str, asks: dict[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": asks}


def template(manifest: dict[str, Any]) -> PodTemplate:
    """What the model makes of a pod; raises TranslateError."""
    made: Any = translate("Pod", decode("Pod", manifest))
    return made.template  # type: ignore[no-any-return]  # the row of a pod


def resources(rng: Random) -> dict[str, Any]:
    """Of a container: nothing, requests, limits or both, as the API server takes them."""
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for name in (CPU, MEMORY, DISK):
        low, high = sorted(rng.choices(range(len(_SIZES[name])), k=2))
        if rng.random() < 0.5:
            requests[name] = _SIZES[name][low]
        if rng.random() < 0.4:
            limits[name] = _SIZES[name][low if rng.random() < 0.4 else high]
    if rng.random() < 0.3:  # as likely as all else together: Guaranteed must not be rare
        limits = {CPU: "1", MEMORY: "1Gi"}
        requests = dict(limits) if rng.random() < 0.5 else {}
    if rng.random() < 0.1:
        limits[GPU] = rng.choice(_SIZES[GPU])
    if rng.random() < 0.1 and (CPU in limits or MEMORY in limits):
        limits[PAGES] = rng.choice(_SIZES[PAGES])
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}


def spec(rng: Random) -> dict[str, Any]:
    """Of a pod: containers, init containers, sidecars, overhead, resources of the whole."""
    plain = rng.random() < 0.15
    containers = [_container(rng, f"c{n}", plain=plain) for n in range(rng.randint(1, 3))]
    inits = [_container(rng, f"i{n}", plain=plain) for n in range(rng.choice([0, 0, 1, 2, 3]))]
    for one in inits:
        if rng.random() < 0.5:
            one["restartPolicy"] = "Always"
    made: dict[str, Any] = {
        "containers": containers,
        "initContainers": inits,
        "schedulingGates": [{"name": "example.com/never"}],
    }
    if rng.random() < 0.2:
        made |= {"runtimeClassName": RUNTIME, "overhead": OVERHEAD}
    if rng.random() < 0.3:
        made["resources"] = _whole(rng)
    return made


def _container(rng: Random, name: str, *, plain: bool) -> dict[str, Any]:
    return {"name": name, "image": "x:1", "resources": {} if plain else resources(rng)}


def _whole(rng: Random) -> dict[str, Any]:
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for name in (CPU, MEMORY):
        if rng.random() < 0.6:
            requests[name] = _WHOLE[name][0]
        if rng.random() < 0.6:
            limits[name] = rng.choice(_WHOLE[name])
    if rng.random() < 0.2 and limits:
        limits[PAGES] = _WHOLE[PAGES][0]
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}


def quantities(rng: Random, count: int) -> Iterator[str]:
    """Texts from far inside of the grammar to far outside; exponents that a server survives."""
    suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
    wrong = ["K", "i", "mi", "e", "E+", "KiB", " Gi", "e1.5", "1e3Ki"]
    for _ in range(count):
        if rng.random() < 0.2:
            yield "".join(rng.choices("0123456789.+-eEinumkKMGTP _", k=rng.randint(0, 5)))
            continue
        whole = "".join(rng.choices("0123456789", k=rng.choice([0, 1, 1, 2, 3, 6, 18, 19, 25])))
        fraction = "".join(rng.choices("0123456789", k=rng.choice([0, 1, 3, 4, 9, 10, 20])))
        point = "." + fraction if rng.random() < 0.4 else ""
        exponent = f"{rng.choice('eE')}{rng.choice(['', '+', '-'])}{rng.randint(0, 24)}"
        suffix = rng.choice([rng.choice(suffixes), exponent, rng.choice(wrong)])
        yield rng.choice(["", "", "", "+", "-"]) + whole + point + suffix
