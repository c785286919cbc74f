"""The volume filters by cases: binding of every kind, zones, limits, restrictions."""

from typing import Any

import pytest

from clusteraudit.model import build
from clusteraudit.model.build import Manifest
from clusteraudit.simulate.schedule import verdict
from clusteraudit.simulate.snapshot import snapshot
from support.clusters import changes_of
from support.placing import HOST, ZONE, cluster_of, pod_of, said

NODE = build.node("n", zone="a")
DISK = "disk.example.com"


def new(*names: str, **spec: Any) -> Manifest:
    volumes = [
        {"name": f"v{at}", "persistentVolumeClaim": {"claimName": name}}
        for at, name in enumerate(names)
    ]
    return build.pod("new", spec={"volumes": volumes, **spec})


def claim(name: str = "data", owner: str | None = "wait", **more: Any) -> Manifest:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "5Gi"}},
        **more.pop("spec", {}),
    }
    if owner is not None:
        spec["storageClassName"] = owner
    return build.thing("v1", "PersistentVolumeClaim", name, "shop", spec=spec, **more)


def bound(name: str = "data", volume: str = "pv") -> Manifest:
    notes = {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}
    return claim(name, spec={"volumeName": volume}, metadata=notes, status={"phase": "Bound"})


def volume(name: str = "pv", **more: Any) -> Manifest:
    spec: dict[str, Any] = {
        "capacity": {"storage": "5Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "wait",
        "csi": {"driver": DISK, "volumeHandle": name},
        **more.pop("spec", {}),
    }
    return build.thing(
        "v1", "PersistentVolume", name, spec=spec, status={"phase": "Available"}, **more
    )


def reached(key: str, *values: str) -> dict[str, Any]:
    expression = {"key": key, "operator": "In", "values": list(values)}
    return {
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    }


def owner(
    name: str = "wait", provisioner: str = DISK, mode: str = "WaitForFirstConsumer", **more: Any
) -> Manifest:
    kind = ("storage.k8s.io/v1", "StorageClass", name)
    return build.thing(*kind, provisioner=provisioner, volumeBindingMode=mode, **more)


STATIC = owner(provisioner="kubernetes.io/no-provisioner")
ONLY_B: dict[str, Any] = {
    "allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE, "values": ["b"]}]}]
}
CHOSEN = {"annotations": {"volume.kubernetes.io/selected-node": "m"}}


@pytest.mark.parametrize(
    ("objects", "reasons"),
    [
        ([], ["ClaimNotFound"] * 4),
        ([bound(), volume()], []),
        ([bound(), volume(spec=reached(ZONE, "a"))], []),
        ([bound(), volume(spec=reached(ZONE, "b"))], ["VolumeNodeAffinityConflict"]),
        ([bound(), volume(spec=reached(HOST, "m"))], ["VolumeNodeAffinityConflict"]),
        ([bound(), volume(metadata={"labels": {ZONE: "b__c"}})], ["VolumeZoneConflict"]),
        ([bound(), volume(metadata={"labels": {ZONE: "a__b"}})], []),
        ([bound(), volume(metadata={"labels": {ZONE: "b__"}})], []),
        ([bound()], ["VolumeNotFound", "VolumeNotFound"]),
        ([claim(spec={"volumeName": "pv"}), volume(), owner()], ["UnboundImmediateClaim"]),
        ([claim(), owner()], []),
        ([claim(), owner(**ONLY_B)], ["TopologyNotAllowed"]),
        ([claim(metadata=CHOSEN), owner()], ["SelectedNodeMismatch"]),
        ([claim(), owner(mode="Immediate")], ["UnboundImmediateClaim", "UnboundClaim"]),
        ([claim()], ["UnboundImmediateClaim", "ClassNotFound"]),
        ([claim(owner="")], ["UnboundImmediateClaim", "UnboundClaim"]),
        ([claim(), STATIC], ["NoMatchingVolume"]),
        ([claim(), STATIC, volume()], []),
        ([claim(), STATIC, volume(spec=reached(HOST, "n"))], []),
        ([claim(), STATIC, volume(spec=reached(HOST, "m"))], ["NoMatchingVolume"]),
        ([claim(), STATIC, volume(spec={"capacity": {"storage": "1Gi"}})], ["NoMatchingVolume"]),
        ([claim(), STATIC, volume(spec={"accessModes": ["ReadOnlyMany"]})], ["NoMatchingVolume"]),
        ([claim(), STATIC, volume(spec={"volumeMode": "Block"})], ["NoMatchingVolume"]),
        ([claim(), STATIC, volume(spec={"storageClassName": "x"})], ["NoMatchingVolume"]),
        (
            [claim(), STATIC, volume(spec={"claimRef": {"namespace": "shop", "name": "x"}})],
            ["NoMatchingVolume"],
        ),
        (
            [claim(spec={"selector": {"matchLabels": {"a": "b"}}}), STATIC, volume()],
            ["NoMatchingVolume"],
        ),
        ([{**bound(), "status": {"phase": "Lost"}}, volume()], ["ClaimLost"]),
    ],
)
def test_claims(objects: list[Manifest], reasons: list[str]) -> None:
    assert said(new("data"), NODE, *objects) == reasons


def test_a_claim_that_is_being_deleted_keeps_its_pod_waiting() -> None:
    going = bound()
    going["metadata"] = {**going["metadata"], "deletionTimestamp": build.ago(5)}  # type: ignore[dict-item]
    assert said(new("data"), NODE, going, volume()) == ["ClaimTerminating"]


def test_two_claims_do_not_get_the_same_volume() -> None:
    two = [claim("data"), claim("more"), STATIC]
    assert said(new("data", "more"), NODE, *two, volume("a"), volume("b")) == []
    assert said(new("data", "more"), NODE, *two, volume("a")) == ["NoMatchingVolume"]


def test_which_of_two_equal_volumes_a_claim_gets_is_chance() -> None:
    picky = claim("more", spec={"selector": {"matchLabels": {"a": "b"}}})
    volumes = [volume("a", metadata={"labels": {"a": "b"}}), volume("b")]
    assert said(new("data", "more"), NODE, claim(), picky, STATIC, *volumes) == ["WhichVolume?"]


def test_chance_among_volumes_of_one_class_says_nothing_of_another() -> None:
    other = owner("other", "kubernetes.io/no-provisioner")
    volumes = [volume("a"), volume("b")]
    pair = [claim(), claim("more", "other", spec={"resources": {"requests": {"storage": "9Gi"}}})]
    assert said(new("data", "more"), NODE, *pair, STATIC, other, *volumes) == ["NoMatchingVolume"]


def driver(**spec: Any) -> Manifest:
    return build.thing("storage.k8s.io/v1", "CSIDriver", DISK, spec=spec)


def room(amount: str, zone: str = "a", **more: Any) -> Manifest:
    return build.thing(
        "storage.k8s.io/v1",
        "CSIStorageCapacity",
        f"room-{zone}",
        "kube-system",
        storageClassName="wait",
        capacity=amount,
        nodeTopology={"matchLabels": {ZONE: zone}},
        **more,
    )


@pytest.mark.parametrize(
    ("objects", "reasons"),
    [
        ([], ["InsufficientStorage"]),
        ([room("5Gi")], []),
        ([room("4Gi")], ["InsufficientStorage"]),
        ([room("5Gi", "b")], ["InsufficientStorage"]),
        ([room("9Gi", maximumVolumeSize="4Gi")], ["InsufficientStorage"]),
    ],
)
def test_a_driver_that_tells_its_room_is_believed(
    objects: list[Manifest], reasons: list[str]
) -> None:
    assert (
        said(new("data"), NODE, claim(), owner(), driver(storageCapacity=True), *objects) == reasons
    )
    assert said(new("data"), NODE, claim(), owner(), driver(), *objects) == []


def csi_node(count: int | None, name: str = DISK) -> Manifest:
    limit = {} if count is None else {"allocatable": {"count": count}}
    drivers = [{"name": name, "nodeID": "n", **limit}]
    return build.thing("storage.k8s.io/v1", "CSINode", "n", spec={"drivers": drivers})


def attached(name: str) -> Manifest:
    spec = {"attacher": DISK, "nodeName": "n", "source": {"persistentVolumeName": name}}
    return build.thing("storage.k8s.io/v1", "VolumeAttachment", f"att-{name}", spec=spec)


OLD = build.pod("old", on="n", claim="other")
HELD = [bound("other", "pv-o"), volume("pv-o"), OLD]
MINE = [bound(), volume()]


@pytest.mark.parametrize(
    ("objects", "reasons"),
    [
        ([csi_node(1)], []),
        ([csi_node(0)], ["TooManyVolumes"]),
        ([csi_node(None), *HELD], []),
        ([csi_node(1), *HELD], ["TooManyVolumes"]),
        ([csi_node(2), *HELD], []),
        ([csi_node(1), build.pod("old", on="n", claim="data")], []),
        ([csi_node(1), attached("pv-x"), volume("pv-x")], ["TooManyVolumes"]),
        ([csi_node(2), attached("pv-o"), *HELD], []),
        ([csi_node(1), attached("pv")], ["TooManyVolumes"]),
    ],
)
def test_limits_of_a_driver(objects: list[Manifest], reasons: list[str]) -> None:
    assert said(new("data"), NODE, *MINE, *objects) == reasons


def test_a_driver_that_must_be_there() -> None:
    wanted = [*MINE, driver(preventPodSchedulingIfMissing=True)]
    assert said(new("data"), NODE, *wanted, csi_node(None)) == []
    assert said(new("data"), NODE, *wanted, csi_node(None, "x")) == ["DriverNotInstalled"]
    assert said(new("data"), NODE, *wanted) == ["DriverNotInstalled"]


def test_a_claim_for_one_pod_is_taken_wherever_that_pod_is() -> None:
    mine = claim(spec={"accessModes": ["ReadWriteOncePod"], "volumeName": "pv"})
    mine["status"] = {"phase": "Bound"}
    user = build.pod("old", on="m", claim="data")
    pod, nodes = new("data"), (NODE, build.node("m"))
    assert said(pod, *nodes, mine, volume(), user) == ["ReadWriteOncePodConflict"]
    assert said(pod, *nodes, mine, volume()) == []


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        ({"gcePersistentDisk": {"pdName": "d"}}, {"gcePersistentDisk": {"pdName": "d"}}, False),
        (
            {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
            {"gcePersistentDisk": {"pdName": "d", "readOnly": True}},
            True,
        ),
        ({"iscsi": {"iqn": "i"}}, {"iscsi": {"iqn": "j"}}, True),
        (
            {"rbd": {"monitors": ["a", "b"], "image": "i"}},
            {"rbd": {"monitors": ["b"], "image": "i"}},
            False,
        ),
        (
            {"rbd": {"monitors": ["a"], "image": "i"}},
            {"rbd": {"monitors": ["b"], "image": "i"}},
            True,
        ),
    ],
)
def test_disks_that_are_not_shared(
    mine: dict[str, Any], theirs: dict[str, Any], fits: bool
) -> None:
    pod = build.pod("new", spec={"volumes": [{"name": "v", **mine}]})
    old = build.pod("old", on="n", spec={"volumes": [{"name": "v", **theirs}]})
    assert ("DiskConflict" in said(pod, NODE, old)) is not fits


@pytest.mark.parametrize(
    ("kind", "objects"),
    [
        ("PersistentVolumeClaim", []),
        ("PersistentVolume", [bound()]),
        ("StorageClass", [claim()]),
        ("CSIDriver", [claim(), owner()]),
        ("CSIStorageCapacity", [claim(), owner(), driver(storageCapacity=True)]),
        ("VolumeAttachment", [*MINE, csi_node(5)]),
    ],
)
def test_what_would_have_to_be_known_is_named(kind: str, objects: list[Manifest]) -> None:
    found = said(new("data"), NODE, *objects, partial=kind)
    assert set(found) == {f"{kind}?"}


def test_a_pod_that_only_a_template_promises_has_its_claims_made() -> None:
    spec = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
    made = build.stateful_set("db", spec=spec)
    held = made["spec"]
    assert isinstance(held, dict)
    held["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {}}]
    cluster = cluster_of(changes_of([NODE, made]))
    pod = pod_of(cluster, "db-0")
    assert pod.claims == ("data-db-0",)
    found = verdict(snapshot(cluster), pod, "n")
    assert found.fits is None
    assert {one.missing for one in found.doubts} == {"PersistentVolumeClaim"}
