"""The operator while there is no API server: it lives, is not ready, and stops when it is told."""

import contextlib
import resource
import socket
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from demo.operator import Operator

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "a", "user": {"token": "x"}}],
}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    config = tmp_path / "config"
    config.write_text(yaml.dump(KUBECONFIG))
    with Operator(config, tmp_path / "log") as running:
        yield running


IDLE = 1000


@pytest.fixture
def many_files() -> Iterator[None]:
    """Enough of them for both ends' sockets that this process holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * IDLE + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def alive(operator: Operator) -> str:
    """What it says of its life, once it listens."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            return operator.get("/healthz")
        time.sleep(0.1)
    return ""


@pytest.mark.usefixtures("many_files")
def test_a_thousand_idle_connections_to_each_port_keep_nobody_out(operator: Operator) -> None:
    assert alive(operator) == "ok\n"
    assert operator.process is not None
    with contextlib.ExitStack() as idle:
        for port in (operator.metrics_port, operator.health_port):
            for number in range(IDLE):
                held = idle.enter_context(socket.create_connection(("127.0.0.1", port), 5))
                if number % 2:
                    held.send(b"GET /metrics HTTP/1.1\r\nX")
        start = time.monotonic()
        for _ in range(5):
            assert operator.get("/healthz") == "ok\n"
            assert "cluster_audit_operator" in operator.get("/metrics", operator.metrics_port)
        assert time.monotonic() - start < 20
        files = list(Path(f"/proc/{operator.process.pid}/fd").iterdir())
        assert len(files) < 250
    assert "Traceback" not in operator.log.read_text()


def test_it_lives_is_not_ready_and_stops_in_time(operator: Operator) -> None:
    assert alive(operator) == "ok\n"
    with pytest.raises(urllib.error.HTTPError) as refused:
        operator.get("/readyz")
    assert refused.value.code == 503
    refused.value.close()

    start = time.monotonic()
    assert operator.stop() == 0
    assert time.monotonic() - start < 10
    log = operator.log.read_text()
    assert "cannot be reached" in log
    assert "Traceback" not in log
