"""Chains from cause to symptom: the cause first, mended alone, and a cluster alike without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from clusteraudit.audit.audit import Audit, AuditResult
from clusteraudit.diagnose.chains import diagnose
from clusteraudit.model import build
from clusteraudit.model.build import NOW, Manifest
from clusteraudit.rules.catalogue import catalogue
from support.clusters import audit_of, changes_of

OWNER = build.owned_by("StatefulSet", "db")


@dataclass(frozen=True)
class Scenario:
    """A cluster in trouble; `alike` stands in the place of objects of the same name."""

    objects: Sequence[Manifest]
    chain: Sequence[str]
    """Findings by rule, the cause first, then its effects as they follow from it."""
    mend: Sequence[Manifest]
    """The cause mended, and nothing else."""
    clears: Sequence[str]
    """What is gone at once; the rest goes when the cluster's own controllers have acted."""
    after: Sequence[Manifest]
    """What the controllers then do by themselves."""
    alike: Sequence[Manifest]


# C1: requests that nobody uses, what is free is in pieces, it looks like a cluster out of room


def _api(cpu: str) -> list[Manifest]:
    owner = build.owned_by("StatefulSet", "api")
    return [
        build.stateful_set("api", replicas=3, cpu=cpu, memory="1Gi"),
        *(
            build.pod(f"api-{i}", app="api", owner=owner, on=f"n{i}", cpu=cpu, memory="1Gi")
            for i in range(3)
        ),
    ]


def _measured(cpu: str) -> list[Manifest]:
    return [build.node_usage(f"n{i}", cpu, "1Gi") for i in range(3)]


PAPER = Scenario(
    objects=[
        *(build.node(f"n{i}", "8") for i in range(3)),
        *_measured("900m"),
        *_api("7600m"),
        build.deployment("search", cpu="1", memory="1Gi"),
        *build.pods_of("search", unschedulable=600, cpu="1", memory="1Gi"),
    ],
    chain=["full-on-paper", "fragmented-capacity", "stranded-by-shape", "pod-pending"],
    mend=_api("2"),
    clears=["full-on-paper", "fragmented-capacity", "stranded-by-shape"],
    after=build.pods_of("search", on="n0", cpu="1", memory="1Gi"),
    alike=_measured("7"),
)

# C4: a volume is where its pod cannot go


def _db(on: str = "", spec: build.Spec | None = None) -> Manifest:
    waits = None if on else 600
    return build.pod(
        "db-0",
        app="db",
        owner=OWNER,
        on=on,
        unschedulable=waits,
        spec=spec,
        cpu="1",
        memory="1Gi",
        claim="data",
    )


def _disk(zone: str, storage_class: str = "") -> list[Manifest]:
    return [
        build.claim("data", "disk", storage_class=storage_class),
        build.volume("disk", zone, "data", storage_class=storage_class),
    ]


LOCKED_IN = [
    build.node("a", zone="zone-a"),
    build.stateful_set("db", claim="data", cpu="1", memory="1Gi"),
    _db(),
    build.service("db"),
    build.endpoints("db", ready=0, total=0),
]
BACK = [_db(on="b"), build.endpoints("db")]
EMPTY_ZONE = Scenario(
    objects=[*LOCKED_IN, *_disk("zone-b")],
    chain=["zone-without-node", "volume-out-of-reach", "pod-pending", "service-without-endpoints"],
    mend=[build.node("b", zone="zone-b")],
    clears=["zone-without-node", "volume-out-of-reach"],
    after=BACK,
    alike=[build.node("b", "500m", zone="zone-b")],
)
DRAINED_ZONE = Scenario(
    objects=[
        *LOCKED_IN,
        *_disk("zone-b"),
        build.node("b", zone="zone-b", cordoned=2 * 86_400),
        *build.pods_of("web", 2, on="b", cpu="1", memory="1Gi"),
        build.budget("web", minAvailable=2, counts=(2, 2, 2)),
    ],
    chain=[
        "budget-blocks-drain",
        "node-cordoned-long",
        "zone-without-node",
        "volume-out-of-reach",
        "pod-pending",
        "service-without-endpoints",
    ],
    mend=[build.budget("web", minAvailable=1, counts=(2, 1, 2))],
    clears=["budget-blocks-drain"],
    after=[*BACK, build.node("b", zone="zone-b")],
    alike=[build.budget("web", minAvailable=1, counts=(2, 1, 2))],
)
FAST = {"nodeSelector": {"disk": "fast"}}
DRAWN = Scenario(
    objects=[
        build.node("a", zone="zone-a", labels={"disk": "fast"}),
        build.node("b", zone="zone-b"),
        build.storage_class("any", "disk.example.com"),
        build.stateful_set("db", claim="data", spec=FAST, cpu="1", memory="1Gi"),
        _db(spec=FAST),
        *_disk("zone-b", "any"),
    ],
    chain=["immediate-binding", "volume-out-of-reach", "pod-pending"],
    mend=[build.storage_class("any", "disk.example.com", waits=True)],
    clears=["immediate-binding"],
    after=[*_disk("zone-a", "any"), _db(on="a", spec=FAST)],
    alike=[build.storage_class("any", "disk.example.com", waits=True)],
)

