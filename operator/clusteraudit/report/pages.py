"""Pages made of the rules' declarations: published in the docs, printed by `rules CODE`."""

from collections.abc import Iterator, Mapping

from clusteraudit.rules.catalogue import Catalogue, catalogue
from clusteraudit.rules.kit import Rule

DOCS = "docs/rules"


def page(rule: Rule) -> str:
    """A rule's page, as Markdown."""
    lead, _, rest = rule.page.partition("\n")
    facts = (
        f"{rule.severity.value} · {rule.loop} · layer {rule.layer} · {rule.failure.value} · "
        f"asked of each {rule.subject} · since {rule.since}"
    )
    if not rule.local:
        facts = facts.replace(f"asked of each {rule.subject}", "asked of the cluster")
    parts = [
        f"# {rule.code} {rule.name}",
        lead,
        facts,
        rest.strip(),
        *_settings(rule),
        *_more(rule),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _settings(rule: Rule) -> Iterator[str]:
    fields = rule.settings.model_fields
    if fields:
        yield "## Settings"
        rows = (
            f"| `{field.alias or name}` | {field.default} | {field.description} |"
            for name, field in fields.items()
        )
        yield "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def _more(rule: Rule) -> Iterator[str]:
    yield "## Evidence"
    needs = f"Reads {_listed(rule.reads)}"
    full = f"; in full {_listed(rule.complete)}" if rule.complete else ""
    uses = f". For more words also {_listed(rule.uses)}" if rule.uses else ""
    yield f"{needs}{full}{uses}."
    if rule.leads_to:
        yield f"Its findings can be the cause of {_listed(rule.leads_to)}."


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def index(rules: Catalogue) -> str:
    """The list of all rules, as Markdown."""
    rows = (
        f"| [{r.code}]({r.loop}/{r.name}.md) | {r.name} | {r.severity} | {r.loop} | {r.title} |"
        for r in rules
    )
    head = ["| code | name | severity | loop | fault |", "|---|---|---|---|---|"]
    return "\n".join(["# Rules", "", *head, *rows, ""])


def pages() -> Mapping[str, str]:
    """Every page by its path."""
    rules = catalogue()
    made = {f"{DOCS}/{rule.loop}/{rule.name}.md": page(rule) for rule in rules}
    return {f"{DOCS}/README.md": index(rules), **made}
