"""The real scheduler as an oracle: it decides pod by pod, the engine is asked just before.

Only etcd, the API server and the scheduler run: the harness binds and provisions volumes, as the
volume controller and a driver would, and nothing else moves.
"""

import functools
import http.client
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from clusteraudit.model.build import NOW
from clusteraudit.model.cluster import Cluster
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.rows import PodRow
from clusteraudit.model.store import COMPLETE, Change, Store
from clusteraudit.simulate.schedule import Verdict, verdicts
from clusteraudit.simulate.snapshot import snapshot
from clusteraudit.sources.payload import decode
from clusteraudit.sources.translate import translate
from controlplane import ApiError, ControlPlane, wait
from controlplane.components import API_SERVER, ETCD, SCHEDULER
from support.scenes import HOST, ZONE, Object, Scene, bind, thing

GATES = "--feature-gates=TaintTolerationComparisonOperators=true"
QUIET = "--disable-admission-plugins=StorageObjectInUseProtection,TaintNodesByCondition"
PATIENCE = 5.0
"""Seconds until a pod that we say fits counts as refused: what it needs may be news to it."""
LONG, SHORT = 60.0, 20.0
"""Seconds for what must happen, the machine may be busy; and for what may not."""
SELECTED = "volume.kubernetes.io/selected-node"

PLUGINS = {
    "were unschedulable": ["NodeUnschedulable"],
    "had untolerated taint": ["TaintToleration"],
    "didn't match Pod's node affinity/selector": ["NodeAffinity"],
    "didn't satisfy plugin(s) [NodeAffinity]": ["NodeAffinity"],
    "pod affinity terms conflict": ["NodeAffinity"],
    "Insufficient ": ["NodeResourcesFit"],
    "Too many pods": ["NodeResourcesFit"],
    "didn't have free ports": ["NodePorts"],
    "had no available disk": ["VolumeRestrictions"],
    "ReadWriteOncePod access mode": ["VolumeRestrictions"],
    "exceed max volume count": ["NodeVolumeLimits"],
    "CSI driver is not installed": ["NodeVolumeLimits"],
    "didn't match PersistentVolume's node affinity": ["VolumeBinding"],
    "didn't find available persistent volumes to bind": ["VolumeBinding"],
    "did not have enough free storage": ["VolumeBinding"],
    "unavailable due to one or more pvc(s) bound to non-existent pv(s)": ["VolumeBinding"],
    "unbound immediate PersistentVolumeClaims": ["VolumeBinding"],
    "bound to non-existent persistentvolume": ["VolumeBinding"],
    "is being deleted": ["VolumeBinding"],
    "had no available volume zone": ["VolumeZone"],
    "PersistentVolume had no name": ["VolumeZone"],
    "had no pv name and storageClass name": ["VolumeZone"],
    "didn't match pod topology spread constraints": ["PodTopologySpread"],
    "didn't match pod affinity rules": ["InterPodAffinity"],
    "didn't match pod anti-affinity rules": ["InterPodAffinity"],
    "didn't satisfy existing pods anti-affinity rules": ["InterPodAffinity"],
    "didn't match Pod's required features": ["NodeDeclaredFeatures"],
    "not found": ["VolumeRestrictions", "VolumeBinding", "VolumeZone", "NodeVolumeLimits"],
}
"""What the scheduler says, and the plugins that say so."""


def plane() -> ControlPlane:
    """A control plane on which the scheduler alone decides."""
    flags = {API_SERVER: [QUIET, GATES], SCHEDULER: [GATES]}
    return ControlPlane(components=(ETCD, API_SERVER, SCHEDULER), flags=flags)


@dataclass(frozen=True)
class Outcome:
    """What the scheduler did: a node, or why none; `nominated` after it evicted others."""

    node: str = ""
    message: str = ""
    nominated: str = ""
    gated: bool = False


