"""What is read once is read for all who ask: a change asks each of them again."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from clusteraudit.model.recorder import VALUE, Opener, Recorder
from clusteraudit.model.store import Cell

ROW = ("row", "Pod", "shop", "web")
OTHER = ("row", "Pod", "shop", "db")
ADDED = (VALUE, "added", ())


class Reading:
    """Readers that read a row once, and how often it was read."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.times = 0

    def row(self) -> int:
        """Read it."""
        self.times += 1
        self.recorder.note(ROW)
        return self.times

    def once(self, opener: str) -> int:
        """An opener reads it, if nobody has."""
        self.recorder.begin(opener)
        try:
            return self.recorder.once("row", self.row)
        finally:
            self.recorder.end()


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_all_who_ask_have_read_it(reading: Reading) -> None:
    assert [reading.once("a"), reading.once("b")] == [1, 1]
    assert reading.recorder.dirty([ROW]) == {"a", "b"}
    assert reading.recorder.dirty([OTHER]) == set()


def test_after_a_change_it_is_read_again(reading: Reading) -> None:
    reading.once("a")
    reading.recorder.dirty([OTHER])
    assert reading.once("a") == 2


def test_a_value_that_reads_it_has_read_it_too(reading: Reading) -> None:
    recorder = reading.recorder
    reading.once("a")
    recorder.begin("b")
    assert recorder.value(ADDED, lambda: recorder.once("row", reading.row)) == 1
    recorder.end()
    assert recorder.dirty([ROW]) == {"a", "b"}
    assert recorder.values[ADDED] == 2


def test_what_is_read_once_within_another_counts_for_both(reading: Reading) -> None:
    recorder = reading.recorder

    def outer() -> int:
        recorder.note(OTHER)
        return recorder.once("row", reading.row)

    for opener in ("a", "b"):
        recorder.begin(opener)
        recorder.once("outer", outer)
        recorder.end()
    reading.once("c")
    assert recorder.dirty([OTHER]) == {"a", "b"}
    assert recorder.dirty([ROW]) == {"a", "b", "c"}


def test_what_fails_fails_for_all_who_ask_until_something_changes(reading: Reading) -> None:
    recorder = reading.recorder

    def fail() -> int:
        reading.row()
        raise ValueError("no")

    for opener in ("a", "b"):
        recorder.begin(opener)
        with pytest.raises(ValueError, match="no"):
            recorder.once("row", fail)
        recorder.end()
    assert reading.times == 1
    assert recorder.dirty([ROW]) == {"a", "b"}
    assert reading.once("a") == 2


def test_a_cell_that_several_have_opened_is_held_once() -> None:
    recorder = Recorder()
    for opener in "abc":
        recorder.begin(opener)
        recorder.note(tuple(list(ROW)))  # noqa: C414 - one of its own
        recorder.end()
    (first,), *others = (recorder.opened[opener] for opener in "abc")
    assert first == ROW
    assert all(cell is first for (cell,) in others)
    assert recorder.dirty([ROW]) == set("abc")
    recorder.forget("a")
    recorder.forget("b")
    assert recorder.dirty([ROW]) == {"c"}


class Sheet:
    """Numbers, and values that are made of some of them and of other values: of which, they say."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.recorder = Recorder()
        self.numbers = [self.chance.randrange(4) for _ in range(12)]
        self.picks = [[self._pick(at) for _ in range(5)] for at in range(15)]
        self.made: Counter[int] = Counter()

    def _pick(self, at: int) -> tuple[str, int]:
        if at and self.chance.random() < 0.6:
            return "value", self.chance.randrange(at)
        return "number", self.chance.randrange(12)

    def row(self, at: int) -> tuple[str, int]:
        """The cell of a number."""
        return "row", at

    def number(self, at: int) -> int:
        """By way of the recorder."""
        self.recorder.note(self.row(at))
        return self.numbers[at]

    def value(self, at: int) -> int:
        """By way of the recorder."""
        found = self.recorder.value((VALUE, at), lambda: self._make(at))
        assert isinstance(found, int)
        return found

    def _make(self, at: int) -> int:
        self.made[at] += 1
        return self.made_of(at, self.number, self.value)

    def made_of(self, at: int, number: Callable[[int], int], value: Callable[[int], int]) -> int:
        """What it reads first decides what else it reads; few different values come of it."""
        read = {"number": number, "value": value}
        (kind, first), *others = self.picks[at]
        start = read[kind](first)
        chosen = others[start % len(others) :]
        return sum(read[kind](one) for kind, one in chosen) // 2 % 3

    def anew(self, at: int) -> int:
        """Without a recorder."""
        return self.made_of(at, self.numbers.__getitem__, self.anew)


@pytest.mark.parametrize("seed", range(60))
def test_values_follow_what_they_are_made_of_and_ask_whom_it_concerns(seed: int) -> None:
    sheet = Sheet(seed)
    recorder, chance = sheet.recorder, sheet.chance
    readers = {f"reader {n}": chance.sample(range(15), 2) for n in range(8)}
    asked, said = set[Opener](readers), dict[str, list[int]]()
    for _ in range(40):
        for name in (one for one in readers if one in asked):
            recorder.begin(name)
            said[name] = [sheet.value(at) for at in readers[name]]
            recorder.end()
        recorder.sweep()
        changed = chance.sample(range(12), chance.randrange(1, 4))
        for at in changed:
            sheet.numbers[at] = chance.randrange(4)
        sheet.made.clear()
        before = {cell: (recorder.opened[cell], value) for cell, value in recorder.values.items()}
        asked = recorder.dirty(map(sheet.row, changed))
        for cell, value in recorder.values.items():
            assert value == sheet.anew(int(str(cell[1]))), cell
        moved = {n for n, at in readers.items() if said[n] != [sheet.anew(one) for one in at]}
        assert asked == moved, "early cut-off: who reads values is asked if one of them is another"
        assert max(sheet.made.values(), default=0) <= 1, "none is made twice for one change"
        others = {sheet.row(at) for at in changed} | {
            cell for cell, (_, value) in before.items() if recorder.values[cell] != value
        }
        for cell, (opened, _) in before.items():
            assert others.intersection(opened) or not sheet.made[int(str(cell[1]))], "no need"


def test_a_value_that_can_be_mended_is_told_all_that_changed_of_what_it_read() -> None:
    recorder, told = Recorder(), list[frozenset[Cell]]()

    def make() -> int:
        for cell in (ROW, OTHER, ("row", "Pod", "shop", "more")):
            recorder.note(cell)
        return 1

    def mend(old: object, causes: frozenset[Cell]) -> object:
        told.append(causes)
        return old

    recorder.begin("reader")
    recorder.value(ADDED, make, mend)
    recorder.end()
    assert recorder.dirty([ROW, OTHER]) == set()
    assert recorder.dirty([OTHER]) == set(), "what it had read it still has"
    assert told == [frozenset({ROW, OTHER}), frozenset({OTHER})]
