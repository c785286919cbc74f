"""Equal values that are held once: what objects of a cluster say is mostly what others say, too."""

from collections.abc import Hashable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


class Lately:
    """Values seen lately, at most twice as many as `most`.

    In two generations: what is seen again goes on into the younger one, what is not goes with the
    older one. So values of one object alone are not held for long, and those of many not made anew.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._young: dict[Hashable, Hashable] = {}
        self._old: dict[Hashable, Hashable] = {}

    def one(self, value: T) -> T:
        """The value, or one equal to it of the same type that was seen before."""
        found = self._young.get(value)
        if type(found) is type(value):
            return found
        found = self._old.get(value)
        held = found if type(found) is type(value) else value
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[held] = held
        return held
