"""What is found of a template alone, kept for as long as there are pods of it."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import ref

from clusteraudit.model.rows import PodTemplate

T = TypeVar("T")
MOST = 12_288
"""Templates of which something is kept; of more the last ones, since all are forgotten together.

Enough for 10,000 workloads, which is what Kubernetes is made for, and rollouts of some.
"""


def per_template(find: Callable[[PodTemplate], T]) -> Callable[[PodTemplate], T]:
    """Keep what a pure function finds of a template, by the template's identity.

    Pods share their templates, and to compare two takes longer than most of what is asked of one.
    What is kept goes with the template: until then no other can have its identity. What is found
    must not hold the template, or neither ever goes.
    """
    kept: dict[int, tuple[ref[PodTemplate], T]] = {}

    @wraps(find)
    def found(template: PodTemplate) -> T:
        held = kept.get(id(template))
        if held is None:
            if len(kept) >= MOST:
                kept.clear()
            held = kept[id(template)] = (_until_gone(template, kept), find(template))
        return held[1]

    return found


def _until_gone(template: PodTemplate, kept: dict[int, T]) -> ref[PodTemplate]:
    at = id(template)
    return ref(template, lambda _: kept.pop(at, None))
