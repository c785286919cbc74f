"""SchedulingGates: a pod with a gate is not looked at, whatever room there is."""

from clusteraudit.model.rows import PodRow
from clusteraudit.simulate.filters.kit import Check, Refusal, everywhere
from clusteraudit.simulate.snapshot import Snapshot

NAME = "SchedulingGates"


def scheduling_gates(_: Snapshot, pod: PodRow) -> Check | None:
    """Refused everywhere until the last gate is gone (`scheduling_gates.go`)."""
    if not pod.gates:
        return None
    return everywhere(Refusal(NAME, "SchedulingGated", f"waits for gate {', '.join(pod.gates)}"))
