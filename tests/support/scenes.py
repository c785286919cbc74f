"""Random clusters and pods for the placement engine: small, crowded, and with something of all.

A scene is made from its seed alone. Its objects are as the API holds them, so that a real scheduler
can be asked about the same scene.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
ZONES = ("a", "b", "c")
APPS = ("web", "db", "cache")
TEAMS = ("red", "blue")
GPU, MAPPED = "example.com/gpu", "example.com/mapped"
FEATURE = "RestartAllContainersOnContainerExits"
RESTART = {
    "restartPolicy": "Never",
    "restartPolicyRules": [
        {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}
    ],
}


@dataclass
class Scene:
    """What is there, and the pods to place one after the other."""

    seed: int
    name: str
    objects: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)

    @property
    def nodes(self) -> list[str]:
        """Names of its nodes."""
        return [one["metadata"]["name"] for one in self.objects if one["kind"] == "Node"]


def scene(seed: int, *, priorities: bool = False, pods: int = 32) -> Scene:
    """The scene of a seed."""
    stored = seed % 4 == 2  # every fourth is about volumes
    maker = _Maker(random.Random(seed), f"s{seed}", priorities=priorities, stored=stored)
    return maker.make(seed, pods)


def thing(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> Object:
    meta: Object = {"name": name, **rest.pop("metadata", {})}
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **rest}


class _Maker:
    def __init__(self, dice: random.Random, name: str, *, priorities: bool, stored: bool) -> None:
        self.dice = dice
        self.name = name
        self.priorities = priorities
        self.stored = stored
        self.spaces = (f"{name}-x", f"{name}-y")
        self.claims: list[tuple[str, str]] = []
        self.made: list[Object] = []
        self.hosts: list[str] = []

    def make(self, seed: int, pods: int) -> Scene:
        self.hosts = [f"{self.name}-n{at}" for at in range(self.dice.randint(3, 7))]
        self.made += [*self._namespaces(), *self._classes()]
        nodes = [self._node(host) for host in self.hosts]
        for host in self.hosts:
            self.made += self._csi_node(host)
        for at in range(self.dice.randint(8, 14)):
            self.made += self._claim(at)
        standing = [self._standing(at) for at in range(self.dice.randint(0, 6))]
        wanted = [self._pod(f"p{at}") for at in range(pods)]
        return Scene(seed, self.name, [*self.made, *nodes, *standing], wanted)

    def maybe(self, chance: float) -> bool:
        return self.dice.random() < chance

    # What is there

    def _namespaces(self) -> Iterator[Object]:
        for space, team in zip(self.spaces, TEAMS, strict=True):
            yield thing("v1", "Namespace", space, metadata={"labels": {"team": team}})

    def _classes(self) -> Iterator[Object]:
        kind = ("storage.k8s.io/v1", "StorageClass")
        wait = {"volumeBindingMode": "WaitForFirstConsumer"}
        disk, tracked = f"disk.{self.name}", f"tracked.{self.name}"
        where = [{"key": ZONE, "values": self.dice.sample(ZONES, 2)}]
        yield thing(*kind, f"{self.name}-wait", provisioner=disk, **wait)
        yield thing(
            *kind,
            f"{self.name}-zonal",
            provisioner=disk,
            allowedTopologies=[{"matchLabelExpressions": where}],
            **wait,
        )
        yield thing(
            *kind, f"{self.name}-static", provisioner="kubernetes.io/no-provisioner", **wait
        )
        yield thing(*kind, f"{self.name}-tracked", provisioner=tracked, **wait)
        yield thing(*kind, f"{self.name}-now", provisioner=disk, volumeBindingMode="Immediate")
        yield from self._drivers(disk, tracked)

    def _drivers(self, disk: str, tracked: str) -> Iterator[Object]:
        required = {"preventPodSchedulingIfMissing": self.maybe(0.6)}
        for name, capacity in ((disk, False), (tracked, True)):
            spec = {"storageCapacity": capacity, "attachRequired": True, **required}
            yield thing("storage.k8s.io/v1", "CSIDriver", name, spec=spec)
        for zone in self.dice.sample(ZONES, 2):
            yield thing(
                "storage.k8s.io/v1",
                "CSIStorageCapacity",
                f"room-{zone}",
                self.spaces[0],
                storageClassName=f"{self.name}-tracked",
                capacity=self.dice.choice(["2Gi", "8Gi"]),
                nodeTopology={"matchLabels": {ZONE: zone}},
            )

    def _node(self, host: str) -> Object:
        labels = {HOST: host, "size": str(self.dice.randint(1, 4))}
        if self.maybe(0.85):
            labels[ZONE] = self.dice.choice(ZONES)
        if self.maybe(0.7):
            labels["disk"] = self.dice.choice(["ssd", "hdd"])
        room = {
            "cpu": str(self.dice.randint(4, 14)),
            "memory": f"{self.dice.randint(6, 20)}Gi",
            "ephemeral-storage": "20Gi",
            "pods": str(self.dice.randint(4, 14)),
        }
        if self.maybe(0.4):
            room[GPU] = str(self.dice.randint(0, 2))
        spec: Object = {"taints": list(self._taints())}
        if self.maybe(0.08):
            spec["unschedulable"] = True
        status: Object = {"allocatable": room, "capacity": dict(room)}
        if self.maybe(0.8):
            status["declaredFeatures"] = [FEATURE] if self.maybe(0.5) else ["Other"]
        return thing("v1", "Node", host, metadata={"labels": labels}, spec=spec, status=status)

    def _taints(self) -> Iterator[Object]:
        if self.maybe(0.15):
            effect = self.dice.choice(["NoSchedule", "NoExecute", "PreferNoSchedule"])
            yield {"key": "dedicated", "value": self.dice.choice(TEAMS), "effect": effect}
        if self.maybe(0.12):
            yield {"key": "grade", "value": str(self.dice.randint(1, 9)), "effect": "NoSchedule"}

    def _csi_node(self, host: str) -> Iterator[Object]:
        if self.maybe(0.85):
            drivers: list[Object] = []
            if self.maybe(0.8):
                count = self.dice.choice([1, 1, 2, 3, None])
                limit = {} if count is None else {"allocatable": {"count": count}}
                drivers.append({"name": f"disk.{self.name}", "nodeID": host, **limit})
            if self.maybe(0.8):
                drivers.append({"name": f"tracked.{self.name}", "nodeID": host})
            yield thing("storage.k8s.io/v1", "CSINode", host, spec={"drivers": drivers})

    # Claims

    def _claim(self, at: int) -> Iterator[Object]:
        space, name = self.dice.choice(self.spaces), f"c{at}"
        self.claims.append((space, name))
        kinds: list[Callable[[str, str], Iterator[Object]]] = [
            self._bound,
            self._bound,
            self._bound,
            self._waiting,
            self._waiting,
            self._static,
            self._immediate,
            self._strange,
        ]
        yield from self.dice.choice(kinds)(space, name)

    def _request(self, space: str, name: str, owner: str | None, **more: Any) -> Object:
        mode = "ReadWriteOncePod" if self.maybe(0.35) else "ReadWriteOnce"
        spec: Object = {
            "accessModes": [mode],
            "resources": {"requests": {"storage": self.dice.choice(["1Gi", "5Gi"])}},
            **more,
        }
        if owner is not None:
            spec["storageClassName"] = owner
        return thing("v1", "PersistentVolumeClaim", name, space, spec=spec)

    def volume(self, name: str, claim: Object, owner: str, where: Object | None) -> Object:
        """A volume that suits a claim, reached from nodes with one of these values of a label."""
        spec: Object = {
            "capacity": {"storage": "5Gi"},
            "accessModes": claim["spec"]["accessModes"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": owner,
            "csi": {"driver": f"disk.{self.name}", "volumeHandle": name},
        }
        if where:
            term = {"matchExpressions": [{"operator": "In", **where}]}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
        return thing("v1", "PersistentVolume", name, spec=spec)

    def _where(self) -> Object | None:
        if self.maybe(0.7 if self.stored else 0.25):
            return None
        if self.maybe(0.4):
            return {"key": HOST, "values": self.dice.sample(self.hosts, 2)}
        return {"key": ZONE, "values": [self.dice.choice(ZONES)]}

    def _bound(self, space: str, name: str) -> Iterator[Object]:
        owner = f"{self.name}-wait"
        claim = self._request(space, name, owner)
        volume = self.volume(f"{space}-{name}", claim, owner, self._where())
        if self.maybe(0.8 if self.stored else 0.4):
            volume["metadata"]["labels"] = {ZONE: "__".join(self.dice.sample(ZONES, 2))}
        yield from bind(claim, volume)

    def _waiting(self, space: str, name: str) -> Iterator[Object]:
        owner = self.dice.choice(["wait", "zonal", "zonal", "tracked", "tracked"])
        yield self._request(space, name, f"{self.name}-{owner}")

    def _static(self, space: str, name: str) -> Iterator[Object]:
        owner = f"{self.name}-static"
        claim = self._request(space, name, owner)
        yield claim
        for at in range(self.dice.randint(0, 2)):
            volume = self.volume(f"{space}-{name}-{at}", claim, owner, self._where())
            volume["status"] = {"phase": "Available"}
            yield volume

    def _immediate(self, space: str, name: str) -> Iterator[Object]:
        yield self._request(space, name, f"{self.name}-now")

    def _strange(self, space: str, name: str) -> Iterator[Object]:
        """A class that is not there, no class, a lost volume, or no claim at all."""
        kind = self.dice.randrange(4)
        if kind == 0:
            yield self._request(space, name, f"{self.name}-gone")
        elif kind == 1:
            yield self._request(space, name, "")
        elif kind == 2:
            claim = self._request(space, name, f"{self.name}-wait", volumeName="gone")
            claim["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
            claim["status"] = {"phase": self.dice.choice(["Lost", "Bound"])}
            yield claim

    # Pods

    def _standing(self, at: int) -> Object:
        """A pod that is on a node already; some are on their way out."""
        pod = self._pod(f"q{at}", plain=True)
        pod["spec"]["nodeName"] = self.dice.choice(self.hosts)
        if not self.priorities and self.maybe(0.3):  # a victim that stays would block its evictor
            pod["metadata"]["finalizers"] = ["example.com/wait"]
        return pod

    def _pod(self, name: str, *, plain: bool = False) -> Object:
        space, app = self.dice.choice(self.spaces), self.dice.choice(APPS)
        labels = {"app": app, "rev": str(self.dice.randint(1, 2))}
        main: Object = {"name": "main", "image": "x", "resources": self._resources()}
        spec: Object = {"containers": [main], "terminationGracePeriodSeconds": 0}
        asks = [] if plain and self.maybe(0.5) else self._asks(plain=plain)
        for ask in asks:
            ask(spec, space)
        if self.maybe(0.35):
            spec["tolerations"] = self._tolerations()
        if self.priorities:
            spec["priorityClassName"] = self.dice.choice(["low", "middle", "high", "polite"])
        return thing("v1", "Pod", name, space, metadata={"labels": labels}, spec=spec)

    def _asks(self, *, plain: bool) -> list[Callable[[Object, str], None]]:
        asks = [
            self._select,
            self._node_affinity,
            self._ports,
            self._spread,
            self._near,
            self._apart,
            self._apart,
        ]
        if not plain:
            asks += [self._claims, self._claims, self._claims, self._feature, self._gate]
        if self.stored and not plain:
            return [self._claims]
        return self.dice.sample(asks, self.dice.choice([0, 1, 1, 1, 2, 2]))

    def _resources(self) -> Object:
        asked = {"cpu": self.dice.choice(["0", "100m", "500m", "1", "2"])}
        asked["memory"] = self.dice.choice(["64Mi", "512Mi", "1Gi", "3Gi"])
        if self.maybe(0.12):
            asked[GPU] = "1"
        if self.maybe(0.02):
            asked[MAPPED] = "1"
        limits = {name: asked[name] for name in (GPU, MAPPED) if name in asked}
        return {"requests": asked, "limits": limits}

    def _tolerations(self) -> list[Object]:
        return self.dice.sample(
            [
                {"operator": "Exists"},
                {"key": "dedicated", "operator": "Equal", "value": "red", "effect": "NoSchedule"},
                {"key": "dedicated", "operator": "Exists"},
                {"key": "grade", "operator": "Gt", "value": "4", "effect": "NoSchedule"},
                {"key": "grade", "operator": "Lt", "value": "5"},
                {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"},
            ],
            self.dice.randint(1, 2),
        )

    def _select(self, spec: Object, space: str) -> None:
        key, value = self.dice.choice([("disk", "ssd"), (ZONE, self.dice.choice(ZONES))])
        spec["nodeSelector"] = {key: value}

    def _node_affinity(self, spec: Object, space: str) -> None:
        expressions = [
            {"key": ZONE, "operator": "In", "values": self.dice.sample(ZONES, 2)},
            {"key": ZONE, "operator": "NotIn", "values": self.dice.sample(ZONES, 1)},
            {"key": "disk", "operator": "Exists"},
            {"key": "disk", "operator": "DoesNotExist"},
            {"key": "size", "operator": "Gt", "values": ["2"]},
            {"key": "size", "operator": "Lt", "values": ["3"]},
        ]
        terms: list[Object] = [
            {"matchExpressions": self.dice.sample(expressions, self.dice.randint(1, 2))}
            for _ in range(self.dice.randint(1, 2))
        ]
        if self.maybe(0.3):
            operator = self.dice.choice(["In", "NotIn"])
            field = {"key": "metadata.name", "operator": operator}
            terms[0]["matchFields"] = [{**field, "values": [self.dice.choice(self.hosts)]}]
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        spec.setdefault("affinity", {})["nodeAffinity"] = required

    def _ports(self, spec: Object, space: str) -> None:
        port: Object = {"containerPort": 80, "hostPort": self.dice.choice([8080, 8080, 9090])}
        if self.maybe(0.4):
            port["hostIP"] = self.dice.choice(["10.0.0.1", "10.0.0.2", "0.0.0.0"])
        if self.maybe(0.2):
            port["protocol"] = "UDP"
        spec["containers"][0]["ports"] = [port]

    def _selector(self) -> Object:
        return self.dice.choice(
            [
                {"matchLabels": {"app": self.dice.choice(APPS)}},
                {"matchLabels": {"app": self.dice.choice(APPS)}},
                {"matchExpressions": [{"key": "app", "operator": "In", "values": list(APPS[:2])}]},
                {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
                {},
            ]
        )

    def _spread(self, spec: Object, space: str) -> None:
        constraints = []
        for key in self.dice.sample([ZONE, HOST], self.dice.choice([1, 1, 2])):
            one: Object = {
                "topologyKey": key,
                "maxSkew": self.dice.choice([1, 1, 2]),
                "whenUnsatisfiable": self.dice.choice(
                    ["DoNotSchedule", "DoNotSchedule", "ScheduleAnyway"]
                ),
                "labelSelector": self._selector(),
            }
            if one["whenUnsatisfiable"] == "DoNotSchedule" and self.maybe(0.3):
                one["minDomains"] = self.dice.randint(2, 4)
            for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
                if self.maybe(0.4):
                    one[policy] = self.dice.choice(["Honor", "Ignore"])
            if self.maybe(0.25):
                one["matchLabelKeys"] = ["rev"]
            constraints.append(one)
        spec["topologySpreadConstraints"] = constraints

    def _term(self) -> Object:
        term: Object = {
            "topologyKey": self.dice.choice([ZONE, HOST, HOST, "disk"]),
            "labelSelector": self._selector(),
        }
        kind = self.dice.randrange(6)
        if kind == 0:
            term["namespaces"] = list(self.spaces)
        elif kind == 1:
            term["namespaceSelector"] = {"matchLabels": {"team": self.dice.choice(TEAMS)}}
        elif kind == 2:
            term["namespaceSelector"] = {}
        keys = self.dice.randrange(6)
        if keys == 0:
            term["matchLabelKeys"] = ["rev"]
        elif keys == 1:
            term["mismatchLabelKeys"] = ["rev"]
        return term

    def _near(self, spec: Object, space: str) -> None:
        terms = [self._term() for _ in range(self.dice.choice([1, 1, 2]))]
        required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
        spec.setdefault("affinity", {})["podAffinity"] = required

    def _apart(self, spec: Object, space: str) -> None:
        terms = [self._term() for _ in range(self.dice.choice([1, 1, 2]))]
        required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
        spec.setdefault("affinity", {})["podAntiAffinity"] = required

    def _claims(self, spec: Object, space: str) -> None:
        held = [name for where, name in self.claims if where == space] or ["none"]
        names = self.dice.sample(held, min(len(held), self.dice.choice([1, 1, 2])))
        spec["volumes"] = [
            {"name": f"v{at}", "persistentVolumeClaim": {"claimName": name}}
            for at, name in enumerate(names)
        ]

    def _feature(self, spec: Object, space: str) -> None:
        spec["containers"][0] |= RESTART

    def _gate(self, spec: Object, space: str) -> None:
        if self.maybe(0.5):
            spec["schedulingGates"] = [{"name": "example.com/gate"}]


def bind(claim: Object, volume: Object) -> Iterator[Object]:
    """A claim and a volume as the controller leaves them when it has bound them."""
    meta = claim["metadata"]
    bound = {"pv.kubernetes.io/bind-completed": "yes"}
    claim["spec"]["volumeName"] = volume["metadata"]["name"]
    meta["annotations"] = {**meta.get("annotations", {}), **bound}
    claim["status"] = volume["status"] = {"phase": "Bound"}
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    volume["spec"]["claimRef"] = {
        **reference,
        "namespace": meta["namespace"],
        "name": meta["name"],
    }
    yield claim
    yield volume
