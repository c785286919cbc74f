"""Audits of manifests in memory."""

from collections.abc import Iterable, Mapping, Sequence

from clusteraudit.audit.audit import Audit, AuditResult
from clusteraudit.handlers.pending import Rows
from clusteraudit.model.build import NOW, Manifest
from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import COMPLETE, Change, Evidence
from clusteraudit.rules.catalogue import Catalogue
from clusteraudit.rules.kit import Example, Rule
from clusteraudit.sources.gather import of_manifests

EVERYTHING: Mapping[str, Evidence] = dict.fromkeys(KINDS, COMPLETE)


def changes_of(manifests: Iterable[Mapping[str, object]]) -> list[Change]:
    return of_manifests(manifests)[0]


def rows_of(manifests: Iterable[Mapping[str, object]]) -> Rows:
    """The same as the operator gathers them."""
    return {(one.kind, one.key): one.row for one in changes_of(manifests)}


def audit_of(
    rules: Iterable[Rule],
    manifests: Iterable[Mapping[str, object]],
    *,
    now: int = NOW,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    evidence: Mapping[str, Evidence] = EVERYTHING,
) -> tuple[Audit, AuditResult]:
    """Audit manifests with some rules; settings by code."""
    catalogue = Catalogue(rules)
    typed = {
        rule.code: rule.settings.model_validate((settings or {}).get(rule.code, {}))
        for rule in catalogue
    }
    audit = Audit(catalogue, now, settings=typed)
    return audit, audit.step(changes_of(manifests), evidence=evidence, now=now)


def ask(rule: Rule, example: Example, manifests: Sequence[Manifest] | None = None) -> AuditResult:
    objects = example.objects if manifests is None else manifests
    return audit_of([rule], objects, now=example.now, settings={rule.code: example.settings})[1]
