"""What every test may ask for on the command line."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cluster",
        choices=("local", "kind"),
        default="local",
        help="run cluster tests on a control plane of their own, or on kind (current context)",
    )
