"""Whoever is slow, nothing queues without bound: readers of the log, the API server."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from aiohttp import web

from clusteraudit.handlers import operator
from clusteraudit.handlers.logs import WAITING, Writer
from clusteraudit.kube.session import Session
from clusteraudit.sources.informer import Informer
from clusteraudit.sources.resources import WATCHED, path
from support.apiserver import Answer, lists, serving, streams
from support.credentials import Credentials


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("t", logging.INFO, "", 0, text, None, None)


def full_pipe() -> tuple[int, int]:
    """A pipe that takes no byte more: whoever writes into it waits."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"\n" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
        return reader, writer


def test_a_log_that_nobody_reads_holds_up_nobody_and_is_bounded() -> None:
    reader, writer = full_pipe()
    handler = Writer(os.fdopen(writer, "w"))
    began = time.monotonic()
    for number in range(5 * WAITING):
        handler.handle(record(f"line {number}"))
    assert time.monotonic() - began < 60  # else for ever
    assert handler.lines.qsize() <= WAITING
    assert handler.dropped >= 4 * WAITING - 1

    while not handler.lines.empty():  # what was kept is written, once somebody reads
        os.read(reader, 65536)
    handler.finish()
    os.close(reader)


def test_the_last_lines_are_written_before_the_end(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as out:
        handler = Writer(out)
        for number in range(50):
            handler.handle(record(f"line {number}"))
        handler.finish()
    assert (tmp_path / "log").read_text().splitlines()[-1] == "line 49"


def test_the_operator_lives_and_ends_though_nobody_reads_its_log(tmp_path: Path) -> None:
    """Without a server it logs that it waits for one; its standard error is full already."""
    reader, writer = full_pipe()
    ports = [free_port(), free_port()]
    (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(port=free_port()))
    command = [sys.executable, "-m", "clusteraudit", "run", "--host", "127.0.0.1"]
    command += ["--metrics-port", str(ports[0]), "--health-port", str(ports[1])]
    command += ["--kubeconfig", str(tmp_path / "kubeconfig"), "--verbose"]
    process = subprocess.Popen(command, stderr=writer)
    try:
        assert answers(f"http://127.0.0.1:{ports[1]}/healthz") == b"ok\n"
        time.sleep(3)  # by now it has logged more than once
        assert answers(f"http://127.0.0.1:{ports[1]}/healthz") == b"ok\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(writer)


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bytes:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class Nothing:
    """A sink that keeps no row."""

    def put(self, *_: object) -> None: ...

    def skipped(self, *_: object) -> None: ...

    def state(self, *_: object) -> None: ...


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_slow_server_is_asked_for_a_few_lists_at_a_time(at_once: int) -> None:
    async with serving() as server:
        under_way = most = 0
        release = asyncio.Event()

        def slowly(answer: Answer) -> Answer:
            async def handle(request: web.Request) -> web.StreamResponse:
                nonlocal under_way, most
                under_way += "limit" in request.query
                most = max(most, under_way)
                await asyncio.wait([asyncio.create_task(release.wait())], timeout=0.1)
                under_way -= "limit" in request.query
                return await answer(request)

            return handle

        for one in WATCHED:
            where = path(one.api_version, one.plural)
            server.on(where, slowly(lists()), streams(then="silence"))
        turns = asyncio.Semaphore(at_once)
        async with Session(Credentials(server.url)) as session:
            informers = [Informer(session, one, Nothing(), lists=turns) for one in WATCHED]
            tasks = [asyncio.create_task(one.run()) for one in informers]
            async with asyncio.timeout(120):
                while not all(one.settled for one in informers):
                    await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert most == at_once


async def test_watches_begin_over_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float]] = []

    def lot(least: float, most: float) -> float:
        drawn.append((least, most))
        return 0.0

    monkeypatch.setattr("random.uniform", lot)
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()

    await operator._some_time_soon(work)
    assert begun.is_set()
    assert drawn == [(0, 1.0)]
