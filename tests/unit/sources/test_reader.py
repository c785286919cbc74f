"""What a reader knows: names are held once, and what is gone goes without holding others up."""

import asyncio
import sys
from typing import Any

import msgspec

from clusteraudit.model.rows import Key, Row
from clusteraudit.sources.names import Names
from clusteraudit.sources.reader import Reader
from clusteraudit.sources.resources import resource

MANY = 100_000


class Sink:
    """Keeps the last row of each object."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.gone = 0

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        """As a sink."""
        self.gone += row is None
        if row is not None:
            self.rows[key] = row

    def state(self, kind: str, state: object) -> None:
        """As a sink."""

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        """As a sink."""
        raise AssertionError(message)


def text(**rest: Any) -> bytes:
    return msgspec.json.encode({"metadata": {"name": "web-1", "namespace": "shop"}, **rest})


def test_a_name_is_held_once_however_often_its_object_changes() -> None:
    sink = Sink()
    reader = Reader(resource("Pod"), sink)
    reader.put(text())
    first = sink.rows["shop", "web-1"].name
    reader.put(text(status={"phase": "Running"}))

    (key,) = reader.known.values()
    assert sink.rows[key].name is first is key[1]


def test_what_comes_back_under_its_name_has_the_text_of_before() -> None:
    """As pods of a StatefulSet do: the tables hold the name all the time."""
    sink = Sink()
    reader = Reader(resource("Pod"), sink)
    reader.put(text())
    (before,) = reader.known.values()
    reader.drop(("shop", "web-1"))
    reader.put(text(status={"phase": "Running"}))

    (after,) = reader.known.values()
    assert after is before


def test_a_name_is_that_of_another_kind_which_may_be_known_later() -> None:
    pods, usage = Sink(), Sink()
    known = Reader(resource("Pod"), pods)
    names = Names()
    names.join(known.known)
    reader = Reader(resource("PodMetrics"), usage, names)
    known.put(text())
    reader.put(text(containers=[]))

    (key,) = known.known
    assert next(iter(reader.known)) is key
    assert usage.rows[key].name is key[1]


async def test_pods_that_come_and_go_leave_no_room_behind() -> None:
    """Of a namespace of which each round of usage names other pods."""
    reader = Reader(resource("Pod"), Sink())
    sizes = list[int]()
    for begin in range(0, 20_000, 500):
        reader.begin()
        for number in range(begin, begin + 1000):
            reader.put(msgspec.json.encode({"metadata": {"name": f"web-{number}"}}))
        await reader.end()
        assert len(reader.known) == 1000
        sizes.append(sys.getsizeof(reader.known))

    assert max(sizes) < 64 * 1000
    assert sizes[-1] == sizes[1]


async def test_much_that_is_gone_holds_nobody_up() -> None:
    sink, turns = Sink(), 0
    reader = Reader(resource("Pod"), sink)
    reader.known.update({(key := ("shop", f"web-{n}")): key for n in range(MANY)})

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    reader.begin()
    await reader.end()
    task.cancel()

    assert (sink.gone, len(reader.known)) == (MANY, 0)
    assert turns > 5
