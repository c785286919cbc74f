"""What is found of a template alone, kept for as long as it is asked for again and again."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from clusteraudit.model.rows import PodTemplate

T = TypeVar("T")
MOST = 12_288
"""Templates of which something is kept; of more the last ones, since all are forgotten together.

Enough for 10,000 workloads, which is what Kubernetes is made for, and some of their last revisions.
"""


def per_template(find: Callable[[PodTemplate], T]) -> Callable[[PodTemplate], T]:
    """Keep what a pure function finds of a template, by the template's identity.

    Pods share their templates, and to compare two takes longer than most of what is asked of one.
    What is kept holds the template, so that no other can have its identity.
    """
    kept: dict[int, tuple[PodTemplate, T]] = {}

    @wraps(find)
    def found(template: PodTemplate) -> T:
        held = kept.get(id(template))
        if held is None:
            if len(kept) >= MOST:
                kept.clear()
            held = kept[id(template)] = (template, find(template))
        return held[1]

    return found
