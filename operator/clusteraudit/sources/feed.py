"""What passes between the API server and the model: the small contract of all informers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from clusteraudit.model.rows import Key, Row
from clusteraudit.sources.documents import ObjectDoc

STALE = 150.0
"""Seconds without a sign of a kind after which the model may be behind."""


class TranslateError(ValueError):
    """An object that cannot be evaluated; `reason` in CamelCase, the message in words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class KindState(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind is followed; times in seconds since the epoch."""

    synced: bool = False
    forbidden: bool = False
    served: bool = True
    reason: str = ""
    since: int = 0
    objects: int = 0
    relists: int = 0
    last_event: float = 0.0


@dataclass(frozen=True)
class Resource:
    """A kind to follow: where it is served, how it is decoded, what is kept of it."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool
    document: type[ObjectDoc]
    translate: Callable[..., Row]
    metadata_only: bool = False


class Sink(Protocol):
    """Where informers put what they see."""

    def put(self, kind: str, key: Key, row: Row | None) -> None:
        """An object as it is now; None when it is gone."""

    def skipped(self, kind: str, namespace: str, name: str, reason: str, message: str) -> None:
        """An object that cannot be evaluated, and why."""

    def state(self, kind: str, state: KindState) -> None:
        """What is known of a kind has changed."""