# C7: a policy that looks like a timeout

TO_DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
DEAF = build.unready(900, build.failing())
SILENT = Scenario(
    objects=[
        *build.cluster_dns(),
        build.node("a"),
        build.deployment("web", cpu="1", memory="1Gi"),
        *build.pods_of("web", on="a", status=DEAF, cpu="1", memory="1Gi"),
        build.service("web"),
        build.endpoints("web", ready=0),
        build.egress_policy("lock", app="web"),
    ],
    chain=["egress-cuts-dns", "service-without-endpoints"],
    mend=[build.egress_policy("lock", app="web", egress=[TO_DNS])],
    clears=["egress-cuts-dns"],
    after=[*build.pods_of("web", on="a", cpu="1", memory="1Gi"), build.endpoints("web")],
    alike=[build.egress_policy("lock", app="web", egress=[TO_DNS])],
)

# C10: an identity that the registry does not know

DENIED = build.unready(900, build.unpulled("401 Unauthorized"), phase="Pending")
NAMELESS = Scenario(
    objects=[
        build.node("a"),
        build.deployment("web", cpu="1", memory="1Gi"),
        *build.pods_of("web", on="a", status=DENIED, cpu="1", memory="1Gi"),
        build.service("web"),
        build.endpoints("web", ready=0),
    ],
    chain=["image-pull-refused", "service-without-endpoints"],
    mend=build.pods_of("web", on="a", status=DEAF, cpu="1", memory="1Gi"),
    clears=["image-pull-refused"],
    after=[*build.pods_of("web", on="a", cpu="1", memory="1Gi"), build.endpoints("web")],
    alike=build.pods_of("web", on="a", status=DEAF, cpu="1", memory="1Gi"),
)

SCENARIOS: Mapping[str, Scenario] = {
    "C1 requests on paper": PAPER,
    "C4 a zone without a node": EMPTY_ZONE,
    "C3 and C4 a drain that cannot end empties a zone": DRAINED_ZONE,
    "C4 a zone drawn by chance": DRAWN,
    "C7 a policy that looks like a timeout": SILENT,
    "C10 an identity that the registry does not know": NAMELESS,
}
each = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


def begin(scenario: Scenario, *more: Manifest) -> tuple[Audit, AuditResult]:
    audit, _ = audit_of(catalogue(), scenario.objects)
    return audit, audit.step(changes_of(more), now=NOW)


def found(result: AuditResult, scenario: Scenario) -> set[str]:
    """Rules of the chain that find something; of what else is said this is no test."""
    return set(names(result).values()) & set(scenario.chain)


def names(result: AuditResult) -> dict[str, str]:
    """Rules by the fingerprint of what they find."""
    of = {rule.code: rule.name for rule in catalogue()}
    return {entry.fingerprint: of[entry.rule] for entry in result.entries}


def chains(result: AuditResult) -> list[list[str]]:
    of = names(result)
    made = diagnose(result.entries, catalogue()).chains
    return [[of[one] for one in (chain.root, *chain.effects)] for chain in made]


@each
def test_the_cause_is_first_and_its_effects_hang_below(scenario: Scenario) -> None:
    _, result = begin(scenario)
    assert list(scenario.chain) in chains(result), chains(result)


@each
def test_mending_the_cause_alone_clears_all_of_it(scenario: Scenario) -> None:
    audit, _ = begin(scenario)
    mended = audit.step(changes_of(scenario.mend), now=NOW)
    assert found(mended, scenario) == set(scenario.chain) - set(scenario.clears)

    after = audit.step(changes_of(scenario.after), now=NOW)
    assert found(after, scenario) == set()
    assert not any(set(scenario.chain) & set(chain) for chain in chains(after))


@each
def test_without_the_cause_there_is_no_such_chain(scenario: Scenario) -> None:
    _, result = begin(scenario, *scenario.alike)
    cause, *effects = scenario.chain

    assert cause not in found(result, scenario)
    assert not any(cause in chain for chain in chains(result))
    assert found(result, scenario) & set(effects), "it is alike: the symptom is there"
