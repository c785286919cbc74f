"""Pages made of the rules' declarations: published in the docs, printed by `rules CODE`."""

from collections.abc import Iterator, Mapping

from clusteraudit.audit.system import BROUGHT_BY
from clusteraudit.rules.catalogue import Catalogue, catalogue
from clusteraudit.rules.kit import Rule

DOCS = "docs/rules"
CONCEPTS = "docs/concepts.md"
"""What layers, loops, outcomes, severities and chains are; made by `dev/tools/concepts.py`."""


def page(rule: Rule) -> str:
    """A rule's page, as Markdown."""
    lead, _, rest = rule.page.partition("\n")
    facts = (
        f"{rule.severity.value} · {rule.loop} · layer {rule.layer} · {rule.failure.value} · "
        f"asked of each {rule.subject} · since {rule.since}"
    )
    if not rule.local:
        facts = facts.replace(f"asked of each {rule.subject}", "asked of the cluster")
    if rule.hygiene:
        facts += " · hygiene: silent in system namespaces unless asked"
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
    told = "What layers, loops, outcomes, severities and chains are: [concepts](../concepts.md)."
    return "\n".join(["# Rules", "", told, "", *head, *rows, "", *_system(rules)])


def _system(rules: Catalogue) -> Iterator[str]:
    """Where hygiene rules are silent, and how they are asked there."""
    yield f"""\
## System namespaces

Most rules tell of a failure, and are asked everywhere. A rule of hygiene tells of what somebody
should tidy up ({hygiene(rules)}); in namespaces that a distribution,
a network plugin or a provisioner brings it is silent, for who reads this does not own them.
`spec.systemNamespaces` of the report is a list of patterns that stands in place of this one; an
empty list asks every rule everywhere. `cluster-audit scan --settings FILE` reads the same from a
file: `spec: {{systemNamespaces: []}}`.

| namespaces | who brings them |
|---|---|"""
    yield from (f"| `{pattern}` | {who} |" for pattern, who in BROUGHT_BY.items())
    yield ""


def hygiene(rules: Catalogue) -> str:
    """The rules of hygiene, by code and name."""
    return ", ".join(f"{rule.code} {rule.name}" for rule in rules if rule.hygiene)


def pages() -> Mapping[str, str]:
    """Every page by its path."""
    rules = catalogue()
    made = {f"{DOCS}/{rule.loop}/{rule.name}.md": page(rule) for rule in rules}
    return {f"{DOCS}/README.md": index(rules), **made}
