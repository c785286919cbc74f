"""From parts of documents to parts of rows: labels, times, owners, amounts, selectors."""

from collections.abc import Mapping

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


def labels(pairs: Mapping[str, str]) -> Labels:
    """Labels as they are shared."""
    return Labels(tuple(sorted(pairs.items())))


def seconds(text: str | None) -> int | None:
    """Seconds since the epoch of an RFC 3339 time; raises TranslateError."""
    if not text:
        return None
    try:
        return epoch(text)
    except (ValueError, OverflowError):
        raise TranslateError("InvalidTime", f"{text[:40]!r} is not a time") from None


def owner(meta: docs.Meta) -> Ref | None:
    """The controller, under the version by which the model knows its kind."""
    for reference in meta.owner_references:
        if reference.controller:
            return _ref(reference, meta.namespace)
    return None


def _ref(reference: docs.OwnerReference, namespace: str) -> Ref:
    kind = KINDS.get(reference.kind)
    group = reference.api_version.rpartition("/")[0]
    version = kind.api_version if kind and kind.group == group else reference.api_version
    return Ref(version, reference.kind, namespace, reference.name)


def amounts(quantities: Mapping[str, str | float]) -> Amounts:
    """Amounts in base units; negative ones are refused."""
    exactly = exact(quantities)
    for name, value in exactly.items():
        if value < 0:
            raise TranslateError("InvalidQuantity", f"{name} is negative")
    return rounded(exactly)


def selector(document: parts.Selector) -> LabelSelector:
    """A label selector; raises SelectorError."""
    expressions = (
        requirement(one.key, one.operator, one.values) for one in document.match_expressions
    )
    return LabelSelector((*equal_to(tuple(sorted(document.match_labels.items()))), *expressions))


def node_selector(document: parts.NodeTerms) -> NodeSelector:
    """A node selector; raises SelectorError."""
    return NodeSelector(
        tuple(
            NodeSelectorTerm(
                tuple(
                    node_requirement(e.key, e.operator, e.values) for e in term.match_expressions
                ),
                tuple(node_requirement(e.key, e.operator, e.values) for e in term.match_fields),
            )
            for term in document.node_selector_terms
        )
    )
