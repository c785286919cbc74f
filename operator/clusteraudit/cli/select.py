"""What a scan asks, and which of its findings it shows."""

from collections.abc import Callable, Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from clusteraudit.audit.ledger import Entry
from clusteraudit.cli.errors import CommandError, Exit
from clusteraudit.report.resource import Spec
from clusteraudit.report.tuning import Tuned, tune
from clusteraudit.rules.catalogue import Catalogue, catalogue
from clusteraudit.rules.kit import Severity


def words(texts: Iterable[str]) -> list[str]:
    """The parts of options that may repeat and may hold commas."""
    return [word.strip() for text in texts for word in text.split(",") if word.strip()]


def rules(only: Iterable[str], skip: Iterable[str], settings: str | None) -> tuple[Tuned, Spec]:
    """The rules to ask, with their settings; raises CommandError for what does not exist."""
    try:
        chosen = _chosen(catalogue(), words(only), words(skip))
    except KeyError as error:
        message = f"there is no rule or loop {error.args[0]!r}: `cluster-audit rules` lists them"
        raise CommandError(Exit.USAGE, message) from None
    spec = _spec(settings) if settings else Spec()
    tuned = tune(chosen, [one for one in spec.rules if chosen.get(one.code)])
    strange = [one.code for one in spec.rules if catalogue().get(one.code) is None]
    if strange or tuned.problems:
        what = [*tuned.problems, *(f"there is no rule {code!r}" for code in strange)]
        raise CommandError(Exit.USAGE, f"{settings}: {'; '.join(what)}")
    return tuned, spec


def _chosen(known: Catalogue, only: list[str], skip: list[str]) -> Catalogue:
    chosen = known.only(only) if only else known
    gone = {rule.code for rule in known.only(skip)}
    return Catalogue(rule for rule in chosen if rule.code not in gone)


def _spec(path: str) -> Spec:
    try:
        held = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        inner = held.get("spec", held) if isinstance(held, dict) else held
        return Spec.model_validate(inner or {})
    except OSError as error:
        raise CommandError(Exit.USAGE, f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise CommandError(Exit.USAGE, f"{path}: {field}: {first['msg']}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise CommandError(Exit.USAGE, f"{path} is not YAML") from None


def shown(minimum: Severity, namespaces: Iterable[str]) -> Callable[[Entry], bool]:
    """Which findings are shown."""
    wanted = set(namespaces)

    def show(entry: Entry) -> bool:
        inside = not wanted or entry.finding.subject.namespace in wanted
        return inside and entry.severity.rank <= minimum.rank

    return show
