"""What is made of a pod's resources: the pod level, resizes in place, QoS, and the kubelet's view.

The cases of resizes were computed by component-helpers 0.37.2, too.
"""

from typing import Any

import pytest

from clusteraudit.model.rows import PodTemplate
from clusteraudit.sources.payload import decode
from clusteraudit.sources.translate import translate

MI = 1 << 20
PLACED = {"nodeName": "n"}


def template(spec: Any, **status: Any) -> PodTemplate:
    pod = {"metadata": {"name": "x", "namespace": "n"}, "spec": spec, "status": status}
    made: Any = translate("Pod", decode("Pod", pod))
    return made.template  # type: ignore[no-any-return]


def part(name: str = "a", *, requests: Any = None, limits: Any = None, **more: Any) -> Any:
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def says(name: str, allocated: Any = None, **runs: Any) -> Any:
    found: dict[str, Any] = {"name": name, "resources": runs}
    return {**found, "allocatedResources": allocated} if allocated else found


def pending(reason: str) -> Any:
    return [{"type": "PodResizePending", "status": "True", "reason": reason}]


# In-place resize


@pytest.mark.parametrize(("reason", "cpu"), [("", 4000), ("Deferred", 4000), ("Infeasible", 1000)])
def test_a_resize_that_can_never_be_does_not_count(reason: str, cpu: int) -> None:
    spec = {**PLACED, "containers": [part(requests={"cpu": "4"})]}
    kept = {"cpu": "1"}
    conditions = pending(reason) if reason else []
    statuses = [says("a", kept, requests=kept)]
    found = template(spec, containerStatuses=statuses, conditions=conditions)
    assert dict(found.requests) == {"cpu": cpu}


def test_a_container_of_which_the_status_says_nothing_counts_by_its_spec() -> None:
    spec = {
        **PLACED,
        "containers": [part("a", requests={"cpu": "2"}), part("b", requests={"cpu": "1"})],
    }
    found = template(spec, containerStatuses=[says("a", {"cpu": "3"})])
    assert dict(found.requests) == {"cpu": 4000}


def test_what_runs_is_what_is_allocated_where_the_status_says_only_that() -> None:
    spec = {
        **PLACED,
        "containers": [part("a", requests={"cpu": "1"}), part("b", requests={"cpu": "1"})],
    }
    statuses = [says("a", {"cpu": "3"}), says("b", {"cpu": "1"}, requests={"cpu": "2"})]
    assert dict(template(spec, containerStatuses=statuses).requests) == {"cpu": 5000}


def test_a_pod_without_a_node_counts_by_its_spec() -> None:
    spec = {"containers": [part(requests={"cpu": "1"})]}
    found = template(spec, containerStatuses=[says("a", {"cpu": "9"})])
    assert dict(found.requests) == {"cpu": 1000}


def test_a_pod_that_is_resized_as_a_whole_counts_at_its_largest() -> None:
    whole = {"requests": {"cpu": "2", "memory": "1Gi"}}
    spec = {**PLACED, "containers": [part(requests={"cpu": "1"})], "resources": whole}
    status = {"allocatedResources": {"cpu": "4"}, "resources": {"requests": {"cpu": "3"}}}
    assert dict(template(spec, **status).requests)["cpu"] == 4000
    found = template(spec, **status, conditions=pending("Infeasible"))
    assert dict(found.requests)["cpu"] == 4000


def test_limits_count_as_they_run_and_as_they_are_wanted() -> None:
    spec = {**PLACED, "containers": [part(limits={"cpu": "1", "memory": "2Mi"})]}
    statuses = [says("a", limits={"cpu": "2", "memory": "1Mi"})]
    found = template(spec, containerStatuses=statuses)
    assert dict(found.limits) == {"cpu": 2000, "memory": 2 * MI}


# The pod as a whole, completed from its containers


def test_requests_of_the_whole_are_those_of_the_containers_where_it_names_none() -> None:
    spec = {
        "containers": [part(requests={"cpu": "1", "memory": "1Mi", "ephemeral-storage": "1Mi"})],
        "resources": {"limits": {"cpu": "4"}},
    }
    found = template(spec)
    assert dict(found.requests) == {"cpu": 1000, "memory": MI, "ephemeral-storage": MI}
    assert dict(found.limits) == {"cpu": 4000}


