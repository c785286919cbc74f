"""Equal values that are held once: what objects of a cluster say is mostly what others say, too."""

from collections.abc import Hashable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)
_MOST = 16_384
_held: dict[Hashable, Hashable] = {}


def shared(value: T) -> T:
    """The value, or one equal to it of the same type that was seen before.

    Only lately seen ones are known, so that nothing of a cluster is held longer than its rows.
    """
    found = _held.get(value)
    if type(found) is type(value):
        return found
    if len(_held) >= _MOST:
        _held.clear()
    _held[value] = value
    return value
