"""From a spec's rules to a catalogue and settings; what is wrong with it is told by field."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from clusteraudit.report.resource import RuleTuning
from clusteraudit.rules.catalogue import Catalogue
from clusteraudit.rules.kit import Rule, Settings, Severity


@dataclass(frozen=True)
class Tuned:
    """A catalogue and the settings of its rules by code; problems name the field."""

    catalogue: Catalogue
    settings: Mapping[str, Settings]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def tune(catalogue: Catalogue, tunings: Iterable[RuleTuning]) -> Tuned:
    """Apply tunings; a rule whose settings are invalid keeps its defaults, and is told of."""
    by_code = {one.code: one for one in tunings}
    settings: dict[str, Settings] = {}
    problems: list[str] = []
    for rule in catalogue:
        tuning = by_code.get(rule.code)
        try:
            settings[rule.code] = rule.settings.model_validate(tuning.settings if tuning else {})
        except ValidationError as error:
            problems += _problems(rule.code, error)
            settings[rule.code] = rule.settings()
    rules = tuple(_chosen(catalogue, by_code))
    unknown = sorted(code for code in by_code if catalogue.get(code) is None)
    return Tuned(
        Catalogue(rules),
        settings,
        tuple(problems),
        tuple(f"spec.rules[{code}]: there is no such rule" for code in unknown),
    )


def _chosen(catalogue: Catalogue, by_code: Mapping[str, RuleTuning]) -> Iterator[Rule]:
    for rule in catalogue:
        tuning = by_code.get(rule.code)
        if tuning is None:
            yield rule
        elif tuning.enabled:
            severity = tuning.severity
            yield replace(rule, forced=Severity(severity) if severity else None)


def _problems(code: str, error: ValidationError) -> Iterator[str]:
    for one in error.errors():
        field = ".".join(str(part) for part in one["loc"])
        yield f"spec.rules[{code}].settings.{field}: {one['msg']}"
