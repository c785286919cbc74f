"""Objects made from an API server's own OpenAPI schema: any field, any extreme that it allows.

A small valid object is where each begins; then fields that the schema has are set, one after the
other, to what is at or over a limit. What the server refuses of it is its own to say.
"""

import copy
import random
import string
from collections.abc import Iterator, Mapping
from typing import Any

from support.hostile import ORDERS

Object = dict[str, Any]

LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
"""253 characters, as long as the name of an object may be."""
NAMES = ("a", "0", "web-0", LONG, "a" * 63, "x" * 64, "kube-dns", "A_b", "-", "a..b", "")
KEYS = (
    "app",
    "a" * 63,
    f"{LONG}/{'k' * 63}",
    "kubernetes.io/hostname",
    "",
    "a/b/c",
    "topology.k8s.io/zone",
)
VALUES = ("", "a", "v" * 63, "v" * 64, "A.b_c-1", "web", "true", "1", "ü")
QUANTITIES = (
    *("0", "1", "-1", "1n", "1u", "100m", "1500m", "1.5Gi", "1Ki", "9223372036854775807", "1e30"),
    *("9223372036854775808", "7Ei", "8Ei", "9E", "-8Ei", "0.0000000001", "1E3", "+1", "1e-9", ""),
)
TIMES = (
    *(
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
    ),
    *("2026-01-01T00:00:00+14:00", "2262-04-11T23:47:17Z", "2026-01-01T00:00:00.000001Z"),
    *("2038-01-19T03:14:08Z", "0000-01-01T00:00:00Z", None),
)
ADDRESSES = (
    *("10.0.0.1", "::1", "fd00::1", "0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4", "fe80::1%eth0"),
    *("10.0.0.0/8", "::/0", "0.0.0.0/0", "10.0.0.1/33", "2001:db8::/129", "None", ""),
)
PARTS = ("0%", "100%", "150%", "-5%", "http", 0, 1, -1, 80, 65535, 65536, 2**31 - 1)
INT32 = (0, 1, -1, 53, 80, 65535, 65536, 2**31 - 1, -(2**31), 2**31)
INT64 = (*INT32, 2**53 + 1, 2**63 - 1, -(2**63), 2**63)
WORDS = (
    *("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Equal", "Always", "Never", "True"),
    *("NoSchedule", "NoExecute", "PreferNoSchedule", "TCP", "UDP", "SCTP", "IPv4", "IPv6"),
    *("Ingress", "Egress", "ScheduleAnyway", "DoNotSchedule", "ReadWriteOnce", "ReadWriteOncePod"),
    *("Filesystem", "Block", "Immediate", "WaitForFirstConsumer", "cpu", "memory", "pods"),
    *("Container", "Pod", "Ready", "PodScheduled", "Unschedulable", "False", "Unknown", "Running"),
    *(
        "Succeeded",
        "Failed",
        "ClusterIP",
        "NodePort",
        "LoadBalancer",
        "ExternalName",
        "PreferDualStack",
    ),
)
RESOURCES = (
    "cpu",
    "memory",
    "ephemeral-storage",
    "pods",
    "hugepages-2Mi",
    "requests.cpu",
    "example.com/gpu",
    f"{LONG[:200]}.io/{'r' * 63}",
    "storage",
    "limits.memory",
)
KINDS = ("Deployment", "ReplicaSet", "StatefulSet", "Node", "CronJob", "Rollout", "x" * 3000)
_SIZE = 2**18 - 2**10
"""Bytes of annotations, at most, less a little."""
_MAPS = {"labels": (KEYS, VALUES), "matchLabels": (KEYS, VALUES), "nodeSelector": (KEYS, VALUES)}


class Schemas:
    """The schemas of one API version, as `/openapi/v3/...` serves them."""

    def __init__(self, document: Object) -> None:
        self._all: Mapping[str, Object] = document["components"]["schemas"]

    def of(self, group: str, version: str, kind: str) -> Object:
        """The schema of a kind; raises LookupError."""
        wanted = {"group": group, "version": version, "kind": kind}
        for one in self._all.values():
            if wanted in one.get("x-kubernetes-group-version-kind", ()):
                return one
        raise LookupError(f"no schema of {wanted}")

    def resolve(self, schema: Object) -> tuple[str, Object]:
        """The schema itself in the place of a reference, and the last part of its name."""
        ref = schema.get("$ref") or next(
            (one["$ref"] for one in schema.get("allOf", ()) if "$ref" in one), ""
        )
        if not ref:
            return "", schema
        name = ref.rpartition("/")[2]
        return name.rpartition(".")[2], self._all[name]


