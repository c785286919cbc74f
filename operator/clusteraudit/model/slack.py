"""Room that dictionaries keep for what went."""

import sys
from typing import Any

_SMALL = 2**12
"""Bytes of a dictionary that are worth no look."""
_ENTRY = 24
_HEAD = 96
"""Bytes of an entry, and of what is there beside entries and their index."""
_SPARE = 16
"""As a part of the entries, what may come before there must be more room: else one that is just
full would be copied each time that one has come.
"""


def tighten(held: dict[Any, Any]) -> None:
    """Give back the room of entries that went, in place, where a copy would take half or less.

    Where keys come and go, a dictionary takes twice what it does where they only came: a place is
    used once, and when there is none left there will be thrice as many as entries (`GROWTH_RATE`).
    """
    size = sys.getsizeof(held)
    if size > _SMALL and size > _room(len(held) + len(held) // _SPARE):
        fresh = dict(held)
        held.clear()
        held.update(fresh)


def _room(entries: int) -> int:
    """Bytes of a dictionary of so many: places are a power of two, of which two thirds are used.

    A place is a number in the index, of 1, 2 or 4 bytes (CPython 3.11, `dictobject.c`).
    """
    power = max(3, (3 * entries - 1).bit_length() - 1)
    places, number = 1 << power, 1 << min(power // 8, 2)
    return _HEAD + number * places + _ENTRY * (2 * places // 3)
