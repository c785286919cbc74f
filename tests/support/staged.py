"""The rules' examples on a control plane: what a report says of each."""

from typing import Any

from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import Rule
from controlplane import ControlPlane
from demo import stage
from demo.operator import status_of

RULES = list(catalogue())
SPEC: dict[str, Any] = {"publishInterval": 1, "rules": stage.eager(RULES)}
"""Of a report that tells at once."""
AGAIN = ("budget-blocks-drain", "egress-cuts-dns", "policy-selects-nothing")
"""Rules whose example can be broken again in place, once it is mended."""


def findings(plane: ControlPlane, name: str = "cluster") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = status_of(plane, name).get("findings", [])
    return found


def about(plane: ControlPlane, rule: Rule) -> list[dict[str, Any]]:
    """Findings of a rule in its own example: by its namespace, or the name of its nodes."""
    return [
        one
        for one in findings(plane)
        if one["rule"] == rule.code
        and (one["object"].get("namespace") or one["object"]["name"]).startswith(rule.name)
    ]


def gone(plane: ControlPlane, rule: Rule) -> bool:
    return not about(plane, rule)
