"""The image, built and run: what is in it and what is not, and the operator in it as in a pod.

Docker or buildah must be here. Where neither is the tests say so and skip, unless whoever calls
them has promised one (`CLUSTER_AUDIT_IMAGE=required`, as the continuous integration does).
"""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusteraudit.model import build as objects
from controlplane import ControlPlane
from demo.operator import NAMESPACE, RELEASE, free_port, install, status_of, uninstall
from image.build import TAG, build, configuration, digest, size, version
from image.contained import Start, contained
from image.tools import ImageError, tool

MEGABYTES = 200
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

INSIDE = """
import json, os, pathlib, sys
from importlib.util import find_spec

def refused(path):
    try:
        pathlib.Path(path).write_text("x")
    except OSError as error:
        return error.strerror
    return ""

status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
tops = ("/etc", "/opt", "/usr", "/var")
names = [name for top in tops for _, _, files in os.walk(top) for name in files]
import operator
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
    "capabilities": status["CapEff"].strip(), "noNewPrivs": status["NoNewPrivs"].strip(),
    "refused": {path: refused(path) for path in ("/x", "/etc/x", "/opt/cluster-audit/x", "/tmp/x")},
    "programs": sorted({name for name in names if name in set(sys.argv[1:])}),
    "modules": [name for name in ("ensurepip", "pip", "setuptools") if find_spec(name)],
    "operator": operator.__file__,
}))
"""
UNWANTED = ("apt", "bash", "cc", "dpkg", "gcc", "g++", "ld", "make", "perl", "pip", "pip3", "sh")


@pytest.fixture(scope="module")
def builder() -> str:
    try:
        chosen = tool()
    except ImageError as error:
        if os.environ.get("CLUSTER_AUDIT_IMAGE") == "required":
            raise
        pytest.skip(f"the image is NOT tested here. {error}")
    build(chosen, given=os.environ.get("BASE", ""))
    return chosen


def test_what_it_says_of_itself(builder: str) -> None:
    config = configuration(builder)
    labels = config["Labels"]

    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["cluster-audit"]
    assert config["Cmd"] == ["run"]
    assert {one.partition("/")[0] for one in config["ExposedPorts"]} == {"8080", "8081"}
    assert labels["org.opencontainers.image.title"] == "cluster-audit"
    assert labels["org.opencontainers.image.version"] == version()
    assert len(labels["org.opencontainers.image.revision"]) == 40


def test_it_is_small(builder: str) -> None:
    assert size(builder) < MEGABYTES * 1e6


def test_two_builds_of_a_commit_are_one_image(builder: str) -> None:
    again = f"{TAG}-again"
    build(builder, again, given=os.environ.get("BASE", ""), anew=True)
    assert digest(builder, again) == digest(builder)


def test_a_build_of_another_commit_tells_that_one(
    builder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where nothing else differs, and an earlier build could be taken over."""
    other, revision = f"{TAG}-other", "f" * 40
    monkeypatch.setattr("image.build.revision", lambda: revision)
    monkeypatch.setattr("image.build.committed", lambda: "1700000000")
    build(builder, other, given=os.environ.get("BASE", ""))
    assert configuration(builder, other)["Labels"]["org.opencontainers.image.revision"] == revision
    assert digest(builder, other) != digest(builder)


def test_it_holds_no_tools_and_can_write_nothing(builder: str) -> None:
    script = ["-c", INSIDE, *UNWANTED]
    with contained(builder, Start(script, "/opt/cluster-audit/bin/python")) as command:
        inside = json.loads(output(command))

    assert (inside["uid"], inside["gid"], inside["groups"]) == (65532, 65532, [65532])
    assert int(inside["capabilities"], 16) == 0
    assert inside["noNewPrivs"] == "1"
    assert inside["refused"].pop("/tmp/x") == ""
    assert set(inside["refused"].values()) == {"Read-only file system"}
    assert inside["programs"] == []
    assert inside["modules"] == []
    assert "/opt/cluster-audit" not in inside["operator"]


def test_the_command_line_works_in_it(builder: str, tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text(json.dumps(objects.node("a")), encoding="utf-8")
    tmp_path.chmod(0o755)  # others read it, too
    scan = ["scan", "-f", "/input/cluster.json", "-o", "json"]

    with contained(builder, Start(["version"])) as command:
        assert output(command) == version()
    with contained(builder, Start(scan, mounts={"/input": tmp_path})) as command:
        assert json.loads(output(command))["inputs"]["kinds"] == {"Node": 1}


def output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def pod(plane: ControlPlane) -> Iterator[dict[str, Any]]:
    """The pod that the chart declares, on ports that are free here."""
    ports = {"metricsPort": free_port(), "healthPort": free_port()}
    install(plane, operator=ports)
    deployment = plane.api.get("apps/v1", "Deployment", RELEASE, NAMESPACE)
    yield deployment["spec"]["template"]["spec"]
    uninstall(plane)


@pytest.fixture
def account(plane: ControlPlane, pod: dict[str, Any], tmp_path: Path) -> Path:
    """What the kubelet mounts into it: token and authority of its ServiceAccount."""
    token = plane.kubectl("create", "token", pod["serviceAccountName"], "-n", NAMESPACE)
    (tmp_path / "token").write_text(token.strip(), encoding="utf-8")
    (tmp_path / "ca.crt").write_bytes(Path(str(plane.ca)).read_bytes())
    tmp_path.chmod(0o755)
    return tmp_path


def test_the_operator_in_it_publishes(
    plane: ControlPlane,
    builder: str,
    pod: dict[str, Any],
    account: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    (container,) = pod["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    host, _, port = plane.server.removeprefix("https://").rpartition(":")
    environment = {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "CLUSTER_AUDIT_HOST": "127.0.0.1",
    }
    start = Start(container["args"], environment=environment, mounts={ACCOUNT: account})
    log = tmp_path_factory.mktemp("image") / "log"
    with (
        contained(builder, start) as command,
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out) as process,
    ):
        try:
            plane.wait(lambda: condition(plane, "Ready") == "True", 60, "a Ready report")
            assert get(ports["health"], "/readyz") == "ok\n"
            assert "cluster_audit_score" in get(ports["metrics"], "/metrics")
        finally:
            process.terminate()
            left = process.wait(30)
            print(log.read_text())
    assert left == 0
    assert "Traceback" not in log.read_text()


def condition(plane: ControlPlane, kind: str) -> str:
    stands = status_of(plane).get("conditions", [])
    return next((one["status"] for one in stands if one["type"] == kind), "")


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text
