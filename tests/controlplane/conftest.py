"""A cluster for the tests below this folder; they are all marked `controlplane`.

When it cannot be started the tests fail: a suite that skips what it could not try proves nothing.
"""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane import Cluster, ControlPlane, Object

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.controlplane)


@pytest.fixture(scope="session")
def plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """A whole control plane, for tests that look into it or restart parts of it."""
    if request.config.getoption("--cluster") != "local":
        pytest.skip("needs the local control plane: it restarts parts of it or reads its audit log")
    with ControlPlane() as started:
        yield started


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster that somebody else may provide: for tests that any cluster can pass."""
    if request.config.getoption("--cluster") == "local":
        yield request.getfixturevalue("plane")
        return
    current = Cluster.current()
    yield current
    current.close()


@pytest.fixture
def fresh(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.add_namespace(name)
    yield name
    cluster.delete([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])


@pytest.fixture
def add_nodes(plane: ControlPlane) -> Iterator[Callable[..., None]]:
    """Nodes that go with the test: `add_nodes(node("a"), node("b"))`."""
    added: list[Object] = []

    def add(*nodes: Object) -> None:
        added.extend(nodes)
        plane.add_nodes(nodes)

    yield add
    plane.delete(added)
