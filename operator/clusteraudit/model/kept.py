"""What is found of a template alone, kept for as long as there are pods of it."""

from collections.abc import Callable
from functools import wraps
from typing import Generic, TypeVar
from weakref import ref

from clusteraudit.model.rows import PodTemplate

T = TypeVar("T")
MOST = 12_288
"""Templates of which something is kept; of more those that were asked for last.

Enough for 10,000 workloads, which is what Kubernetes is made for, and rollouts of some.
"""


class _Kept(ref[PodTemplate], Generic[T]):
    """A template that may go, and what was found of it."""

    __slots__ = ("at", "found")
    at: int
    found: T


def per_template(find: Callable[[PodTemplate], T]) -> Callable[[PodTemplate], T]:
    """Keep what a pure function finds of a template, by the template's identity.

    Pods share their templates, and to compare two takes longer than most of what is asked of one.
    What is kept goes with the template: until then no other can have its identity. What is found
    must not hold the template, or neither ever goes. In two generations, as in `Lately`: what is
    asked for again stays, and of many at least half of `MOST` are kept at any time.
    """
    young: dict[int, _Kept[T]] = {}
    old: dict[int, _Kept[T]] = {}

    def forget(gone: _Kept[T]) -> None:
        young.pop(gone.at, None)
        old.pop(gone.at, None)

    def made(template: PodTemplate) -> _Kept[T]:
        one: _Kept[T] = _Kept(template, forget)
        one.at, one.found = id(template), find(template)
        return one

    def keep(template: PodTemplate) -> _Kept[T]:
        nonlocal young, old
        one = old.pop(id(template), None) or made(template)
        if len(young) >= MOST // 2:
            old, young = young, {}
        young[one.at] = one
        return one

    @wraps(find)
    def found(template: PodTemplate) -> T:
        held = young.get(id(template))
        return (held or keep(template)).found

    return found
