"""NodeResourcesFit: what the pod requests must be free, and a slot for it."""

from collections.abc import Iterator

from clusteraudit.model.rows import PodRow
from clusteraudit.simulate.filters.kit import Answer, Check, Doubt, Refusal
from clusteraudit.simulate.snapshot import SLOTS, NodeInfo, Snapshot

NAME = "NodeResourcesFit"


def node_resources_fit(snapshot: Snapshot, pod: PodRow) -> Check:
    """One refusal per resource that lacks; a request of 0 always fits (`fit.go`)."""
    asked = [(name, amount) for name, amount in pod.template.requests if amount > 0]
    whole = snapshot.known("Pod")

    def check(info: NodeInfo) -> Iterator[Answer]:
        if info.left(SLOTS) < 1:
            yield Refusal(NAME, "TooManyPods", "no pod slot is left", SLOTS, 1, info.left(SLOTS))
        for name, amount in asked:
            left = info.left(name)
            if amount > left:
                yield Refusal(
                    NAME, "InsufficientResource", f"too little {name}", name, amount, left
                )
        if not whole:
            yield Doubt(NAME, "Pod")

    return check
