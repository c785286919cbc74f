"""The page for newcomers: layers, loops, outcomes and chains; its tables are made of the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from clusteraudit.audit.audit import Audit, Word
from clusteraudit.diagnose.chains import diagnose
from clusteraudit.model.build import NOW
from clusteraudit.report.pages import CONCEPTS, hygiene
from clusteraudit.report.scan import COST
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import LOOPS, Failure, Layer, Severity
from clusteraudit.sources.gather import of_manifests
from demo.stage import pooled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusteraudit.audit.ledger import Entry
    from clusteraudit.rules.kit import Rule

SHOWN = "zone-without-node"
"""The rule whose example in the demo is the page's chain: it goes over three layers."""

_LAYERS = {
    Layer.CONTROL_PLANE: (
        "control plane",
        "API server, etcd, admission: what all else goes through",
    ),
    Layer.NODE_CAPACITY: (
        "nodes",
        "what there is: machines, zones, memory, what a drain takes away",
    ),
    Layer.WORKLOAD: ("workloads", "what is asked for: requests, limits, budgets, images"),
    Layer.SCHEDULING: ("scheduling", "how what is asked for fits into what there is"),
    Layer.NETWORKING: ("network", "who reaches whom: Services, policies, DNS"),
    Layer.STORAGE: ("storage", "where data is, and which nodes reach it"),
}
_LOOPS = {
    "compute": "the scheduler and the kubelets: where pods run, and which are evicted",
    "storage": "volume controllers and CSI drivers: claims, volumes and their zones",
    "network": "the network plugin, endpoints and DNS: who reaches whom",
    "identity": "accounts and credentials: who may pull, read and write",
    "controlplane": "the API server and what every request passes",
    "platform": "people and their guard rails: drains, budgets, quotas, defaults",
}
_OUTCOMES: dict[Word, tuple[str, str]] = {
    "found": ("the fault is there, with figures", "do what the arrow says"),
    "clear": ("it was looked for everywhere it could be, and is not there", "nothing"),
    "unknown": (
        "it cannot be told, and which evidence is missing is said",
        "give that evidence: a right, metrics.k8s.io, the rest of the files",
    ),
    "error": ("the rule itself failed on this object; all others go on", "report it"),
    "notApplicable": ("there is nothing of which it could be asked", "nothing"),
}
_HEAD = """# Concepts

Cluster Audit asks rules about a cluster. A rule looks for one fault, says of which object, in
figures, and what to do. This page says how rules are ordered, what they can answer, and how
findings become a chain from symptom to cause. [The list of rules](rules/README.md) has a page for
each; `cluster-audit rules CODE` prints it. [Architecture](architecture.md) is about the code.

## A chain

The symptom's layer is hardly ever that of the cause. This is one chain of the demo
(`cluster-audit scan -f dev/demo/cluster.jsonl`), layers from the ground up:
"""
_CHAIN = """
Whoever is called sees the last of these: a pod that waits. More room would not help it, and its
events tell of a refusal, not of what is missing. A rule declares which others its fault can cause
(`leads_to`); two findings are linked only where both are open and are about the same object, be it
subject or one that they name. Nothing is guessed from names or from times. The cause stands first
in `scan`, with its effects below it (`└ causes`); in JSON these are `causedBy`, `effects` and
`chains`, in the report `status.chains`. Mend the cause, and the rest goes by itself.

## Layers: where a fault lives

| layer | name | what is there | rules |
|---|---|---|---|"""
_LOOPS_HEAD = """
## Loops: whose work it is

Kubernetes is control loops that bring what is closer to what was declared. A rule belongs to the
loop that cannot do its work because of the fault; the loop is its folder, and the beginning of its
code. Layer and loop are different questions: a budget that blocks a drain is declared with a
workload (layer L3), and stops whoever runs the platform.

| loop | codes | what it does | rules |
|---|---|---|---|"""
_CLASSES = """
A third word, `failureClass`, says what kind of failure comes of it: {classes}.

## Outcomes: what a rule can answer

| outcome | means | what to do |
|---|---|---|"""
_STALE = """
Missing evidence is never a pass. Of each kind of object it is known how much is held: all of it, a
part, or nothing, and why. A rule names the kinds that it reads, and those that it needs in full,
for what is absent would change the answer. Nothing known of a kind that it reads, or only a part
of one that it needs in full: unknown. A part of another kind: it may find, but is never clear. Over
several objects, a rule's outcome is the first of found, error, unknown and clear that occurs.

A finding that was open and whose rule cannot tell any more stays open, marked `stale`: it is
neither held nor denied until the evidence is back. It is never resolved because nobody looked.

Some things can only be refuted. That a node refuses a pod is certain once one filter of the
scheduler does; that none does is as much as can be said for it, and what is not modelled is named.

## Severities, and the score

| severity | means | costs |
|---|---|---|"""
_SEVERITIES = {
    Severity.CRITICAL: "something fails now, or the next ordinary event makes it fail",
    Severity.HIGH: "something is out of order for somebody, or one step away from failing",
    Severity.MEDIUM: "a defence is missing, or something is wasted",
    Severity.LOW: "to be tidied up, or expected to pass by itself",
    Severity.INFO: "worth knowing",
}
_SCORE = """
The score is 100 less what each *rule* costs that finds something, at its worst finding, and never
below 0: a thousand findings of one rule are one thing to understand. It is for comparing a cluster
with itself. A finding's severity can differ from its rule's, as its page says; a report can set it
(`spec.rules`).

## Failure and hygiene

Most rules tell of a failure: it is there, or the next drain, zone or spike of memory brings it. A
rule of hygiene tells of what somebody should tidy up before it matters: {hygiene}.
These are silent in [system namespaces](rules/README.md#system-namespaces), whose owner is not who
reads this, unless asked; and their Events are no warnings.

## What a finding carries

`evidence` are the figures it rests on, as integers in base units (millicores, bytes, seconds);
names carry the unit. `fingerprint` names it for good: by rule, object and, where a rule can find
several things about one object, which of them; it is the same after a restart, an upgrade and a
re-created object. `remedy` is the smallest change that mends it, not the only one.
"""


