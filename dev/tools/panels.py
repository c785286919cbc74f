"""Panels of the dashboard, as data: what each shows, and what to do when it moves."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, WARN, BAD = "green", "orange", "red"
Steps = tuple[tuple[float, str], ...]
"""Colours of a number from a value on; the first one is the colour of all below."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel: its queries by what their series are called; `C` stands for the cluster's label."""

    title: str
    says: str
    moves: str
    """What to do, or where to look, when it moves."""
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 7
    steps: Steps = ((0, GOOD),)
    colours: tuple[tuple[str, str], ...] = ()
    """Of series, by name."""


@dataclass(frozen=True)
class Row:
    """A headline and its panels."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Number(Panel):
    """One large number."""

    kind: str = "stat"
    width: int = 4
    height: int = 4


_FINDINGS = (
    Number(
        title="Score",
        says="100 less 25, 10, 3, 1 for each rule found.",
        moves="Compare it with its own past, not with other clusters; `kubectl get car` has the "
        "counts behind it.",
        queries=(("cluster_audit_score{C}", ""),),
        steps=((0, BAD), (50, WARN), (80, GOOD)),
    ),
    Number(
        title="Critical",
        says="Open findings of critical severity.",
        moves="Something is down, or goes down with the next step; the report's status has the "
        "causes first.",
        queries=(('sum(cluster_audit_findings{C,severity="critical"})', ""),),
        steps=((0, GOOD), (1, BAD)),
    ),
    Number(
        title="High",
        says="Open findings of high severity.",
        moves="One node, one drain or one spike away from an incident: this week's work.",
        queries=(('sum(cluster_audit_findings{C,severity="high"})', ""),),
        steps=((0, GOOD), (1, WARN)),
    ),
    Number(
        title="Chains",
        says="Causes with what follows from them.",
        moves="Mend the cause, and its effects close by themselves.",
        queries=(("cluster_audit_chains{C}", ""),),
    ),
    Number(
        title="Rules that cannot tell",
        says="Their silence is no all-clear.",
        moves="The report's condition Complete says which evidence is missing.",
        queries=(("sum(cluster_audit_rule_cannot_tell{C})", ""),),
        steps=((0, GOOD), (1, WARN)),
    ),
    Number(
        title="Last audit",
        says="Seconds since the last one; grows when nothing changes.",
        moves="If it grows while pods come and go, see the row of the operator.",
        queries=(("time() - cluster_audit_last_audit_timestamp_seconds{C}", ""),),
        unit="s",
    ),
    Panel(
        title="By severity",
        says="Open findings and their history.",
        moves="A step up is something new: the report's findings have `since`, and an Event says "
        "when it opened.",
        queries=(("sum by (severity) (cluster_audit_findings{C})", "{{severity}}"),),
        colours=(
            ("critical", "dark-red"),
            ("high", "red"),
            ("medium", "orange"),
            ("low", "yellow"),
            ("info", "blue"),
        ),
    ),
    Panel(
        title="By control loop",
        says="Where the findings lie.",
        moves="Several loops that rise together have one cause: look at the chains.",
        queries=(("sum by (loop) (cluster_audit_findings{C})", "{{loop}}"),),
    ),
    Panel(
        title="By rule",
        says="Rules with open findings, by name.",
        moves="`cluster-audit rules CODE` prints the rule's page: why it matters and what to do.",
        queries=(
            (
                (
                    "topk(10, (sum by (rule) (cluster_audit_findings{C}) > 0)"
                    " * on (rule) group_left (name)"
                    " max by (rule, name) (cluster_audit_rule_info{C}))"
                ),
                "{{rule}} {{name}}",
            ),
        ),
    ),
)

_CAPACITY = (
    Panel(
        title="Fragmentation",
        says="Share of what is free that the expected pod cannot use.",
        moves="If it rises while headroom falls, room is there in pieces too small: CMP101.",
        queries=(("cluster_audit_fragmentation_ratio{C}", "{{resource}} {{pool}}"),),
        unit="percentunit",
    ),
    Panel(
        title="Headroom",
        says="How many more pods fit, of the most frequent shapes.",
        moves="At 0 the next pod of that shape waits, or a node has to come.",
        queries=(("cluster_audit_headroom_pods{C}", "{{shape}}"),),
    ),
    Panel(
        title="Limits by allocatable",
        says="Above 100%, pods may together use more than there is.",
        moves="Of memory, that is how nodes come under pressure: raise requests, or lower limits.",
        queries=(("cluster_audit_overcommit_ratio{C}", "{{resource}} {{pool}}"),),
        unit="percentunit",
    ),
    Panel(
        title="Largest CPU that fits",
        says="A pod that requests more stays Pending, whatever is free in all.",
        moves="Keep it above the largest request of a workload that may be placed again.",
        queries=(('cluster_audit_largest_fit{C,resource="cpu"}', "{{pool}}"),),
        unit="cores",
    ),
    Panel(
        title="Largest memory that fits",
        says="A pod that requests more stays Pending, whatever is free in all.",
        moves="Keep it above the largest request of a workload that may be placed again.",
        queries=(('cluster_audit_largest_fit{C,resource="memory"}', "{{pool}}"),),
        unit="bytes",
    ),
    Panel(
        title="Stranded CPU",
        says="Free on nodes that take no pod of the cluster's own mix.",
        moves="These nodes lack something else, memory or pod slots: choose another type of node.",
        queries=(('cluster_audit_stranded{C,resource="cpu"}', "{{pool}}"),),
        unit="cores",
    ),
)

_RISKS = (
    Panel(
        title="Nodes at risk of eviction",
        says="Memory pressure is near. No line: usage is not known.",
        moves="CMP201 names the nodes, and who would be evicted first.",
        queries=(("cluster_audit_eviction_risk_nodes{C}", "nodes"),),
    ),
    Panel(
        title="Volumes out of reach",
        says="No node that could run their pods reaches them.",
        moves="A zone has lost its nodes, or a pool its labels: STO101 names the volume.",
        queries=(("cluster_audit_stranded_volumes{C}", "volumes"),),
    ),
    Panel(
        title="Nodes whose loss is survived",
        says="Share of nodes after whose loss each workload keeps a pod, and what its budget asks "
        "for.",
        moves="`kubectl get car cluster -o yaml`: status.drills.fatal names nodes; ask "
        "`cluster-audit drill node NAME`.",
        queries=(("cluster_audit_node_loss_survivable_ratio{C}", "nodes"),),
        unit="percentunit",
    ),
    Panel(
        title="Zones whose loss is survived",
        says="1: each workload keeps a pod, and what its budget asks for. No line: not known.",
        moves="Ask `cluster-audit drill zone NAME`: it names the pods that find no node.",
        queries=(("cluster_audit_zone_loss_survivable{C}", "{{zone}}"),),
    ),
    Panel(
        title="Objects of which a rule cannot tell",
        says="Evidence is missing, or the rule failed.",
        moves="`kubectl get car cluster -o yaml`: status.unknown has the reason, by rule.",
        queries=(("cluster_audit_rule_unknown_subjects{C}", "{{rule}}"),),
    ),
)

_OPERATOR = (
    Panel(
        title="Kinds in sync",
        says="0: the kind is not known in full, and rules that need it cannot tell.",
        moves="A right is missing, or the API server does not serve it: see status.inputs.",
        queries=(("min by (kind) (cluster_audit_operator_kind_synced{C})", "{{kind}}"),),
    ),
    Panel(
        title="Requests to the API server",
        says="By verb and code; watches are counted when they begin.",
        moves="403: a right was taken away. 429 or 5xx: the API server is under load, or away.",
        queries=(
            (
                (
                    "sum by (verb, code)"
                    " (rate(cluster_audit_operator_api_requests_total{C}"
                    "[$__rate_interval]))"
                ),
                "{{verb}} {{code}}",
            ),
        ),
        unit="reqps",
    ),
    Panel(
        title="Audits and writes",
        says="How often it audits, writes a status, or may not.",
        moves="Failures that go on: the log has the API server's answer. No audits while the "
        "cluster changes: restart it and report that, please.",
        queries=tuple(
            (f"sum(rate(cluster_audit_operator_{name}_total{{C}}[$__rate_interval]))", name)
            for name in ("audits", "status_writes", "status_failures")
        ),
        unit="ops",
    ),
    Panel(
        title="CPU of the last audit",
        says="Grows with the change, not with the cluster.",
        moves="Seconds, again and again: it audits less often then. Give it more CPU.",
        queries=(("max(cluster_audit_operator_last_audit_cpu_seconds{C})", "audit"),),
        unit="s",
    ),
    Panel(
        title="Objects",
        says="Known, by kind.",
        moves="Memory follows pods and nodes; the chart's `nodes` chooses the resources.",
        queries=(("max by (kind) (cluster_audit_operator_kind_objects{C})", "{{kind}}"),),
    ),
    Panel(
        title="Rules that fail",
        says="Faults of ours: please report them.",
        moves="status.unknown has the reason; the rule's findings stay open, marked as stale.",
        queries=(("rate(cluster_audit_rule_errors_total{C}[$__rate_interval])", "{{rule}}"),),
        unit="ops",
    ),
    Panel(
        title="Objects that cannot be evaluated",
        says="Skipped, by kind: an amount that no API server would take, or a shape of its own.",
        moves="`cluster-audit scan -o json` names them under inputs.skipped, with the reason.",
        queries=(("max by (kind) (cluster_audit_operator_kind_skipped{C})", "{{kind}}"),),
    ),
    Panel(
        title="Lists made again",
        says="By kind, in the last hour. Now and then is usual.",
        moves="Often: watches break on the way, or the API server forgets too soon (410).",
        queries=(
            (
                "sum by (kind) (increase(cluster_audit_operator_kind_relists_total{C}[1h]))",
                "{{kind}}",
            ),
        ),
    ),
    Panel(
        title="Replicas that publish",
        says="One, of however many there are.",
        moves="None for longer than a lease lasts: the log of each says why it cannot hold it.",
        queries=(("sum(cluster_audit_operator_leader{C})", "leading"),),
    ),
)

ROWS: tuple[Row, ...] = (
    Row("Findings", _FINDINGS),
    Row("Capacity", _CAPACITY),
    Row("Risks, and what cannot be told", _RISKS),
    Row("The operator", _OPERATOR),
)
