"""The reports that there are: what each wants, and what is wrong with what it wants."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from clusteraudit.handlers.engine import Engine
from clusteraudit.report.resource import Condition, Spec
from clusteraudit.report.status import View
from clusteraudit.report.tuning import Tuned

_ONLY_MAIN = "spec.rules: only the main report ({main}) may tune rules; remove them here"


@dataclass(frozen=True)
class Seen:
    """A report as the API server has it."""

    name: str
    uid: str
    generation: int
    version: str
    spec: Mapping[str, object]
    conditions: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True)
class Known:
    """A report to publish into."""

    name: str
    uid: str
    version: str
    view: View


class Reports:
    """Reports by name; the main one tunes the audit, others are views of it."""

    def __init__(self, main: str, engine: Engine) -> None:
        self.known: dict[str, Known] = {}
        self.main = main
        self._engine = engine

    def see(self, seen: Seen) -> bool:
        """Take over a report; returns whether the audit must be asked anew."""
        spec, problems = _spec(seen.spec)
        tunes = seen.name == self.main
        if tunes:
            problems = (*problems, *_told(self._engine.tune(spec)))
        elif spec.rules:
            problems = (*problems, _ONLY_MAIN.format(main=self.main))
        before = {one.type: one for one in map(_condition, seen.conditions) if one}
        old = self.known.get(seen.name)
        if old and old.uid == seen.uid and old.view.before:
            before = {**before, **old.view.before}
        view = View(spec, seen.generation, problems, before=before, main=tunes)
        self.known[seen.name] = Known(seen.name, seen.uid, seen.version, view)
        return tunes

    def lose(self, name: str, uid: str) -> None:
        """A report is gone; unless one of the same name is there already."""
        known = self.known.get(name)
        if known and known.uid == uid:
            del self.known[name]

    def written(self, report: Known, version: str, conditions: list[Condition]) -> None:
        """The status was written: remember its version, and since when conditions hold."""
        known = self.known.get(report.name)
        if known and known.uid == report.uid:
            before = {one.type: one for one in conditions}
            view = replace(known.view, before=before)
            self.known[report.name] = replace(known, version=version, view=view)

    def outdated(self, report: Known) -> None:
        """The installed CRD is older than we are."""
        self._schema(report, current=False)

    def renewed(self, report: Known) -> Known:
        """The installed CRD was older than we are, and is not any more."""
        return self._schema(report, current=True)

    def _schema(self, report: Known, *, current: bool) -> Known:
        known = self.known.get(report.name)
        if known is None:
            return report
        view = replace(known.view, schema_current=current)
        self.known[report.name] = replace(known, view=view)
        return self.known[report.name]


def _told(tuned: Tuned) -> tuple[str, ...]:
    return (*tuned.problems, *tuned.warnings)


def _spec(raw: Mapping[str, object]) -> tuple[Spec, tuple[str, ...]]:
    """The spec; what is wrong with it is named by field, and defaults stand in its place."""
    try:
        return Spec.model_validate(dict(raw)), ()
    except ValidationError as error:
        problems = (
            f"spec.{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in error.errors()
        )
        return Spec(), tuple(problems)


def _condition(raw: Mapping[str, object]) -> Condition | None:
    try:
        return Condition.model_validate(dict(raw))
    except ValidationError:  # of another version of us: it will be written anew
        return None
