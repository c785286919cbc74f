"""Which pool and which zone a node is of."""

import pytest

from clusteraudit.model import build
from clusteraudit.model.rows import NodeRow
from clusteraudit.simulate.pools import LABELS, places, pool_of
from support.clusters import changes_of
from support.model import cluster_of


def row(**node: object) -> NodeRow:
    found = changes_of([build.node("n", **node)])[0].row  # type: ignore[arg-type]
    assert isinstance(found, NodeRow)
    return found


@pytest.mark.parametrize("label", LABELS)
def test_the_label_of_its_maker_names_the_pool(label: str) -> None:
    types = {"node.kubernetes.io/instance-type": "m5.large", label: "workers"}
    assert pool_of(row(labels=types)) == "workers"


@pytest.mark.parametrize(
    ("node", "pool"),
    [
        ({}, "default"),
        ({"labels": {"node.kubernetes.io/instance-type": "m5.large"}}, "m5.large"),
        ({"labels": {"beta.kubernetes.io/instance-type": "m5.large"}}, "m5.large"),
        (
            {"labels": {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}},
            "linux/arm64",
        ),
        (
            {"labels": {"node-role.kubernetes.io/infra": "", "kubernetes.io/os": "linux"}},
            "infra linux",
        ),
        ({"labels": {"node-role.kubernetes.io/master": "", "x": "y"}}, "control-plane"),
        (
            {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]},
            "gpu=yes",
        ),
        ({"taints": [{"key": "gpu", "effect": "PreferNoSchedule"}]}, "default"),
        ({"cordoned": 60}, "default"),
        ({"labels": {"karpenter.sh/nodepool": ""}}, "default"),
    ],
)
def test_else_what_it_is(node: dict[str, object], pool: str) -> None:
    assert pool_of(row(**node)) == pool


def test_zones_of_one_name_in_two_regions_are_two() -> None:
    region = "topology.kubernetes.io/region"
    nodes = [
        build.node("a", zone="1", labels={region: "north"}),
        build.node("b", zone="1", labels={region: "south"}),
        build.node("c", zone="2", labels={region: "south"}),
        build.node("d", labels={"failure-domain.beta.kubernetes.io/zone": "3"}),
        build.node("e"),
    ]
    assert [one.zone for one in places(cluster_of(nodes))] == ["north/1", "south/1", "2", "3", ""]
