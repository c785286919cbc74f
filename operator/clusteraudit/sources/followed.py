"""The informers of all kinds that are watched, and what they share."""

import asyncio

from clusteraudit.kube.session import Session
from clusteraudit.model.kinds import METADATA_ONLY
from clusteraudit.sources.feed import Sink
from clusteraudit.sources.informer import Informer
from clusteraudit.sources.names import Names
from clusteraudit.sources.resources import WATCHED

_LISTS = 4
"""Lists under way at a time: the API server shall not feel a start."""
_OWN_NAMES = {"Pod", *METADATA_ONLY}
"""Kinds of many objects that are called as no other's but their usage: controllers name them."""


def followed(session: Session, sink: Sink) -> tuple[list[Informer], Names]:
    """An informer for each kind that is watched, and the names of what they know."""
    lists, names = asyncio.Semaphore(_LISTS), Names()
    informers = []
    for one in WATCHED:
        like = alike(one.kind, names)
        informers.append(Informer(session, one, sink, lists=lists, like=like))
        names.join(informers[-1].known)
    return informers, names


def alike(kind: str, names: Names) -> Names | None:
    """Where to look for the names of objects of a kind; None where it would be in vain."""
    return None if kind in _OWN_NAMES else names