def test_a_limit_of_the_whole_is_its_request_where_no_container_asks() -> None:
    spec = {"containers": [part()], "resources": {"limits": {"memory": "2Mi"}}}
    assert dict(template(spec).requests) == {"memory": 2 * MI}


def test_limits_of_the_whole_are_those_of_the_containers_if_each_has_one() -> None:
    both = [part("a", limits={"cpu": "1"}), part("b", limits={"cpu": "1"})]
    whole = {"requests": {"cpu": "3"}}
    assert dict(template({"containers": both, "resources": whole}).limits) == {"cpu": 3000}
    one = [both[0], part("b", requests={"cpu": "1"})]
    assert dict(template({"containers": one, "resources": whole}).limits) == {"cpu": 1000}


def test_huge_pages_of_the_whole_are_those_of_the_containers() -> None:
    pages = {"hugepages-2Mi": "4Mi", "cpu": "1"}
    spec = {
        "containers": [part("a", limits=pages), part("b", limits=pages)],
        "resources": {"requests": {"cpu": "3"}},
    }
    assert dict(template(spec).requests)["hugepages-2Mi"] == 8 * MI


# QoS

FULL = {"cpu": "1", "memory": "1Mi"}
MORE = {"cpu": "2", "memory": "2Mi"}


@pytest.mark.parametrize(
    ("whole", "qos"),
    [
        ({}, "Burstable"),
        ({"limits": {"example.com/gpu": "1"}}, "Burstable"),
        (
            {"limits": {"cpu": "2", "memory": "2Mi"}, "requests": {"cpu": "2", "memory": "2Mi"}},
            "Guaranteed",
        ),
        (
            {"limits": {"cpu": "2", "memory": "2Mi"}, "requests": {"cpu": "1", "memory": "2Mi"}},
            "Burstable",
        ),
        ({"requests": {"hugepages-2Mi": "2Mi"}, "limits": {"hugepages-2Mi": "2Mi"}}, "Burstable"),
    ],
)
def test_the_whole_decides_the_qos_class_if_it_asks_for_anything(whole: Any, qos: str) -> None:
    spec = {
        "containers": [part("a", limits=FULL), part("b", requests={"cpu": "1"})],
        "resources": whole,
    }
    assert template(spec).qos == qos


def test_one_container_that_asks_for_nothing_makes_the_pod_burstable() -> None:
    spec = {"containers": [part("a", limits=FULL), part("b")]}
    assert template(spec).qos == "Burstable"


# What the kubelet's eviction compares usage with


def test_it_is_what_is_allocated_while_a_resize_waits() -> None:
    spec = {**PLACED, "containers": [part(requests={"memory": "4Mi"})]}
    found = template(spec, containerStatuses=[says("a", {"memory": "1Mi"})])
    assert found.memory_request == MI


def test_overhead_counts_only_beside_a_request() -> None:
    overhead = {"memory": "1Mi"}
    asks = {"containers": [part(requests={"memory": "1Mi"})], "overhead": overhead}
    assert template(asks).memory_request == 2 * MI
    assert template({"containers": [part()], "overhead": overhead}).memory_request == 0


def test_ephemeral_storage_of_containers_does_not_count_beside_the_whole() -> None:
    spec = {"containers": [part(requests={"ephemeral-storage": "1Mi"})]}
    assert template(spec).ephemeral_request == MI
    assert template({**spec, "resources": {"requests": {"cpu": "1"}}}).ephemeral_request == 0


@pytest.mark.parametrize(
    ("spec", "capped"),
    [
        ({"containers": [part(limits={"memory": "1Mi"})]}, True),
        ({"containers": [part(requests={"memory": "1"}, limits={"memory": "1Mi"})]}, False),
        ({"containers": [part(limits={"memory": "1Mi"}), part("b")]}, False),
        ({"containers": [part(requests={"memory": "1Mi"})]}, False),
        ({"containers": [part()], "resources": {"limits": {"memory": "1Mi"}}}, True),
        (
            {
                "containers": [part(requests={"memory": "1"}, limits={"memory": "1Mi"})],
                "initContainers": [part("i", limits={"memory": "2Mi"})],
            },
            True,
        ),
        ({"containers": []}, False),
    ],
)
def test_a_pod_cannot_use_more_memory_than_its_cgroup_lets_it(spec: Any, capped: bool) -> None:
    assert template(spec).memory_capped == capped
