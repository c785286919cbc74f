"""The catalogue: every rule there is, as a value."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache

from clusteraudit import rules
from clusteraudit.rules.kit import LOOPS, Rule


class Catalogue:
    """Rules by code, in order of code."""

    def __init__(self, found: Iterable[Rule]) -> None:
        self.rules = tuple(sorted(found, key=lambda rule: rule.code))
        self._by = {word: rule for rule in self.rules for word in (rule.code, rule.name)}
        if len(self._by) != 2 * len(self.rules):
            raise ValueError("two rules share a code or a name")

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def get(self, code_or_name: str) -> Rule | None:
        """The rule of that code or name; codes in any case."""
        return self._by.get(code_or_name) or self._by.get(code_or_name.upper())

    def only(self, chosen: Iterable[str]) -> "Catalogue":
        """Those that a list of codes, names and loops names; raises KeyError of what none is."""
        words = list(chosen)
        for word in words:
            if word not in LOOPS and self.get(word) is None:
                raise KeyError(word)
        codes = {rule.code for word in words if (rule := self.get(word))}
        return Catalogue(r for r in self.rules if r.code in codes or r.loop in words)


@cache
def catalogue() -> Catalogue:
    """Every rule under `rules/<loop>/`."""
    return Catalogue(_discover())


def _discover() -> Iterator[Rule]:
    for loop in LOOPS:
        room = f"{rules.__name__}.{loop}"
        for module in pkgutil.iter_modules(importlib.import_module(room).__path__):
            names = vars(importlib.import_module(f"{room}.{module.name}"))
            yield from (one for one in names.values() if isinstance(one, Rule))