class Maker:
    """Makes values of a schema."""

    def __init__(self, schemas: Schemas, rng: random.Random) -> None:
        self._schemas = schemas
        self._rng = rng

    def spoil(self, value: Object, schema: Object, *, fields: int) -> None:
        """Set so many fields, wherever in the object."""
        for _ in range(fields):
            self._set(value, schema)

    def _set(self, value: Object, schema: Object) -> None:
        """One field; rather deep than not, and rather where there is something already."""
        _, found = self._schemas.resolve(schema)
        named = {
            name: one for name, one in found.get("properties", {}).items() if name not in _KEPT
        }
        if not named:
            return
        there = [name for name in named if isinstance(value.get(name), dict | list) and value[name]]
        name = self._rng.choice(there if there and self._rng.random() < 0.7 else [*named])
        held, below = value.get(name), named[name]
        if isinstance(held, list) and held and isinstance(held[0], dict):
            self._set(self._rng.choice(held), self._schemas.resolve(below)[1].get("items", {}))
        elif isinstance(held, dict) and held and self._schemas.resolve(below)[1].get("properties"):
            self._set(held, below)
        else:
            value[name] = self.value(below, name, 0)

    def value(self, schema: Object, name: str, depth: int) -> Any:
        """A value of that schema, for a field of that name."""
        kind, found = self._schemas.resolve(schema)
        rng = self._rng
        if kind in {"Quantity", "Time", "MicroTime", "IntOrString"}:
            return rng.choice({"Quantity": QUANTITIES, "IntOrString": PARTS}.get(kind, TIMES))
        if found.get("format") == "int-or-string" or "oneOf" in found or "anyOf" in found:
            return rng.choice((*QUANTITIES, *PARTS))
        if "enum" in found:
            return rng.choice((*found["enum"], *found["enum"], "", "None"))
        return self._by_type(found, name, depth)

    def _by_type(self, found: Object, name: str, depth: int) -> Any:
        rng, what = self._rng, found.get("type")
        if what == "object":
            return self._object(found, name, depth)
        if what == "array":
            many = rng.choice((0, 1, 1, 2, 3, 30)) if depth < 3 else rng.choice((0, 1))
            return [self.value(found.get("items", {}), name, depth + 1) for _ in range(many)]
        if what == "string":
            return self._text(found, name)
        numbers = INT32 if found.get("format") == "int32" else INT64
        scalars = {"integer": numbers, "boolean": (True, False), "number": (0, -1.5, 1e308, 0.1)}
        return rng.choice(scalars.get(str(what), ({},)))

    def _object(self, found: Object, name: str, depth: int) -> Object:
        if "properties" in found:
            return self._struct(found, depth)
        of = found.get("additionalProperties", {})
        keys, values = _MAPS.get(name, (RESOURCES if self._is_quantity(of) else KEYS, ()))
        chosen = self._rng.sample(keys, self._rng.randint(0, min(4, len(keys))))
        return {
            key: self._rng.choice(values) if values else self.value(of, "", depth + 1)
            for key in chosen
        }

    def _is_quantity(self, schema: Object) -> bool:
        return self._schemas.resolve(schema)[0] == "Quantity"

    def _struct(self, found: Object, depth: int) -> Object:
        needed = found.get("required", ())
        odds = 0.3 if depth < 4 else 0.0
        return {
            name: self.value(one, name, depth + 1)
            for name, one in found["properties"].items()
            if name in needed or self._rng.random() < odds
        }

    def _text(self, found: Object, name: str) -> str:
        rng, low = self._rng, name.lower()
        if found.get("format") == "byte":
            return rng.choice(("", "YQ==", "!"))
        pools: tuple[tuple[str, tuple[str, ...]], ...] = (
            ("ip", ADDRESSES),
            ("cidr", ADDRESSES),
            ("address", ADDRESSES),
            ("key", KEYS),
            ("value", VALUES),
            ("name", NAMES),
            ("kind", KINDS),
            ("resource", RESOURCES),
        )
        for part, pool in pools:
            if part in low and rng.random() < 0.8:
                return rng.choice(pool)
        return rng.choice((rng.choice(WORDS), rng.choice(WORDS), rng.choice(ORDERS), "", LONG))


_KEPT = frozenset(
    {"apiVersion", "kind", "name", "namespace", "generateName", "managedFields", "resourceVersion"}
)
"""Fields that say what and where it is."""


# What a schema does not say


