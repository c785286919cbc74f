"""From parts of documents to parts of rows: labels, times, owners, amounts, selectors."""

from collections.abc import Mapping
from functools import lru_cache
from sys import intern

from clusteraudit.model.kinds import KINDS
from clusteraudit.model.moments import epoch
from clusteraudit.model.requests import exact, rounded
from clusteraudit.model.rows import Amounts, Ref
from clusteraudit.model.selectors import (
    Labels,
    LabelSelector,
    NodeSelector,
    NodeSelectorTerm,
    equal_to,
    node_requirement,
    requirement,
)
from clusteraudit.sources import documents as docs
from clusteraudit.sources import parts
from clusteraudit.sources.feed import TranslateError
from clusteraudit.sources.shared import shared

_LONGEST = (317, 63, 253)
"""Characters of an API version (a group and `/v1`), a kind and a name, at most."""


def labels(pairs: Mapping[str, str]) -> Labels:
    """Labels as they are shared: their words are few, however many objects carry them.

    Where one of them is an object's own, as with pods of a StatefulSet, the others still are not.
    """
    words = sorted((intern(key), intern(value)) for key, value in pairs.items())
    return shared(Labels(tuple(map(shared, words))))


@lru_cache(maxsize=1024)
def seconds(text: str | None) -> int | None:
    """Seconds since the epoch of an RFC 3339 time; raises TranslateError.

    What is said at one time is sampled or made by the hundred: they share the number.
    """
    if not text:
        return None
    try:
        return epoch(text)
    except (ValueError, OverflowError):
        raise TranslateError("InvalidTime", f"{text[:40]!r} is not a time") from None


def owner(meta: docs.Meta) -> Ref | None:
    """The controller, under the version by which the model knows its kind.

    The API server takes any text as an owner. What is too long for an object is none.
    """
    for reference in meta.owner_references:
        if reference.controller and _can_be(reference):
            return _ref(reference.api_version, reference.kind, meta.namespace, reference.name)
    return None


def _can_be(reference: docs.OwnerReference) -> bool:
    held = (reference.api_version, reference.kind, reference.name)
    return all(len(text) <= most for text, most in zip(held, _LONGEST, strict=True))


@lru_cache(maxsize=1024)
def _ref(api_version: str, name_of_kind: str, namespace: str, name: str) -> Ref:
    """Siblings come one after the other: they share the reference to their owner."""
    kind = KINDS.get(name_of_kind)
    group = api_version.rpartition("/")[0]
    version = kind.api_version if kind and kind.group == group else intern(api_version)
    return Ref(version, intern(name_of_kind), intern(namespace), intern(name))


def amounts(quantities: Mapping[str, str | float]) -> Amounts:
    """Amounts in base units; negative ones are refused."""
    exactly = exact(quantities)
    for name, value in exactly.items():
        if value < 0:
            raise TranslateError("InvalidQuantity", f"{name} is negative")
    return shared(rounded(exactly))


def selector(document: parts.Selector) -> LabelSelector:
    """A label selector; raises SelectorError."""
    expressions = (
        requirement(one.key, one.operator, one.values) for one in document.match_expressions
    )
    labels = tuple(sorted(document.match_labels.items()))
    return shared(LabelSelector((*equal_to(labels), *expressions)))


def node_selector(document: parts.NodeTerms) -> NodeSelector:
    """A node selector; raises SelectorError."""
    return shared(NodeSelector(tuple(_term(one) for one in document.node_selector_terms)))


def _term(document: parts.NodeTerm) -> NodeSelectorTerm:
    labels, names = document.match_expressions, document.match_fields
    return NodeSelectorTerm(
        tuple(node_requirement(e.key, e.operator, e.values) for e in labels),
        tuple(node_requirement(e.key, e.operator, e.values) for e in names),
    )
