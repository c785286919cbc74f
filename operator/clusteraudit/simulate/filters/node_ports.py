"""NodePorts: a port of the node can be given once per address and protocol."""

from collections.abc import Iterator

from clusteraudit.model.rows import PodRow
from clusteraudit.simulate.filters.kit import Answer, Check, Doubt, Refusal
from clusteraudit.simulate.snapshot import NodeInfo, Snapshot

NAME = "NodePorts"


def node_ports(snapshot: Snapshot, pod: PodRow) -> Check | None:
    """Host ports of the pod against those of pods on the node (`node_ports.go`)."""
    wanted = pod.template.host_ports
    whole = snapshot.known("Pod")

    def each(info: NodeInfo) -> Iterator[Answer]:
        for port in wanted:
            if any(port.conflicts(other) for other in info.ports):
                yield Refusal(NAME, "HostPortConflict", f"host port {port} is taken")
                return
        if not whole:
            yield Doubt(NAME, "Pod")

    return Check(each) if wanted else None
