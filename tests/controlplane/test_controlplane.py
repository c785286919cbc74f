"""The control plane itself: what it promises to the tests, the demo and the benchmarks."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane import ApiError, ComponentFailedError, ControlPlane, Object, node
from controlplane.api import Access, Api
from controlplane.components import API_SERVER, COMPONENTS, CONTROLLERS, ETCD
from controlplane.local import State, down, is_healthy, up
from controlplane.objects import HOLD_ANNOTATION, has_condition, node_usage, pod_usage
from controlplane.waiting import wait

AddNodes = Callable[..., None]
SMALL = (ETCD, API_SERVER)
CONTAINERS: list[Object] = [{"name": "app", "image": "app:1"}]


def workload(kind: str, namespace: str, name: str, spec: Object, **pod: object) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": CONTAINERS, **pod}}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    selector = {} if kind == "Job" else {"selector": {"matchLabels": labels}}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {**spec, **selector, "template": template},
    }


def pod(namespace: str, name: str, **metadata: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, **metadata},
        "spec": {"containers": CONTAINERS},
    }


def config_map(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "default", "name": name},
    }


def alive(pid: int) -> bool:
    """Zombies are dead: who inherits them may take its time to notice."""
    done = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() not in {"", "Z"} and not done.stdout.startswith("Z")


def test_a_deployment_runs_on_the_nodes(
    plane: ControlPlane, fresh: str, add_nodes: AddNodes
) -> None:
    add_nodes(node("run-a"), node("run-b"))
    plane.apply([workload("Deployment", fresh, "web", {"replicas": 6})])

    def pods() -> list[Object]:
        found = plane.api.items("v1", "Pod", fresh, "labelSelector=app%3Dweb")
        return found if len(found) == 6 and all(has_condition(p, "Ready") for p in found) else []

    running = plane.wait(pods, what="six pods")
    assert {each["spec"]["nodeName"] for each in running} == {"run-a", "run-b"}
    assert {each["status"]["phase"] for each in running} == {"Running"}
    assert len({each["status"]["podIP"] for each in running}) == 6


def test_a_job_completes_and_a_pod_can_be_deleted(
    plane: ControlPlane, fresh: str, add_nodes: AddNodes
) -> None:
    add_nodes(node("job"))
    plane.apply([workload("Job", fresh, "once", {}, restartPolicy="Never"), pod(fresh, "gone")])
    plane.wait(
        lambda: has_condition(plane.api.get("batch/v1", "Job", "once", fresh), "Complete"),
        what="the job to complete",
    )
    plane.delete([pod(fresh, "gone")])
    plane.wait(
        lambda: len(plane.api.items("v1", "Pod", fresh)) == 1, what="only the job's pod to be left"
    )


def test_a_held_pod_keeps_the_status_that_the_test_wrote(
    plane: ControlPlane, fresh: str, add_nodes: AddNodes
) -> None:
    add_nodes(node("hold"))
    held = pod(fresh, "held", annotations={HOLD_ANNOTATION: ""})
    plane.create([held, pod(fresh, "free")])
    plane.wait(lambda: has_condition(plane.api.get("v1", "Pod", "free", fresh), "Ready"))
    crash = {"waiting": {"reason": "CrashLoopBackOff"}}
    status = {"name": "app", "image": "", "imageID": "", "ready": False, "restartCount": 7}
    plane.api.patch(held, {"status": {"containerStatuses": [{**status, "state": crash}]}}, "status")
    assert "CrashLoopBackOff" in plane.kubectl("-n", fresh, "get", "pod", "held")


def test_usage_is_read_by_kubectl_top(plane: ControlPlane, fresh: str, add_nodes: AddNodes) -> None:
    plane.install_metrics()
    add_nodes(node("busy"))
    plane.create([pod(fresh, "web")])
    now = "2026-01-01T00:00:00Z"
    used = {"cpu": "250m", "memory": "64Mi"}
    plane.apply([node_usage("busy", used, now), pod_usage(fresh, "web", {"app": used}, now)])
    assert "250m" in plane.kubectl("top", "node", "busy")
    assert "64Mi" in plane.kubectl("-n", fresh, "top", "pod", "web")


def test_a_second_plane_does_not_meet_the_first(plane: ControlPlane) -> None:
    with ControlPlane(components=SMALL) as other:
        assert other.server != plane.server
        other.create([config_map("only-there")])
        with pytest.raises(ApiError, match="404") as caught:
            plane.api.get("v1", "ConfigMap", "only-there", "default")
        assert caught.value.reason == "NotFound"


def test_the_audit_log_tells_who_wrote_what(plane: ControlPlane) -> None:
    alice = plane.kubeconfig_for("alice", ["system:masters"])
    plane.kubectl("--kubeconfig", str(alice), "create", "configmap", "from-alice")
    (event,) = plane.audit_events("alice", ["create"])
    assert event["objectRef"]["name"] == "from-alice"
    assert event["responseStatus"]["code"] == 201


def test_a_service_account_may_do_what_its_role_says(plane: ControlPlane, fresh: str) -> None:
    plane.kubectl("-n", fresh, "create", "serviceaccount", "reader")
    plane.kubectl("-n", fresh, "create", "role", "reader", "--verb=get,list", "--resource=pods")
    who = f"{fresh}:reader"
    binding = ("rolebinding", "reader", "--role=reader", f"--serviceaccount={who}")
    plane.kubectl("-n", fresh, "create", *binding)
    reader = str(plane.kubeconfig_for(f"system:serviceaccount:{who}"))

    def may(*question: str) -> str:
        flags = ("--kubeconfig", reader, "-n", fresh, "get", *question)
        return plane.kubectl(*flags)

    # The API server's authorizer hears of a new role a moment later.
    plane.wait(lambda: may("pods", "-o", "name") == "", what="the role to be known")
    with pytest.raises(RuntimeError, match="Forbidden"):
        may("secrets")


def test_restart_and_compaction_make_old_watches_fail(plane: ControlPlane) -> None:
    path = plane.api.path("v1", "ConfigMap", "default")
    old = plane.api.request("GET", path)["metadata"]["resourceVersion"]
    plane.create([config_map("newer")])
    plane.compact()
    plane.restart(API_SERVER)
    answer = plane.api.request("GET", f"{path}?watch=1&resourceVersion={old}&timeoutSeconds=1")
    assert answer["object"]["code"] == 410
    assert plane.api.get("v1", "ConfigMap", "newer", "default")


def test_a_dead_component_ends_a_wait(plane: ControlPlane) -> None:
    plane.component(CONTROLLERS).signal(signal.SIGKILL)
    with pytest.raises(ComponentFailedError, match="kube-controller-manager ended"):
        plane.wait(lambda: False, what="nothing")
    plane.restart(CONTROLLERS)
    plane.check()


def test_a_failed_start_names_the_component_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "plane"
    flags = {API_SERVER: ["--no-such-flag"]}
    failing = ControlPlane(components=SMALL, flags=flags, folder=folder)
    with pytest.raises(ComponentFailedError, match=r"(?s)kube-apiserver ended.*no-such-flag"):
        failing.start()
    assert not folder.exists()


async def test_stop_leaves_no_process_and_no_file() -> None:
    async with ControlPlane() as plane:
        pids = [plane.component(name).pid or 0 for name in COMPONENTS]
        folder = plane.kubeconfig.parent
        assert all(map(alive, pids))
    assert not any(map(alive, pids))
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_parent_leaves_no_survivors(number: signal.Signals, tmp_path: Path) -> None:
    script = """
        import signal, sys, time
        from pathlib import Path
        from controlplane import ControlPlane
        # A shell that starts the suite in the background has interrupts ignored, by us too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        parts = ("etcd", "kube-apiserver")
        plane = ControlPlane(components=parts, folder=Path(sys.argv[1])).start()
        print(*(plane.component(name).pid for name in plane.components), flush=True)
        time.sleep(100)
    """
    folder = tmp_path / "plane"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(script), str(folder)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        try:
            pids = [int(pid) for pid in parent.stdout.readline().split()]
            assert len(pids) == 2
            parent.send_signal(number)
            parent.wait(10)
        finally:
            parent.kill()
    wait(lambda: not any(map(alive, pids)), 10, "its programs to end")
    wait(lambda: not folder.exists(), 10, "its folder to go")


def test_up_and_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    state = State(tmp_path)
    assert not down(state)
    facts = up(state)
    try:
        assert up(state)["pid"] == facts["pid"], "it is started once"
        assert is_healthy(state)
        assert facts["versions"]["kube-apiserver"].startswith("Kubernetes v1.")
    finally:
        assert down(state)
    assert not state.running()
    assert not (tmp_path / "plane").exists()


@pytest.mark.slow
def test_a_lost_node_becomes_unknown_and_comes_back() -> None:
    flags = {CONTROLLERS: ["--node-monitor-grace-period=12s", "--node-monitor-period=1s"]}
    with ControlPlane(flags=flags) as plane:
        plane.add_nodes([node("lost"), node("kept")])
        plane.lose_nodes("lost")

        def status(name: str, value: str) -> bool:
            return has_condition(plane.api.get("v1", "Node", name), "Ready", value)

        plane.wait(lambda: status("lost", "Unknown"), 60, "the node to be given up")
        assert status("kept", "True")
        plane.find_nodes("lost")
        plane.wait(lambda: status("lost", "True"), 30, "the node to be back")


def test_an_unknown_token_is_refused(plane: ControlPlane) -> None:
    stranger = Api(Access(plane.server, plane.ca, "nobody"))
    with pytest.raises(ApiError, match="401"):
        stranger.get("v1", "Namespace", "default")
    stranger.close()
    assert plane.audit_events("nobody") == [], "who is refused has no name in the audit log"