@dataclass
class Tally:
    """How often what was seen."""

    decisions: int = 0
    bound: int = 0
    pending: int = 0
    doubtful: int = 0
    preempted: int = 0
    alone: Counter[str] = field(default_factory=Counter)
    """Decisions in which a filter is the only one that refuses some node."""
    named: Counter[str] = field(default_factory=Counter)
    """Decisions in which the scheduler names a filter."""

    def note(self, said: Iterable[Verdict], outcome: Outcome) -> None:
        """Count a decision."""
        self.decisions += 1
        self.bound += bool(outcome.node)
        self.pending += not outcome.node
        self.preempted += bool(outcome.nominated)
        held = list(said)
        self.doubtful += any(one.fits is None for one in held)
        filters = [{refusal.filter for refusal in one.refusals} for one in held]
        self.alone.update({next(iter(one)) for one in filters if len(one) == 1})
        self.named.update({names[0] for _, names in blamed(outcome.message)})


class Stage:
    """A scene on the control plane, and the model of it."""

    def __init__(self, plane: ControlPlane, scene: Scene) -> None:
        self.plane = plane
        self.scene = scene
        self.store = Store()
        self.store.learn(dict.fromkeys(KINDS, COMPLETE))
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.said: tuple[Verdict, ...] = ()
        """What the engine said last."""

    @property
    def cluster(self) -> Cluster:
        """The model as rules see it."""
        return Cluster(self.store, NOW)

    def learn(self, *objects: Object) -> None:
        """Objects as they now are."""
        for one in objects:
            kind, meta = one["kind"], one["metadata"]
            self.objects[kind, meta.get("namespace", ""), meta["name"]] = one
            row = translate(kind, decode(kind, one))
            self.store.apply([Change(kind, row.key, row)])

    def forget(self, one: Object) -> None:
        """An object that is gone."""
        kind, meta = one["kind"], one["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        self.objects.pop((kind, *key), None)
        self.store.apply([Change(kind, key, None)])

    def row(self, pod: Object) -> PodRow:
        """A pod as the server would store it."""
        path = self.plane.api.object_path(pod, collection=True)
        stored = self.plane.api.request("POST", f"{path}?dryRun=All", pod)
        row = translate("Pod", decode("Pod", stored))
        assert isinstance(row, PodRow)
        return row

    # The life of a scene

    def __enter__(self) -> Self:
        nodes = [one for one in self.scene.objects if one["kind"] == "Node"]
        pods = [one for one in self.scene.objects if one["kind"] == "Pod"]
        rest = [one for one in self.scene.objects if one["kind"] not in {"Node", "Pod"}]
        for one in rest:
            if one["kind"] == "Namespace":
                self._namespace(one)
        self.plane.create([one for one in rest if one["kind"] != "Namespace"])
        self.plane.create(pods)
        self._standing(pods)
        for one in rest:
            if "status" in one:
                self.plane.api.patch(one, {"status": one["status"]}, "status")
        self.plane.create(nodes)
        for one in (*rest, *pods, *nodes):
            self.learn(self.fetch(one))
        wait(lambda: self._known() == len(nodes), LONG, "the scheduler to know the nodes")
        return self

    def _namespace(self, one: Object) -> None:
        """Nothing deletes namespaces here: a scene that is replayed finds its own."""
        try:
            self.plane.create([one])
        except ApiError as error:
            if error.status != http.client.CONFLICT:
                raise

    def _standing(self, pods: Iterable[Object]) -> None:
        self.plane.delete([one for one in pods if one["metadata"].get("finalizers")])

    def _known(self) -> int:
        """How many nodes the scheduler has in its cache."""
        url = f"https://127.0.0.1:{self.plane.layout.ports[SCHEDULER]}/metrics"
        text = metrics(url, self.plane)
        found = re.search(r'^scheduler_cache_size\{type="nodes"\} (\d+)$', text, re.MULTILINE)
        return int(found.group(1)) if found else -1

    def __exit__(self, *_: object) -> None:
        held = list(self.objects.values())
        for one in held:
            if one["kind"] == "Pod" and one["metadata"].get("finalizers"):
                self.plane.api.patch(one, {"metadata": {"finalizers": None}})
        gone = [one for one in held if one["kind"] != "Namespace"]
        self.plane.delete([one for one in gone if one["kind"] == "Pod"], grace=0)
        self.plane.delete([one for one in gone if one["kind"] != "Pod"])
        wait(lambda: self._known() == 0, LONG, "the scheduler to forget the nodes")

    def fetch(self, one: Object) -> Object:
        """An object as the server holds it."""
        return {
            **self.plane.api.request("GET", self.plane.api.object_path(one)),
            "apiVersion": one["apiVersion"],
            "kind": one["kind"],
        }

    def moved(self) -> bool:
        """Bring up to date the pods whose binding was still to come; whether one lost its node."""
        moved = False
        for key, one in list(self.objects.items()):
            if key[0] == "Pod" and not one["spec"].get("nodeName"):
                current = self._current(one)
                moved = moved or current is None or read(current).node != read(one).node
                if current is None:
                    self.forget(one)
                else:
                    self.learn(current)
        return moved

    def _current(self, one: Object) -> Object | None:
        """An object as the server holds it; None if it was evicted before it was bound."""
        try:
            return self.fetch(one)
        except ApiError as error:
            if error.status != http.client.NOT_FOUND:
                raise
            return None

    # Decisions

    def ask(self, pod: Object) -> tuple[PodRow, tuple[Verdict, ...]]:
        """What the engine says of a pod that is not there yet."""
        row = self.row(pod)
        return row, verdicts(snapshot(self.cluster), row)

    def decide(self, pod: Object, said: Iterable[Verdict]) -> Outcome:
        """What the scheduler says; where we say that the pod fits, it may think twice."""
        self.plane.create([pod])
        outcome = self._outcome(pod)
        fits = any(one.fits for one in said)
        deadline = time.monotonic() + PATIENCE
        while fits and outcome.message and not outcome.nominated and time.monotonic() < deadline:
            time.sleep(0.1)
            outcome = self._outcome(pod)
        if outcome.node and self.gone():
            # It evicted others and took their place before anybody looked.
            return Outcome(message="preempted", nominated=outcome.node)
        return outcome

    def gone(self) -> list[Object]:
        """Pods of the model that the server does not hold any more."""
        pods = [(key, one) for key, one in self.objects.items() if key[0] == "Pod"]
        there = {
            (space, one["metadata"]["name"])
            for space in {key[1] for key, _ in pods}
            for one in self.plane.api.items("v1", "Pod", space)
        }
        return [one for key, one in pods if key[1:] not in there]

    def _outcome(self, pod: Object) -> Outcome:
        found: list[Outcome] = []

        def decided() -> bool:
            found[:] = [read(self.fetch(pod))]
            return found[0] != Outcome()

        wait(decided, LONG, f"a decision about {pod['metadata']['name']}", self.plane.check)
        return found[0]

    def settle(self, pod: Object, outcome: Outcome) -> None:
        """Let the decision stand in the model; a pod that found no node goes."""
        if not (outcome.node or outcome.nominated):
            self.plane.delete([pod], grace=0)
            return
        try:
            self._carry_out(pod, evicts=bool(outcome.nominated))
        except TimeoutError:  # what was chosen did not come about: the scheduler may think anew
            self.plane.delete([pod], grace=0)
        else:
            self.learn(self.fetch(pod))
        for one in self.gone() if outcome.nominated else ():
            self.forget(one)

    def _carry_out(self, pod: Object, *, evicts: bool) -> None:
        """Victims are gone at once: nothing keeps a pod whose grace is none."""
        self._provision(pod)
        if evicts:
            name = pod["metadata"]["name"]
            placed = functools.partial(self._placed, pod)
            wait(placed, SHORT, f"{name} to take its victims' node", self.plane.check)

    def _placed(self, pod: Object) -> bool:
        return bool(self.fetch(pod)["spec"].get("nodeName"))

    def _provision(self, pod: Object) -> None:
        """What the volume controller and a driver do for claims of a pod that has a node."""
        for volume in pod["spec"].get("volumes", []):
            name = volume.get("persistentVolumeClaim", {}).get("claimName")
            key = ("PersistentVolumeClaim", pod["metadata"]["namespace"], name)
            if name and not self.objects[key]["spec"].get("volumeName"):
                self._bind(self.objects[key])

    def _bind(self, claim: Object) -> None:
        found: list[Object] = []

        def chosen() -> bool:
            """The scheduler has bound a volume to the claim, or chosen a node to make one for."""
            found[:] = [self.fetch(claim)]
            annotations = found[0]["metadata"].get("annotations", {})
            return bool(self._bound_to(claim) or annotations.get(SELECTED))

        wait(chosen, SHORT, f"the scheduler to choose for claim {claim['metadata']['name']}")
        current = found[0]
        volume = self._bound_to(claim) or self._make(current)
        bound = list(bind(current, volume))
        for one in bound:
            self.plane.api.request("PUT", self.plane.api.object_path(one), one)
            self.plane.api.patch(one, {"status": {"phase": "Bound"}}, "status")
            self.learn(self.fetch(one))

    def _bound_to(self, claim: Object) -> Object | None:
        """A volume that the scheduler has bound to a claim."""
        wanted = (claim["metadata"]["namespace"], claim["metadata"]["name"])
        for key, one in self.objects.items():
            if key[0] == "PersistentVolume" and one["status"]["phase"] == "Available":
                current = self.fetch(one)
                reference = current["spec"].get("claimRef") or {}
                if (reference.get("namespace"), reference.get("name")) == wanted:
                    return current
        return None

    def _make(self, claim: Object) -> Object:
        """A volume for the node that was chosen, reached from its zone."""
        meta = claim["metadata"]
        node = self.objects["Node", "", meta["annotations"][SELECTED]]
        labels = node["metadata"]["labels"]
        key = ZONE if ZONE in labels else HOST
        owner = self.objects["StorageClass", "", claim["spec"]["storageClassName"]]
        name = f"made-{meta['namespace']}-{meta['name']}"
        term = {"matchExpressions": [{"key": key, "operator": "In", "values": [labels[key]]}]}
        spec: Object = {
            "capacity": claim["spec"]["resources"]["requests"],
            "accessModes": claim["spec"]["accessModes"],
            "storageClassName": owner["metadata"]["name"],
            "persistentVolumeReclaimPolicy": "Retain",
            "csi": {"driver": owner["provisioner"], "volumeHandle": name},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        }
        return self.plane.create([thing("v1", "PersistentVolume", name, spec=spec)])[0]


def metrics(url: str, plane: ControlPlane) -> str:
    """What a program of the control plane exports."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {plane.token}"})
    handlers = (
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=plane.access.context()),
    )
    with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def read(pod: Object) -> Outcome:
    """What a pod says of how the scheduler decided; nothing while it has not."""
    status: dict[str, Any] = pod.get("status", {})
    node = pod["spec"].get("nodeName", "")
    nominated = status.get("nominatedNodeName", "")
    if node:
        return Outcome(node=node)
    for one in status.get("conditions", []):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            gated = one["reason"] == "SchedulingGated"
            return Outcome(message=one.get("message") or "?", nominated=nominated, gated=gated)
    return Outcome(node=nominated)


def blamed(message: str) -> Iterator[tuple[int, list[str]]]:
    """How many nodes the scheduler says were refused, and by which plugins; 0 for all of them."""
    told = message.partition("nodes are available: ")[2].partition(" preemption: ")[0].rstrip(".")
    for part in re.split(r", (?=\d+ )|\. (?=\d+ )", told) if told else ():
        number, words = re.fullmatch(r"(?:(\d+) )?(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        for text, plugins in PLUGINS.items():
            if text in words:
                yield int(number or 0), plugins
                break
        else:
            yield int(number or 0), [f"?{words}"]


def disagreements(said: Iterable[Verdict], outcome: Outcome) -> Iterator[str]:
    """Where the engine and the scheduler cannot both be right."""
    held = {one.node: one for one in said}
    if outcome.node:
        if held[outcome.node].fits is False:
            yield f"bound to {outcome.node}, refused by {held[outcome.node].refusals}"
        return
    for one in held.values():
        if one.fits:
            yield f"fits {one.node}, left pending: {outcome.message}"
    if any(one.fits is None for one in held.values()):
        return
    if outcome.gated:
        if any("SchedulingGates" not in {r.filter for r in one.refusals} for one in held.values()):
            yield "gated, and no refusal says so"
        return
    for number, plugins in blamed(outcome.message):
        refused = sum(
            any(said.filter in plugins for said in one.refusals)
            or any(said.filter in plugins for said in one.doubts)
            for one in held.values()
        )
        if refused < (number or len(held)):
            yield f"{plugins} refuses {number or 'all'} nodes, {refused} of ours: {outcome.message}"
