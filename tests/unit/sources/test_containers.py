"""What containers lack, what is wrong with them, and the words by which pulls fail."""

from typing import Any

import pytest

from clusteraudit.model import build
from clusteraudit.model.moments import epoch
from clusteraudit.model.rows import PodRow, Trouble
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.sources.payload import decode
from clusteraudit.sources.pulls import Pull, pull_failure, registry
from clusteraudit.sources.translate import translate
from support.clusters import audit_of

AT = "2026-01-01T11:00:00Z"


def pod(spec: Any = None, status: Any = None) -> PodRow:
    document = {"metadata": {"name": "x"}, "spec": spec or {}, "status": status or {}}
    row = translate("Pod", decode("Pod", document))
    assert isinstance(row, PodRow)
    return row


def box(name: str, requests: Any = None, limits: Any = None, **more: Any) -> Any:
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def lacks(**spec: Any) -> dict[str, tuple[str, ...]]:
    return {one.container: one.resources for one in pod(spec).template.unrequested}


def test_each_container_is_asked_and_init_containers_only_as_sidecars() -> None:
    whole = {"cpu": "1", "memory": "1Gi"}
    assert lacks(
        containers=[box("a", whole), box("b", {"cpu": "1"}), box("c")],
        initContainers=[box("first"), box("mesh", {"memory": "1"}, restartPolicy="Always")],
    ) == {"b": ("memory",), "c": ("cpu", "memory"), "mesh": ("cpu",)}


def test_a_limit_is_a_request_and_the_pods_own_counts_for_all() -> None:
    assert lacks(containers=[box("a", limits={"cpu": "1", "memory": "1"})]) == {}
    assert lacks(containers=[box("a")], resources={"requests": {"cpu": "1"}}) == {"a": ("memory",)}


def test_a_request_of_zero_is_none() -> None:
    assert lacks(containers=[box("a", {"cpu": "0", "memory": "0"})]) == {"a": ("cpu", "memory")}


def test_containers_without_a_memory_limit_are_counted() -> None:
    limited = {"memory": "1Gi"}
    spec = {"containers": [box("a"), box("b", limits=limited)], "initContainers": [box("c")]}
    assert pod(spec).template.unlimited == 1
    assert pod({**spec, "resources": {"limits": limited}}).template.unlimited == 0


END = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": AT}


@pytest.mark.parametrize("where", ["state", "lastState"])
def test_a_kill_is_seen_in_either_state(where: str) -> None:
    told = {"name": "a", "restartCount": 4, where: {"terminated": END}}
    spec = {"containers": [box("a", limits={"memory": "64Mi"})]}
    (trouble,) = pod(spec, {"containerStatuses": [told]}).troubles

    assert trouble == Trouble(
        container="a", killed_at=epoch(AT), restarts=4, memory_limit=64 * 2**20
    )


def test_the_newest_of_two_kills_counts() -> None:
    before = {**END, "finishedAt": "2026-01-01T10:00:00Z"}
    told = {"name": "a", "state": {"terminated": END}, "lastState": {"terminated": before}}
    (trouble,) = pod({}, {"containerStatuses": [told]}).troubles
    assert trouble.killed_at == epoch(AT)


def test_healthy_containers_are_no_trouble() -> None:
    running = {"name": "a", "restartCount": 3, "state": {"running": {"startedAt": AT}}}
    waits = {"name": "b", "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "denied"}}}
    ended = {"name": "c", "lastState": {"terminated": {"reason": "Error", "exitCode": 137}}}
    assert pod({}, {"containerStatuses": [running, waits, ended]}).troubles == ()


def test_since_when_a_pod_is_not_ready() -> None:
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": AT}
    assert pod(status={"phase": "Running", "conditions": [ready]}).unready_since == epoch(AT)
    assert pod(status={"phase": "Succeeded", "conditions": [ready]}).unready_since is None
    assert pod(status={"conditions": [{**ready, "status": "True"}]}).unready_since is None


@pytest.mark.parametrize(
    ("message", "pull"),
    [
        ("failed to authorize: failed to fetch oauth token: 401 Unauthorized", Pull.DENIED),
        ("Permission artifactregistry.repositories.downloadArtifacts denied", Pull.DENIED),
        ("pull access denied for x, repository does not exist", Pull.DENIED),
        ("no basic auth credentials", Pull.DENIED),
        ("manifest for nginx:99 not found: manifest unknown", Pull.MISSING),
        ("429 Too Many Requests: toomanyrequests: access denied", Pull.LIMITED),
        ("dial tcp: lookup registry.local: no such host", Pull.UNREACHABLE),
        ("x509: certificate signed by unknown authority", Pull.UNREACHABLE),
        ('Back-off pulling image "a/denied:not found"', Pull.OTHER),
        ("", Pull.OTHER),
        *((one.value, one) for one in Pull),
    ],
)
def test_words_of_a_pull(message: str, pull: Pull) -> None:
    assert pull_failure(message) == pull


@pytest.mark.parametrize("pull", list(Pull))
def test_every_cause_has_words(pull: Pull) -> None:
    waits = build.unready(600, build.unpulled(pull.value), phase="Pending")
    (rule,) = (one for one in catalogue() if one.name == "image-pull-refused")
    _, result = audit_of([rule], [build.pod("web", on="node-a", status=waits)])
    assert [dict(one.finding.evidence)["cause"] for one in result.entries] == [pull.value]


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("nginx", "docker.io/"),
        ("team/app:1", "docker.io/"),
        ("localhost/app", "localhost/"),
        ("registry:5000/app", "registry:5000/"),
        ("eu.gcr.io/p/a@sha256:00", "eu.gcr.io/"),
        ("eu.gcr.io/", "eu.gcr.io/"),
    ],
)
def test_the_registry_of_an_image(image: str, host: str) -> None:
    assert registry(image) == host == registry(host)


def test_pressures_that_are_true() -> None:
    conditions = [
        {"type": "MemoryPressure", "status": "False"},
        {"type": "DiskPressure", "status": "True", "lastTransitionTime": AT},
        {"type": "PIDPressure", "status": "Unknown"},
        {"type": "Ready", "status": "True"},
    ]
    row = translate(
        "Node", decode("Node", {"metadata": {"name": "n"}, "status": {"conditions": conditions}})
    )
    assert getattr(row, "pressure", None) == (("DiskPressure", epoch(AT)),)
