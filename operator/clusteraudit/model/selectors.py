"""Label selectors and node selectors, evaluated as the API machinery does.

Source: apimachinery `pkg/labels/selector.go`, component-helpers `scheduling/corev1/nodeaffinity`.
"""

import re
from collections.abc import Iterable

import msgspec

Pairs = tuple[tuple[str, str], ...]

_LABEL_OPERATORS = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})
_NODE_OPERATORS = _LABEL_OPERATORS | {"Gt", "Lt"}
_INT64 = range(-(2**63), 2**63)
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")


class SelectorError(ValueError):
    """A selector that the API server would refuse."""


class Labels(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Labels of one object, sorted by key: hashable, so that objects can share them by value."""

    pairs: Pairs = ()

    def get(self, key: str) -> str | None:
        """The value under `key`, None where the label is absent."""
        for name, value in self.pairs:
            if name == key:
                return value
        return None


class Requirement(msgspec.Struct, frozen=True, gc=False):
    """One expression: a key, an operator and, for some operators, values."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether `labels` satisfy it; NotIn and DoesNotExist hold where the key is absent."""
        if self.operator == "In":  # by far the most frequent, and asked of all labels there are
            for wanted in self.values:  # noqa: SIM110 - a generator costs more than what it asks
                if (self.key, wanted) in labels.pairs:
                    return True
            return False
        value = labels.get(self.key)
        if self.operator == "NotIn":
            return value not in self.values
        if self.operator in {"Exists", "DoesNotExist"}:
            return (value is not None) == (self.operator == "Exists")
        return self.compares(value)

    def compares(self, value: str | None) -> bool:
        """Gt and Lt: both sides as int64, false where one is not (`labels.Requirement.Matches`)."""
        left, right = _int64(value), _int64(self.values[0])
        if left is None or right is None:
            return False
        return left > right if self.operator == "Gt" else left < right

    def __str__(self) -> str:
        """As kubectl prints it: `tier in (a,b)`, `app=web`, `!canary`."""
        if self.operator in {"Exists", "DoesNotExist"}:
            return self.key if self.operator == "Exists" else f"!{self.key}"
        if self.operator == "In" and len(self.values) == 1:
            return f"{self.key}={self.values[0]}"
        return f"{self.key} {self.operator.lower()} ({','.join(self.values)})"


class LabelSelector(msgspec.Struct, frozen=True, gc=False):
    """All requirements must hold; none at all selects everything.

    A selector that is null in the API selects nothing: hold None instead of a LabelSelector.
    """

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether an object with `labels` is selected."""
        for requirement in self.requirements:  # noqa: SIM110 - the same
            if not requirement.matches(labels):
                return False
        return True

    def __str__(self) -> str:
        """As kubectl prints it; `<all>` for the empty selector."""
        return ",".join(map(str, self.requirements)) or "<all>"


class NodeSelectorTerm(msgspec.Struct, frozen=True, gc=False):
    """Expressions over labels and fields (`metadata.name` only), all of which must hold."""

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def matches(self, name: str, labels: Labels) -> bool:
        """Whether the node matches; a term that holds nothing matches no node."""
        if not self.expressions and not self.fields:
            return False
        named = Labels((("metadata.name", name),))
        return all(one.matches(labels) for one in self.expressions) and all(
            one.matches(named) for one in self.fields
        )


class NodeSelector(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Terms of which one must match; without terms it matches no node."""

    terms: tuple[NodeSelectorTerm, ...] = ()

    def matches(self, name: str, labels: Labels) -> bool:
        """Whether the node with this name and these labels is selected."""
        return any(term.matches(name, labels) for term in self.terms)

    def matches_labels(self, labels: Labels) -> bool:
        """As a volume's affinity is asked: by labels, without the name (`CheckNodeAffinity`)."""
        return any(
            term.expressions and all(one.matches(labels) for one in term.expressions)
            for term in self.terms
        )


def requirement(key: str, operator: str, values: Iterable[str] = ()) -> Requirement:
    """A label expression, checked as at admission; raises SelectorError."""
    return _checked(key, operator, tuple(values), _LABEL_OPERATORS)


def node_requirement(key: str, operator: str, values: Iterable[str] = ()) -> Requirement:
    """A node expression, checked as at admission; raises SelectorError."""
    return _checked(key, operator, tuple(values), _NODE_OPERATORS)


def equal_to(pairs: Pairs) -> tuple[Requirement, ...]:
    """What `matchLabels` or `nodeSelector` say, as requirements."""
    return tuple(Requirement(key, "In", (value,)) for key, value in pairs)


def _checked(
    key: str, operator: str, values: tuple[str, ...], known: frozenset[str]
) -> Requirement:
    if operator not in known:
        raise SelectorError(
            f"operator {operator!r} of {key!r} is not one of {', '.join(sorted(known))}"
        )
    if operator in {"In", "NotIn"} and not values:
        raise SelectorError(f"{operator} of {key!r} needs values")
    if operator in {"Gt", "Lt"} and len(values) != 1:
        raise SelectorError(f"{operator} of {key!r} needs exactly one value")
    if operator in {"Exists", "DoesNotExist"} and values:
        raise SelectorError(f"{operator} of {key!r} takes no values")
    return Requirement(key, operator, values)


def _int64(text: str | None) -> int | None:
    """Go's strconv.ParseInt(text, 10, 64): ASCII digits with one sign at most, within int64."""
    if text is None or not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if value in _INT64 else None
