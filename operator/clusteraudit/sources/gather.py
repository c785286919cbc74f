"""Gathering: objects of any source become the changes and the evidence of one model.

Each becomes a row as soon as it is read; no document is kept.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from clusteraudit.model.kinds import KINDS, USAGE
from clusteraudit.model.rows import Key, PodRow, PodTemplate, Row
from clusteraudit.model.store import COMPLETE, Change, Evidence, api_group
from clusteraudit.sources.documents import ObjectDoc
from clusteraudit.sources.feed import TranslateError
from clusteraudit.sources.intake import Intake, Skipped, title
from clusteraudit.sources.synthetic import Recipe, recipe, synthetic_pods
from clusteraudit.sources.translate import translate


class Gathering(Intake):
    """Rows by kind and key; the higher resourceVersion wins, else the later one."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, dict[Key, Row | None]] = {kind: {} for kind in KINDS}
        self._failed: dict[str, dict[Key, Skipped]] = {kind: {} for kind in KINDS}
        self._recipes: dict[tuple[str, Key], Recipe] = {}
        self._templates: dict[PodTemplate, PodTemplate] = {}

    def begin(self, kind: str) -> None:
        """The list of a kind begins, or begins anew: what was seen of it does not count."""
        for held in (self._rows, self._failed, self._versions):
            held[kind].clear()

    def _keep(self, kind: str, key: Key, document: ObjectDoc, source: str) -> None:
        if not self._wins(kind, key, document):
            return
        self._failed[kind].pop(key, None)
        try:
            self._rows[kind][key] = self._row(kind, key, document)
        except TranslateError as error:
            self._rows[kind][key] = None
            self._failed[kind][key] = Skipped(source, title(kind, *key), error.reason, str(error))

    def _row(self, kind: str, key: Key, document: ObjectDoc) -> Row:
        row = translate(kind, document)
        if row.namespace != key[0]:
            row = msgspec.structs.replace(row, namespace=key[0])
        if isinstance(row, PodRow):
            template = self._templates.setdefault(row.template, row.template)
            msgspec.structs.force_setattr(row, "template", template)
        self._recipes.pop((kind, key), None)
        if made := recipe(document):
            self._recipes[kind, key] = made
        return row

    # Results, once everything is read

    @property
    def skipped(self) -> list[Skipped]:
        """Sources and objects that cannot be read or evaluated."""
        failed = (one for of_kind in self._failed.values() for one in of_kind.values())
        return [*self._skipped, *failed]

    def rows(self) -> Iterator[Change]:
        """Every object as a change, pods that only a template promises included."""
        yield from (api_group(name) for name in sorted(self._groups()))
        for kind, held in self._rows.items():
            yield from (Change(kind, key, row) for key, row in held.items() if row is not None)
        yield from self._promised

    @cached_property
    def counts(self) -> Counter[str]:
        """Objects by kind, those that can be evaluated."""
        held = {kind: len(rows) - len(self._failed[kind]) for kind, rows in self._rows.items()}
        return Counter(held) + Counter(Pod=len(self._promised))

    @cached_property
    def _promised(self) -> list[Change]:
        """Pods that workloads would make, where the input holds none of them."""
        if "Pod" in self._listed():
            return []
        rows = {kind: [row for row in held.values() if row] for kind, held in self._rows.items()}
        return [Change("Pod", pod.key, pod) for pod in synthetic_pods(rows, self._recipes)]

    def _groups(self) -> set[str]:
        return self.groups | set(self.header.groups if self.header else ())

    def _listed(self) -> set[str]:
        if self.header is None or self.read < self.header.objects:
            return set()
        return {*self.header.listed, *self.header.unserved}

    def evidence(self, complete: Iterable[str] = ()) -> dict[str, Evidence]:
        """How much of each kind is known; `complete` names kinds of which nothing is missing."""
        held = +self.counts
        full = self._listed() | {kind for kind in complete if kind not in USAGE or kind in held}
        known = {kind: _evidence(kind, full=kind in full, held=kind in held) for kind in KINDS}
        if self.header:
            for kinds, why in (
                (self.header.unavailable, "Unavailable"),
                (self.header.forbidden, "Forbidden"),
            ):
                known |= dict.fromkeys(known.keys() & set(kinds), Evidence("none", why))
        return known


def _evidence(kind: str, *, full: bool, held: bool) -> Evidence:
    if full:
        return COMPLETE
    return (
        Evidence("partial")
        if held
        else Evidence("none", "NotServed" if kind in USAGE else "NotInInput")
    )


def of_manifests(
    manifests: Iterable[Mapping[str, object]], *, complete: Iterable[str] | None = None
) -> tuple[list[Change], dict[str, Evidence]]:
    """Rows and evidence of manifests in memory; by default nothing is missing of any kind."""
    gathering = Gathering()
    for manifest in manifests:
        gathering.add("", dict(manifest))
    evidence = gathering.evidence(KINDS if complete is None else complete)
    return list(gathering.rows()), evidence