def pages() -> dict[str, str]:
    """The page by its path."""
    rules = list(catalogue())
    classes = ", ".join(one.value for one in Failure)
    parts = [
        _HEAD,
        *_picture(),
        _CHAIN,
        *(_layer(layer) for layer in Layer),
        _LOOPS_HEAD,
        *(
            f"| {loop} | {code}… | {_LOOPS[loop]} | {sum(r.loop == loop for r in rules)} |"
            for loop, code in LOOPS.items()
        ),
        _CLASSES.format(classes=classes),
        *(f"| `{one}` | {' | '.join(_OUTCOMES[one])} |" for one in get_args(Word)),
        _STALE,
        *(f"| {one.value} | {_SEVERITIES[one]} | {COST.get(one, 0)} |" for one in Severity),
        _SCORE.format(hygiene=hygiene(catalogue())),
    ]
    return {CONCEPTS: "\n".join(parts).rstrip() + "\n"}


def _layer(layer: Layer) -> str:
    name, what = _LAYERS[layer]
    here = ", ".join(
        f"[{one.code}](rules/{one.loop}/{one.name}.md)" for one in catalogue() if one.layer == layer
    )
    return f"| {layer} | {name} | {what} | {here or 'none yet'} |"


def _picture() -> Iterator[str]:
    """The chain as the audit of the demo's objects tells it, layer by layer."""
    chain = chain_shown()
    yield "```mermaid\nflowchart BT"
    for layer in Layer:
        name, _ = _LAYERS[layer]
        yield f'  subgraph L{layer.value} ["{layer} {name}"]'
        inside = [at for at, one in enumerate(chain) if _rule(one).layer == layer]
        yield from (f'    f{at}["{_words(chain[at])}"]' for at in inside)
        if not inside:
            yield f'    e{layer.value}["·"]'
        yield "  end"
    layers = [f"L{layer.value}" for layer in Layer]
    yield f"  {' ~~~ '.join(layers)}"
    yield from (f"  f{at} ==>|causes| f{at + 1}" for at in range(len(chain) - 1))
    yield "```\n"
    yield "| | loop | finding | what it says |\n|---|---|---|---|"
    for at, one in enumerate(chain):
        part = "the cause" if not at else "the symptom" if at == len(chain) - 1 else "between"
        rule = _rule(one)
        yield f"| {part} | {rule.loop} | {rule.code} {rule.name} | {one.message} |"


def chain_shown() -> list[Entry]:
    """The findings of the chain, the cause first."""
    rule = catalogue().get(SHOWN)
    if rule is None:
        raise KeyError(SHOWN)
    changes, evidence = of_manifests(pooled(rule))
    result = Audit(catalogue(), NOW).step(changes, evidence=evidence, now=NOW)
    of = {one.fingerprint: one for one in result.entries}
    chains = diagnose(result.entries, catalogue()).chains
    chain = next(one for one in chains if of[one.root].rule == rule.code)
    return [of[one] for one in (chain.root, *chain.effects)]


def _rule(entry: Entry) -> Rule:
    rule = catalogue().get(entry.rule)
    if rule is None:
        raise KeyError(entry.rule)
    return rule


def _words(entry: Entry) -> str:
    return f"{entry.rule} {_rule(entry).name}<br/>{entry.finding.subject}"
