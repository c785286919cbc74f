"""SchedulingGates: a pod with a gate is not looked at, whatever room there is."""

from collections.abc import Iterator

from clusteraudit.model.rows import PodRow
from clusteraudit.simulate.filters.kit import Answer, Check, Refusal
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NAME = "SchedulingGates"


def scheduling_gates(_: Snapshot, pod: PodRow) -> Check | None:
    """Refused everywhere until the last gate is gone (`scheduling_gates.go`)."""
    if not pod.gates:
        return None
    refusal = Refusal(NAME, "SchedulingGated", f"waits for gate {', '.join(pod.gates)}")

    def check(_: NodeInfo) -> Iterator[Answer]:
        yield refusal

    return check
