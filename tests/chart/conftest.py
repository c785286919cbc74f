"""The chart as helm renders it; no cluster is asked. Marked `helm`: it is built by Go."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane.helm import run_helm
from demo.operator import CHART, NAMESPACE, RELEASE

HERE = Path(__file__).parent
Objects = list[dict[str, Any]]
Render = Callable[..., Objects]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.helm)


@pytest.fixture(scope="session")
def render() -> Render:
    """Objects of the chart under values; `release` and `namespace` may differ."""

    def rendered(
        release: str = RELEASE, namespace: str = NAMESPACE, **values: object
    ) -> list[dict[str, Any]]:
        command = ["template", release, str(CHART), "-n", namespace, "-f", "-"]
        text = run_helm(command, text=json.dumps(values))
        return [one for one in yaml.safe_load_all(text) if one]

    return rendered
