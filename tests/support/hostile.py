"""Texts that try to do something where they are shown, and clusters that are full of them."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from clusteraudit.rules.catalogue import catalogue

ORDERS = (
    "\x1b[31mred\x1b[0m",  # colour
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b]0;owned\x07",  # the window's title
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",  # a link
    "\x1b]52;c;ZXZpbA==\x07",  # the clipboard
    "\x1bP$q\x1b\\",  # asks for an answer
    "\x9b31m",  # CSI in one character
    "\x9d0;owned\x9c",  # OSC in one character
    "\x08\x08\x08ok",
    "line\r\nCRITICAL XXX000 forged",
    "a\nb",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u200f\u061c",
    "\u2028\u2029",
    "\u200b\ufeff\u00ad",
    "\U000e0041\U000e0042",
    "\x00\x7f\x85",
    "[bold]x[/bold]",
    "[/]",
    "[link=https://evil.example]x[/link]",
    ":skull:",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "| a | b |\n|---|---|",
    "![x](https://evil.example/a.png)",
    'a"} 1\ncluster_audit_score 100\n#',
    "a\\",
    '"',
    "{subject}{0}{__class__}",
    "%s%n%(name)s",
    "$(id)`id`",
    "x" * 3000,
)
"""Each would do something if it were not stopped."""
SHORT = tuple(one for one in ORDERS if len(one) < 30)
"""Those for which there is room in a name, and one of a namespace."""


def texts(longest: int = 200) -> st.SearchStrategy[str]:
    """Any text at all, surrogates included, and often one of those above."""
    anything = st.text(st.characters(), max_size=longest)
    return st.one_of(anything, st.sampled_from(ORDERS), st.builds(str.__add__, anything, anything))


def cluster(say: Callable[[], str]) -> Iterator[dict[str, Any]]:
    """The rules' own examples of what is broken, every name and label in them made hostile."""
    for rule in catalogue():
        example = next(one for one in rule.examples if one.finds)
        spoiled: dict[str, str] = {}
        for one in example.objects:
            yield _spoil(copy.deepcopy(dict(one)), rule.name, spoiled, say)


_NAMES = frozenset(
    {"name", "namespace", "nodeName", "claimName", "volumeName", "storageClassName", "reason"}
)
_MAPS = frozenset({"labels", "matchLabels", "nodeSelector", "selector"})
_KEPT = ("kubernetes.io/", "k8s.io/")


def _spoil(value: Any, rule: str, spoiled: dict[str, str], say: Callable[[], str]) -> Any:
    """The same names stay the same, so that rules find what they found."""

    def bad(text: str) -> str:
        return spoiled.setdefault(text, f"{text[:20]}-{say()}")

    if isinstance(value, list):
        return [_spoil(one, rule, spoiled, say) for one in value]
    if not isinstance(value, dict):
        return value
    changed: dict[str, Any] = {}
    for key, one in value.items():
        if key in _NAMES and isinstance(one, str):
            changed[key] = bad(one)
        elif key in _MAPS and isinstance(one, dict):
            changed[key] = {
                name: bad(text) if isinstance(text, str) else text for name, text in one.items()
            }
        else:
            changed[key] = _spoil(one, rule, spoiled, say)
    return changed


def order(rng: random.Random) -> Callable[[], str]:
    """Chooses among them."""
    return lambda: rng.choice(SHORT)
