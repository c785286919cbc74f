"""Distinct sets of labels by one of their labels: for the keys that selectors name, and no other.

Of a namespace with thousands of workloads a selector concerns a few; to ask it of all of them again
whenever one comes or goes costs the product of both.
"""

from collections.abc import Hashable, Iterable, Sequence

from clusteraudit.model.selectors import Labels


class Labelled:
    """Of one index whose keys are namespace and labels; in each namespace in order of arrival."""

    def __init__(self) -> None:
        self._by: dict[Hashable, dict[str, dict[str, list[Labels]]]] = {}

    def having(
        self, key: str, value: str, namespace: Hashable, there: Iterable[Hashable]
    ) -> Sequence[Labels]:
        """The sets of a namespace with this label; `there` are all of it, for the first time."""
        by_key = self._by.setdefault(namespace, {})
        if key not in by_key:
            by_key[key] = {}
            for labels in there:
                if isinstance(labels, Labels):
                    self._add(by_key, key, labels)
        return by_key[key].get(value, ())

    def join(self, namespace: Hashable, labels: Labels) -> None:
        """A set that is new there."""
        by_key = self._by.get(namespace, {})
        for key in by_key:
            self._add(by_key, key, labels)

    def leave(self, namespace: Hashable, labels: Labels) -> None:
        """A set that nothing there has any more."""
        for key, by_value in self._by.get(namespace, {}).items():
            value = labels.get(key)
            if value is not None:
                by_value[value].remove(labels)
                if not by_value[value]:
                    del by_value[value]

    def drop(self, namespace: Hashable) -> None:
        """Nothing is left there."""
        self._by.pop(namespace, None)

    @staticmethod
    def _add(by_key: dict[str, dict[str, list[Labels]]], key: str, labels: Labels) -> None:
        value = labels.get(key)
        if value is not None:
            by_key[key].setdefault(value, []).append(labels)
