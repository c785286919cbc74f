"""The small parts of the control plane that need no cluster: processes, ports, waiting, files."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controlplane.components import parse_audit
from controlplane.objects import has_condition, is_ready, node
from controlplane.ports import LOOPBACK, free_port
from controlplane.processes import Component, ComponentFailedError, ProcessGroup
from controlplane.waiting import wait

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def component(folder: Path, group: ProcessGroup, *args: str) -> Component:
    return Component("it", [sys.executable, "-c", *args], folder / "it.log", group)


def test_closing_a_group_ends_its_programs_and_removes_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "group"
    folder.mkdir()
    group = ProcessGroup(folder)
    sleeper = group.spawn(["sleep", "60"], folder / "log")
    group.close()
    assert sleeper.wait(5) != 0
    assert not folder.exists()


def test_a_program_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    group = ProcessGroup()
    deaf = component(tmp_path, group, STUBBORN)
    deaf.start()
    wait(lambda: "deaf" in deaf.log.read_text(), 10)
    start = time.monotonic()
    deaf.stop(0.1)
    assert time.monotonic() - start < 5
    assert not deaf.running
    assert not deaf.wanted
    group.close()


def test_a_program_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    group = ProcessGroup()
    dying = component(tmp_path, group, "print('no room'); raise SystemExit(3)")
    dying.check()
    dying.start()
    wait(lambda: not dying.running, 10)
    with pytest.raises(ComponentFailedError, match=r"(?s)it ended \(exit 3\).*no room"):
        dying.check()
    dying.kill()
    dying.check()
    group.close()


def test_ports_are_not_handed_out_twice_and_can_be_bound() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, ports[0]))


def test_wait_returns_what_it_waited_for() -> None:
    answers = iter([0, 0, 7])
    assert wait(lambda: next(answers), 5) == 7


def test_wait_says_what_it_waited_for_and_the_last_error() -> None:
    def broken() -> bool:
        raise AssertionError("2 of 3 pods")

    with pytest.raises(TimeoutError, match=r"waited 0.1 s for pods: AssertionError: 2 of 3 pods"):
        wait(broken, 0.1, "pods")


def test_wait_ends_when_the_check_fails() -> None:
    def dead() -> None:
        raise ComponentFailedError("etcd", "ended", Path("nowhere"))

    with pytest.raises(ComponentFailedError, match="etcd ended"):
        wait(lambda: False, 60, "never", dead)


def test_a_half_written_audit_line_is_left_out() -> None:
    line = json.dumps({"verb": "get"})
    assert parse_audit(f"{line}\n{line[:5]}") == [{"verb": "get"}]
    assert parse_audit("") == []


def test_a_node_is_ready_when_it_says_so_and_is_open() -> None:
    fresh = node("a", {"cpu": "2"}, {"zone": "x"})
    assert fresh["status"]["allocatable"] == {"cpu": "2", "memory": "32Gi", "pods": "110"}
    assert fresh["metadata"]["labels"]["zone"] == "x"
    assert not is_ready(fresh)
    ready = {**fresh, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert is_ready(ready)
    assert not has_condition(ready, "Ready", "Unknown")
    closed = {"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]}
    assert not is_ready({**ready, "spec": closed})


def test_the_command_line_explains_itself() -> None:
    command = [sys.executable, "-m", "controlplane", "--help"]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "{up,down,status,build," in done.stdout
