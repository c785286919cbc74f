"""What documents are made of, and the parts that several of them share."""

from typing import Annotated

import msgspec

Quantity = str | int | float
Quantities = dict[str, Quantity]
Name = Annotated[str, msgspec.Meta(max_length=253)]
"""Longer ones no API server takes (apimachinery `validation.DNS1123SubdomainMaxLength`)."""
Namespace = Annotated[str, msgspec.Meta(max_length=63)]
Count = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]


class Document(
    msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True, kw_only=True
):
    """What every part of a document is made of."""


class Present(Document, frozen=True, kw_only=True):
    """Something of which only its presence is read."""


class Expression(Document, frozen=True, kw_only=True):
    """A requirement of a selector."""

    key: str
    operator: str
    values: list[str] = []


class Selector(Document, frozen=True, kw_only=True):
    """A label selector."""

    match_labels: dict[str, str] = {}
    match_expressions: list[Expression] = []


class NodeTerm(Document, frozen=True, kw_only=True):
    """A term of a node selector."""

    match_expressions: list[Expression] = []
    match_fields: list[Expression] = []


class NodeTerms(Document, frozen=True, kw_only=True):
    """A node selector."""

    node_selector_terms: list[NodeTerm] = []
