"""Names that objects of several kinds have: those of one application, or of a node."""

from collections.abc import Mapping

from clusteraudit.model.rows import Key


class Names:
    """What is there of several kinds: who knows an object called alike shares the text."""

    def __init__(self) -> None:
        self._known: list[Mapping[Key, Key]] = []

    def join(self, known: Mapping[Key, Key]) -> None:
        """One more kind, by what is there of it at any time."""
        self._known.append(known)

    def get(self, key: Key) -> Key | None:
        """The key as the first kind holds it that knows one equal to it."""
        for known in self._known:
            held = known.get(key)
            if held is not None:
                return held
        return None
