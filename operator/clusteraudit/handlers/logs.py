"""Logs: JSON lines in the cluster, readable on a terminal; other libraries' lines alike.

A thread writes them. Who logs never waits for a disk or for whoever reads the pipe: lines that
come while many wait already are dropped, and counted.
"""

import atexit
import logging
import sys
from logging.handlers import QueueHandler
from queue import Full, Queue
from threading import Thread
from typing import Literal, TextIO

import structlog

from clusteraudit.model.printable import printable, sentence

LogFormat = Literal["json", "console"]


WAITING = 1_000
"""Lines that may wait to be written."""
_FAREWELL = 2.0
"""Seconds, at most, for which the end waits until the last lines are written."""


class Writer(QueueHandler):
    """Hands lines to the thread that writes them."""

    def __init__(self, out: TextIO, waiting: int = WAITING) -> None:
        self.lines: Queue[logging.LogRecord | None] = Queue(waiting)
        super().__init__(self.lines)
        self.dropped = 0
        self._out = logging.StreamHandler(out)
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        atexit.register(self.finish)

    def enqueue(self, record: logging.LogRecord) -> None:
        """Line up, unless too many do."""
        try:
            self.lines.put_nowait(record)
        except Full:
            self.dropped += 1

    def finish(self) -> None:
        """Write what waits; not for long, since nobody may be reading."""
        try:
            self.lines.put(None, timeout=_FAREWELL)
        except Full:
            return
        self._thread.join(_FAREWELL)

    def _run(self) -> None:
        while (record := self.lines.get()) is not None:
            self._out.emit(record)


def dropped() -> int:
    """Lines that were never written."""
    return sum(one.dropped for one in logging.getLogger().handlers if isinstance(one, Writer))


def harmless(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Texts of objects as they may be shown; lines stay lines where a trace needs them."""
    return {name: _shown(value, lines=name == "exception") for name, value in event.items()}


def _shown(value: object, *, lines: bool) -> object:
    if not isinstance(value, str):
        return value
    return "\n".join(map(printable, value.split("\n"))) if lines else sentence(value)


def configure(form: LogFormat, *, verbose: bool) -> None:
    """Send all logs to stderr in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = Writer(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                harmless,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("clusteraudit").setLevel(logging.DEBUG if verbose else logging.INFO)
