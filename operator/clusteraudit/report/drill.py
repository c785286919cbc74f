"""From what drills say to the shapes of `drill`."""

from collections.abc import Iterable

from clusteraudit.report.drill_shapes import (
    DrilledBudget,
    DrilledPod,
    DrilledVolume,
    DrillResult,
    DrillShape,
    RecoveryShape,
)
from clusteraudit.report.shapes import Inputs
from clusteraudit.simulate.drill import Budgeted, Drill, Fate, Volume
from clusteraudit.simulate.ground import Ground


def drills(ground: Ground, found: Iterable[Drill], inputs: Inputs) -> DrillShape:
    """The whole answer."""
    return DrillShape(inputs=inputs, drills=[result(ground, one) for one in found])


def result(ground: Ground, drill: Drill) -> DrillResult:
    """The shape of one drill."""
    return DrillResult(
        kind=drill.kind,
        target=drill.target,
        mode=drill.mode,
        verdict=drill.verdict.value,
        reasons=list(drill.reasons),
        assumptions=list(drill.assumptions),
        recovery_seconds=RecoveryShape(min=drill.recovery.min, reason=drill.recovery.reason),
        pods=[_pod(ground, one) for one in drill.fates],
        budgets=[_budget(one) for one in drill.budgets],
        rounds=drill.rounds,
        volumes=[_volume(one) for one in drill.volumes],
    )


def _pod(ground: Ground, fate: Fate) -> DrilledPod:
    return DrilledPod(
        namespace=fate.pod.namespace,
        name=fate.pod.name,
        outcome=fate.outcome.value,
        node=fate.node or None,
        reason=fate.reason,
        detail=fate.detail,
        round=fate.round or None,
        workload=str(ground.owner(fate.pod)),
    )


def _budget(one: Budgeted) -> DrilledBudget:
    return DrilledBudget(
        namespace=one.before.budget.namespace,
        name=one.before.budget.name,
        current_healthy=one.before.healthy,
        desired_healthy=one.before.desired,
        allowed=one.before.allowed,
        blocks=one.blocks,
        healthy_after=one.after,
    )


def _volume(one: Volume) -> DrilledVolume:
    namespace, claim = one.claim
    return DrilledVolume(
        namespace=namespace, claim=claim, volume=one.volume, pod=one.pod[1], nodes=one.nodes
    )
