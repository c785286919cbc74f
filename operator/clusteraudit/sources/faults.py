"""What is wrong with a text of objects."""


class ParseError(ValueError):
    """A text that holds no objects, or not only objects; the message names where and why."""


class Faults:
    """What is wrong with parts of a text: told at its end, so that it takes nothing else along."""

    def __init__(self) -> None:
        self._first = ""
        self._more = 0

    def note(self, message: str) -> None:
        """A part that holds no object."""
        self._more += bool(self._first)
        self._first = self._first or message

    def tell(self) -> None:
        """Raise ParseError for all of them, if there is one."""
        if self._first:
            more = f", and {self._more} more of it is wrong" if self._more else ""
            raise ParseError(self._first + more)
