"""What is read once is read for all who ask: a change asks each of them again."""

import pytest

from clusteraudit.model.recorder import VALUE, Recorder

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
