"""Logs: one line an entry, whatever an object says, and no order to the terminal that shows it."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, given, settings

from clusteraudit.handlers.logs import LogFormat, Writer, configure
from support import hostile


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def logged(form: LogFormat, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What stands in the log after ours and another library have told of the text."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    configure(form, verbose=False)
    structlog.get_logger("clusteraudit.x").warning("skipped", object=text, reason=text)
    logging.getLogger("kopf").warning("Something of %s", text)
    written()
    return out.getvalue()


def written() -> None:
    """Wait until the thread that writes has written."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Writer):
            handler.finish()


@given(hostile.texts())
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.parametrize("form", ["console", "json"])
def test_an_entry_is_a_line_of_text(
    form: LogFormat, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    out = logged(form, text, monkeypatch)

    assert out.count("\n") == 2
    assert out.replace("\n", "").isprintable()


@pytest.mark.parametrize("order", hostile.ORDERS)
def test_json_stays_json(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = map(json.loads, logged("json", order, monkeypatch).splitlines())

    assert ours["event"] == "skipped"
    assert ours["object"].isprintable()


def test_a_trace_keeps_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    configure("console", verbose=False)
    try:
        fail()
    except ValueError:
        structlog.get_logger("clusteraudit.x").exception("failed")
    written()
    assert "Traceback" in out.getvalue()
    assert out.getvalue().count("\n") > 3
    assert out.getvalue().replace("\n", "").isprintable()


def fail() -> None:
    raise ValueError("\x1b[2J\nforged")
