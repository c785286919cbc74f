"""What really became of the pods of a drill, counted by workload as the drill counts them."""

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from clusteraudit.model.rows import PodRow, Ref
from clusteraudit.simulate.drill import Drill, Outcome
from clusteraudit.simulate.ground import Ground
from clusteraudit.simulate.schedule import feasible, verdict
from clusteraudit.simulate.snapshot import Fork
from controlplane.objects import Object

Counts = dict[str, Counter[str]]
"""Outcomes by workload (`Deployment w1`)."""


def predicted(ground: Ground, drill: Drill) -> Counts:
    """What the drill says, by workload; what it leaves alone is left out."""
    counts: Counts = {}
    for fate in drill.fates:
        if fate.outcome is not Outcome.UNAFFECTED:
            owner = ground.owner(fate.pod)
            name = f"{owner.kind} {owner.name}"
            counts.setdefault(name, Counter())[fate.outcome.value] += 1
    return counts


class Observed:
    """Pods of a namespace before and after, told apart by their uid."""

    def __init__(self, before: Iterable[Object], after: Iterable[Object], lost: set[str]) -> None:
        self.before = {pod["metadata"]["uid"]: pod for pod in before if _active(pod)}
        self.after = {pod["metadata"]["uid"]: pod for pod in after}
        self.lost = lost

    def counts(self, owners: dict[str, str], claims: dict[str, bool], mode: str | None) -> Counts:
        """Outcomes by workload.

        `owners` names the Deployment of a ReplicaSet; `claims` the workloads whose volume one node
        at a time may use: nothing is attached here, so their pods count as what real ones would.
        """
        counts: Counts = {}
        for uid, pod in self.before.items():
            name = _workload(pod, owners)
            left = self.left(uid)
            if left or not self._on_lost(pod) or name.startswith("DaemonSet"):
                continue
            counts.setdefault(name, Counter())["blocked"] += 1
        new = [pod for uid, pod in self.after.items() if uid not in self.before]
        for name, gone in self._gone(owners).items():
            counts.setdefault(name, Counter())
            hung = sum(self._hangs(pod) for pod in gone)
            if name.startswith("Pod "):
                counts[name]["lost"] += len(gone)
            elif (
                mode == "unreachable"
                and hung
                and (name.startswith("StatefulSet") or claims.get(name))
            ):
                counts[name]["blocked"] += hung
                self._made(counts[name], new, name, owners, len(gone) - hung)
            else:
                self._made(counts[name], new, name, owners, len(gone))
        return {name: +found for name, found in counts.items() if +found}

    def _made(
        self, counts: Counter[str], new: list[Object], name: str, owners: dict[str, str], gone: int
    ) -> None:
        made = [pod for pod in new if _workload(pod, owners) == name]
        placed = min(gone, sum(bool(pod["spec"].get("nodeName")) for pod in made))
        counts["placed"] += placed
        counts["pending"] += gone - placed

    def _gone(self, owners: dict[str, str]) -> dict[str, list[Object]]:
        gone: dict[str, list[Object]] = {}
        for uid, pod in self.before.items():
            name = _workload(pod, owners)
            if self.left(uid) and not name.startswith("DaemonSet"):
                gone.setdefault(name, []).append(pod)
        return gone

    def hangs(self, key: tuple[str, str]) -> bool:
        """Whether a pod that was there is going, and not gone."""
        pods = (pod for uid, pod in self.after.items() if uid in self.before)
        return any("deletionTimestamp" in pod["metadata"] for pod in pods if _key(pod) == key)

    def left(self, uid: str) -> bool:
        """Whether it is gone or going."""
        after = self.after.get(uid)
        return after is None or "deletionTimestamp" in after["metadata"]

    def _hangs(self, pod: Object) -> bool:
        return pod["metadata"]["uid"] in self.after

    def _on_lost(self, pod: Object) -> bool:
        return pod["spec"].get("nodeName") in self.lost


def race(ground: Ground, fork: Fork, observed: Observed, lost: set[str]) -> str:
    """Why what came could not have come, by the engine; empty if it could.

    Pods of one priority are served in no order that anybody can foresee, and the node that each
    gets is a matter of taste. So what came is checked itself: every pod was put where it fits,
    those left over fit nowhere, and who was evicted was of lower priority than who came.
    """
    rows = {(p.namespace, p.name): p for info in ground.base.infos() for p in info.pods}
    gone = [rows[_key(pod)] for uid, pod in observed.before.items() if observed.left(uid)]
    victims = [pod for pod in gone if pod.on not in lost]
    for pod in (*gone, *victims):
        if fork.node_of(pod.key) and (pod in victims or not observed.hangs(pod.key)):
            fork.remove_pod(pod.key)
    by_owner = {pod.template.owner: ground.remade(pod) for pod in gone if pod.template.owner}
    new = [
        (replace(by_owner[owner], name=pod["metadata"]["name"]), pod["spec"].get("nodeName", ""))
        for uid, pod in observed.after.items()
        if uid not in observed.before and (owner := _controller(pod, by_owner))
    ]
    stuck = _replay(fork, [(pod, node) for pod, node in new if node])
    if stuck:
        return f"{stuck} does not fit where it is"
    fits = [pod.name for pod, node in new if not node and feasible(fork, pod).fits]
    if fits:
        return f"{', '.join(fits)} would fit"
    for one in victims:
        above = [p for p, node in new if node == one.on]
        if not any(p.template.priority > one.template.priority for p in above):
            return f"{one.name} left for nobody"
    return ""


def _replay(fork: Fork, placed: list[tuple[PodRow, str]]) -> str:
    """Put the pods where they are, in an order in which each fits; one that never does."""
    waiting = sorted(placed, key=lambda one: -one[0].template.priority)
    while waiting:
        fits = [one for one in waiting if verdict(fork, *one).fits]
        if not fits:
            return waiting[0][0].name
        fork.add_pod(*fits[0])
        waiting.remove(fits[0])
    return ""


def _controller(pod: Object, known: Iterable[Ref]) -> Ref | None:
    names = {
        (one["kind"], one["name"])
        for one in pod["metadata"].get("ownerReferences", ())
        if one.get("controller")
    }
    namespace = pod["metadata"]["namespace"]
    found = (one for one in known if (one.kind, one.name) in names and one.namespace == namespace)
    return next(found, None)


def _key(pod: Object) -> tuple[str, str]:
    return (pod["metadata"]["namespace"], pod["metadata"]["name"])


def _active(pod: Object) -> bool:
    return bool(pod["spec"].get("nodeName")) and pod["status"].get("phase") not in {
        "Succeeded",
        "Failed",
    }


def _workload(pod: Object, owners: dict[str, str]) -> str:
    for owner in pod["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            named = f"{owner['kind']} {owner['name']}"
            return owners.get(named, named)
    return f"Pod {pod['metadata']['name']}"
