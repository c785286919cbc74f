"""Room that dictionaries keep for what went."""

import sys
from typing import Any

_SMALL = 2**12
"""Bytes of a dictionary that are worth no look."""
_ENTRY = 64
"""Bytes for an entry, more than which none takes that was only filled.

An entry is 24 bytes and up to 4 of the index, which has half as many places again as there are
entries; what is filled doubles, so it takes 30 to 60 (CPython 3.11, `dictobject.c`).
"""


def tighten(held: dict[Any, Any]) -> None:
    """Give back the room of entries that went, in place, where that is half of it or more.

    Where keys come and go, a dictionary takes twice what it does where they only came: a place is
    used once, and when there is none left there will be thrice as many as entries (`GROWTH_RATE`).
    """
    size = sys.getsizeof(held)
    if size > _SMALL and size > _ENTRY * len(held):
        fresh = dict(held)
        held.clear()
        held.update(fresh)