def annotated(rng: random.Random) -> Object:
    """Annotations up to the limit, many or one."""
    if rng.random() < 0.5:
        return {"a": "x" * (_SIZE - 1)}
    return {f"example.com/{number:05}": "y" * 7 for number in range(_SIZE // 24)}


def labelled() -> Object:
    """As many labels as a client would never send."""
    return {f"l-{number:04}": "v" * 63 for number in range(1000)}


def laden(spec: Object, rng: random.Random) -> None:
    """Environment for 5,000 containers, in one or in many."""
    containers = spec["containers"]
    env = [{"name": f"E{number}", "value": "x" * rng.choice((0, 20))} for number in range(10_000)]
    containers[0]["env"] = env
    more = rng.choice((0, 0, 500))
    spec["containers"] = containers + [{"name": f"c{n}", "image": "x:1"} for n in range(more)]


def owned(rng: random.Random, names: list[tuple[str, str, str]]) -> list[Object]:
    """Owners: itself or another that is there, so that there are circles, or none that could be."""
    made = []
    for number in range(rng.choice((1, 1, 2, 5))):
        version, kind, name = (
            rng.choice(names)
            if names and rng.random() < 0.6
            else (
                rng.choice(("apps/v1", "v1", "example.com/v1", "argoproj.io/v1alpha1")),
                rng.choice((*KINDS, *ORDERS[:12])),
                rng.choice(("gone", LONG, "n" * 5000, *ORDERS[:12])),
            )
        )
        made.append(
            {
                "apiVersion": version,
                "kind": kind,
                "name": name,
                "uid": f"{rng.getrandbits(64)}",
                "controller": number == 0,
            }
        )
    return made


def paths(message: str) -> Iterator[list[str | int]]:
    """The fields that a refusal names: `spec.ports[0].name: Invalid value` and the like."""
    for part in message.split(", "):
        head = part.split(":", 1)[0].strip(" []")
        if head and head[0] in string.ascii_lowercase and " " not in head:
            steps = head.replace("[", ".").replace("]", "").split(".")
            yield [int(one) if one.isdigit() else one for one in steps if one]


def without(value: Object, path: list[str | int]) -> bool:
    """Take a field away; whether it was there."""
    held: Any = value
    for step in path[:-1]:
        held = _below(held, step)
    if isinstance(held, dict) and path and path[-1] in held:
        del held[path[-1]]
        return True
    if isinstance(held, list) and path and isinstance(path[-1], int) and path[-1] < len(held):
        del held[path[-1]]
        return True
    return False


def _below(held: Any, step: str | int) -> Any:
    if isinstance(held, dict):
        return held.get(step)
    if isinstance(held, list) and isinstance(step, int) and step < len(held):
        return held[step]
    return None


# Where each begins

_TEMPLATE: Object = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "c", "image": "x:1", "resources": {}}]},
}
_SELECTOR: Object = {"matchLabels": {"app": "web"}}
_SPECS: Mapping[str, Object] = {
    "Node": {"spec": {}, "status": {}},
    "Namespace": {},
    "Pod": {**_TEMPLATE, "status": {}},
    "PersistentVolumeClaim": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    "PersistentVolume": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "csi": {"driver": "x.example.com", "volumeHandle": "h"},
        }
    },
    "Service": {"spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}},
    "ResourceQuota": {"spec": {"hard": {"cpu": "1"}}},
    "LimitRange": {"spec": {"limits": [{"type": "Container"}]}},
    "StorageClass": {"provisioner": "x.example.com"},
    "CSIDriver": {"spec": {}},
    "CSINode": {"spec": {"drivers": [{"name": "x.example.com", "nodeID": "n"}]}},
    "CSIStorageCapacity": {"storageClassName": "fast"},
    "VolumeAttachment": {
        "spec": {"attacher": "x", "nodeName": "n", "source": {"persistentVolumeName": "v"}}
    },
    "DeviceClass": {"spec": {}},
    "NetworkPolicy": {"spec": {"podSelector": _SELECTOR, "egress": [{"to": [{}], "ports": [{}]}]}},
    "PodDisruptionBudget": {"spec": {"selector": _SELECTOR}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]},
    "Deployment": {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    "ReplicaSet": {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    "StatefulSet": {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    "DaemonSet": {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    "Job": {
        "spec": {
            "template": {"spec": {**_TEMPLATE["spec"], "restartPolicy": "Never"}},
        }
    },
    "NodeMetrics": {"timestamp": TIMES[4], "window": "10s", "usage": {"cpu": "1", "memory": "1"}},
    "PodMetrics": {
        "timestamp": TIMES[4],
        "window": "10s",
        "containers": [{"name": "c", "usage": {"cpu": "1", "memory": "1"}}],
    },
}


def plain(kind: str) -> Object:
    """A small object of the kind that a server takes, without a name."""
    return copy.deepcopy(_SPECS[kind])
