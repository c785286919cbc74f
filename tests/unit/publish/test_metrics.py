"""The exposition text: what it says, its names, and that it is bounded."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from clusteraudit.audit.audit import AuditResult
from clusteraudit.model import build
from clusteraudit.publish import audited, itself
from clusteraudit.publish.audited import MAX_POOLS, Audited
from clusteraudit.publish.itself import Figures, KindFigures
from clusteraudit.publish.metrics import Metric, render
from clusteraudit.report.resource import Spec
from clusteraudit.rules.catalogue import catalogue
from clusteraudit.rules.kit import Rule
from support.clusters import EVERYTHING, audit_of

OWN = Figures(
    "1.2.3",
    True,
    {"Pod": KindFigures(True, 7, 1, 0, 0.5)},
    30,
    3,
    0.25,
    2,
    0,
    {},
    {},
    0,
    {("GET", "nodes", 200): 4},
    {"wall": 0.2, "cpu": 0.1},
    {"loop": 1.5, "audit": 2.5, "drills": 0.5},
    3,
)
BUDGET = 1000


def result(*objects: build.Manifest, **more: object) -> AuditResult:
    return audit_of(catalogue(), objects, **more)[1]  # type: ignore[arg-type]


Series = dict[tuple[str, frozenset[str]], float]


def series(said: AuditResult, spec: Spec | None = None) -> Series:
    """Values by name and label values."""
    text = render(audited.METRICS, Audited(said, catalogue(), spec or Spec())).decode()
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    keys = Counter((one.name, tuple(sorted(one.labels.items()))) for one in samples)
    assert set(keys.values()) == {1}, "no series twice"
    return {(one.name, frozenset(one.labels.values())): one.value for one in samples}


def pooled(name: str, pool: str, cpu: str) -> build.Manifest:
    return build.node(name, cpu, labels={"karpenter.sh/nodepool": pool})


def test_what_is_found_is_counted_and_zero_is_told() -> None:
    rule = next(one for one in catalogue() if one.name == "budget-blocks-drain")
    example = next(one for one in rule.examples if one.finds)
    found = series(audit_of([rule], example.objects, now=example.now)[1])
    severity = rule.severity.value

    assert found["cluster_audit_findings", frozenset({rule.code, severity, rule.loop})] == 1
    assert found["cluster_audit_findings", frozenset({"STO101", "high", "storage"})] == 0
    assert found["cluster_audit_rule_info", frozenset({rule.code, rule.name})] == 1
    assert found["cluster_audit_score", frozenset()] < 100


def test_only_what_the_main_report_shows_is_counted() -> None:
    rule = next(one for one in catalogue() if one.name == "budget-blocks-drain")
    example = next(one for one in rule.examples if one.finds)
    said = audit_of([rule], example.objects, now=example.now)[1]
    elsewhere = series(said, Spec(namespaces=["elsewhere"]))

    assert elsewhere["cluster_audit_score", frozenset()] == 100


def test_figures_of_a_pool() -> None:
    pods = build.pods_of("web", on="a-0", cpu="3")
    found = series(result(pooled("a-0", "a", "4"), pooled("b-0", "b", "2"), *pods))

    assert found["cluster_audit_largest_fit", frozenset({"cpu", "a"})] == 1
    assert found["cluster_audit_largest_fit", frozenset({"cpu", "b"})] == 2
    assert found["cluster_audit_fragmentation_ratio", frozenset({"cpu", "a"})] == 1
    assert found["cluster_audit_stranded", frozenset({"cpu", "b"})] == 2
    assert found["cluster_audit_overcommit_ratio", frozenset({"cpu", "a"})] == 0
    headroom = [value for (name, _), value in found.items() if name.endswith("headroom_pods")]
    assert headroom == [0]


def test_what_cannot_be_told_has_no_sample() -> None:
    known = {
        kind: one for kind, one in EVERYTHING.items() if kind not in {"Pod", "PersistentVolume"}
    }
    found = series(result(pooled("a-0", "a", "4"), evidence=known))
    names = {name for name, _ in found}

    assert "cluster_audit_largest_fit" not in names
    assert "cluster_audit_headroom_pods" not in names
    assert "cluster_audit_stranded_volumes" not in names
    assert found["cluster_audit_rule_cannot_tell", frozenset({"STO101"})] == 1


def test_series_are_bounded() -> None:
    said = result()
    nodes = [pooled(f"n-{number}", f"pool-{number}", "4") for number in range(120)]
    capacity = result(*nodes).capacity
    found = series(msgspec.structs.replace(said, capacity=capacity))
    of_pools = sum(any("pool-" in one for one in labels) for _, labels in found)

    assert of_pools <= MAX_POOLS * 2 * 4
    assert len(found) - of_pools <= BUDGET


@pytest.mark.parametrize("metric", [*audited.METRICS, *itself.METRICS], ids=lambda one: one.name)
def test_names_follow_the_conventions(metric: Metric[object]) -> None:
    assert metric.says.endswith(".")
    assert not metric.name.endswith("_total"), "the suffix comes with the kind"
    assert not {"namespace", "pod", "node", "container", "instance", "job"} & set(metric.labels)


@pytest.mark.parametrize("rule", list(catalogue()), ids=lambda rule: rule.code)
def test_no_label_has_a_name_of_an_object(rule: Rule) -> None:
    """Pools, zones and shapes are on the page of metrics; of objects nothing is."""
    for example in rule.examples:
        metadata: list[Any] = [one["metadata"] for one in example.objects]
        names = {one.get(key) for one in metadata for key in ("name", "namespace")}
        objects = [_renamed(one, names) for one in example.objects]
        said = audit_of(catalogue(), objects, now=example.now)[1]
        text = render(audited.METRICS, Audited(said, catalogue(), Spec())).decode()
        assert "canary" not in text
        assert not example.finds or said.entries


def _renamed(value: Any, names: set[str | None]) -> Any:
    """Every name is another one, wherever it is referred to; annotations come on top."""
    if isinstance(value, list | tuple):
        return [_renamed(one, names) for one in value]
    if isinstance(value, Mapping):
        made = {key: _renamed(one, names) for key, one in value.items()}
        return made | ({"annotations": {"canary": "canary"}} if "name" in made else {})
    return f"{value}-canary" if isinstance(value, str) and value in names else value


def test_the_operators_own() -> None:
    text = render(itself.METRICS, OWN).decode()

    assert 'cluster_audit_operator_build_info{version="1.2.3"} 1.0' in text
    assert 'cluster_audit_operator_kind_objects{kind="Pod"} 7.0' in text
    assert (
        'cluster_audit_operator_api_requests_total{code="200",resource="nodes",verb="GET"} 4.0'
        in text
    )
