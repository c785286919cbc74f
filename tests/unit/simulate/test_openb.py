"""The published figures of the fragmentation paper (ATC'23), by its own trace and unit tests."""

import pytest

from clusteraudit.report.capacity_shapes import CapacityShape
from clusteraudit.simulate.workload import covering, of_changes
from support import openb
from support.capacity import asked
from support.clusters import changes_of
from support.model import cluster_of

SHARE = 10_000
"""Replicas that are all of the mix: shares are given in hundredths of a percent."""


def published(said: CapacityShape) -> float:
    """The figure as it is published: what is not asked for is in it."""
    found = said.resources[openb.MILLI_GPU].expected_fragmentation
    assert found is not None
    return found.amount + found.by_cause.not_requested


def by_definition() -> tuple[float, int]:
    """The definition, word by word, over the rows of the trace; and the idle milli-GPU."""
    mix, machines = openb.requests(), [*openb.machines()]
    total, lost = sum(mix.values()), 0
    for (cpu, milli_gpu, models), pods in mix.items():
        for _, has_cpu, gpus, model in machines:
            runs = has_cpu >= cpu and 1000 * gpus >= milli_gpu and (not models or model in models)
            lost += 0 if milli_gpu and runs else pods * 1000 * gpus
    return lost / total, sum(1000 * gpus for *_, gpus, _ in machines)


def test_the_empty_cluster_under_the_default_mix() -> None:
    given = of_changes(changes_of(openb.tasks()))
    said = asked(cluster_of(openb.nodes()), given=given)
    gpu = said.resources[openb.MILLI_GPU]
    lost, idle = by_definition()

    assert sum(one.pods for one in given) == 8152
    assert len(said.nodes) == 1523
    assert gpu.free == idle == 6_212_000
    assert published(said) == pytest.approx(lost)
    assert published(said) / idle == pytest.approx(0.13893, abs=0.000005)


def test_the_figure_hardly_moves_when_the_tail_of_the_mix_is_cut() -> None:
    """Without the shapes of fewer than four pods, 0.7% of the mix, it is the published 13.82%."""
    given = of_changes(changes_of(openb.tasks()))
    cluster = cluster_of(openb.nodes())
    figures = [
        published(asked(cluster, given=covering(given, share))) / 6_212_000
        for share in (0.95, 0.98, 0.99, 0.993)
    ]
    assert figures == pytest.approx([0.13945, 0.13826, 0.13862, 0.13822], abs=0.000005)


MIX = (
    ("cpu-only", 1000, 0, 736 + 165 + 53),  # 1,000, 12,000 and 15,000 millicores upstream
    ("eight-and-64200", 64_200, 8000, 107),
    ("eight-and-120200", 120_200, 8000, 48),
    ("eight-and-64000", 64_000, 8000, 53),
    ("four-and-60200", 60_200, 4000, 123),
    ("four-and-32200", 32_200, 4000, 101),
)
"""Of upstream's list (`frag_test.go`, 31 classes) those that some node there does not take; what is
left of the mix asks for a GPU and 2 CPU at most here, and fits wherever there is any CPU."""


@pytest.mark.parametrize(
    ("cpu", "gpus", "figure"),
    [
        (64_000, 8, 887.20),
        (32_000, 4, 554.4),
        (0, 4, 4000),
    ],
)
def test_upstreams_hand_checked_nodes(cpu: int, gpus: int, figure: float) -> None:
    rest = SHARE - sum(share for *_, share in MIX)
    mix = [openb.task(name, milli, gpu, replicas=share) for name, milli, gpu, share in MIX]
    given = of_changes(changes_of([*mix, openb.task("rest", 2000, 1000, replicas=rest)]))
    said = asked(cluster_of([openb.machine("node", cpu, gpus)]), given=given)

    assert published(said) == pytest.approx(figure, abs=0.01)
