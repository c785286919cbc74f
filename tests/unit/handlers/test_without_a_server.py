"""The operator while there is no API server: it lives, is not ready, and stops when it is told."""

import contextlib
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


def test_it_lives_is_not_ready_and_stops_in_time(operator: Operator) -> None:
    deadline = time.monotonic() + 20
    alive = ""
    while not alive and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            alive = operator.get("/healthz")
        time.sleep(0.1)
    assert alive == "ok\n"
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
