"""Namespaces of distributions: hygiene is silent there, until the report asks for it."""

import pytest

from clusteraudit.audit.system import SYSTEM_NAMESPACES, is_system
from clusteraudit.handlers.engine import Engine
from clusteraudit.model import build
from clusteraudit.report.resource import Spec
from support.clusters import EVERYTHING, rows_of

NOBODYS = build.egress_policy("lock", "kube-system", app="gone")


async def test_the_report_asks_hygiene_there_and_takes_it_back() -> None:
    said: list[set[str]] = []
    with Engine() as engine:
        rows = rows_of([build.namespace("kube-system"), NOBODYS])
        for named in (None, [], ["openshift*"], ["kube-*"]):
            engine.tune(Spec(system_namespaces=named))
            result = await engine.step(rows, EVERYTHING, settled=True)
            said.append({entry.rule for entry in result.entries})
            rows = {}

    assert said == [set(), {"NET102"}, {"NET102"}, set()]


@pytest.mark.parametrize("namespace", ["kube-system", "calico-system", "cilium", "gke-managed-cim"])
def test_what_distributions_bring_is_the_systems(namespace: str) -> None:
    assert is_system(namespace)


@pytest.mark.parametrize("namespace", ["default", "shop", "gateway", "mykube-system", ""])
def test_what_users_make_is_not(namespace: str) -> None:
    assert not is_system(namespace)
    assert len(set(SYSTEM_NAMESPACES)) == len(SYSTEM_NAMESPACES)
