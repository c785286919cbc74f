"""Equal values are held once, for as long as they are seen again."""

import gc
import weakref

import msgspec

from clusteraudit.model.lately import Lately


class Value(msgspec.Struct, frozen=True, weakref=True):
    """Of which can be told when it goes."""

    number: int


def test_what_is_equal_is_one_and_types_are_kept_apart() -> None:
    lately = Lately(most=10)
    first = lately.one((1, "a"))
    assert lately.one((1, str(b"a", "ascii"))) is first
    assert [type(lately.one(value)) for value in (1, True, 1.0, 1)] == [int, bool, float, int]


def test_what_is_seen_again_stays_however_much_else_comes() -> None:
    lately = Lately(most=10)
    first = lately.one(Value(-1))
    for number in range(100):
        lately.one(Value(number))
        assert lately.one(Value(-1)) is first


def test_what_is_not_seen_again_is_let_go_of() -> None:
    lately = Lately(most=10)
    gone = [weakref.ref(lately.one(Value(number))) for number in range(100)]
    gc.collect()
    assert sum(one() is not None for one in gone) <= 20
