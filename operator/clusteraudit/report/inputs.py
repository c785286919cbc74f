"""What an answer rests on, in the shape that every command's output carries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clusteraudit.model.kinds import KINDS
from clusteraudit.model.store import Evidence
from clusteraudit.report.shapes import Inputs, SkippedObject, UnreadKind


@dataclass(frozen=True)
class Origin:
    """Where the objects came from, and what became of those that are not in the model."""

    name: str = ""
    version: str = ""
    ignored: Mapping[str, int] = field(default_factory=dict)
    skipped: Sequence[SkippedObject] = ()
    duplicates: int = 0


def inputs(
    counts: Iterable[tuple[str, int]], evidence: Iterable[tuple[str, Evidence]], origin: Origin
) -> Inputs:
    """What the answer rests on: objects by kind, and how much of each kind is known."""
    known = [(kind, one) for kind, one in evidence if kind in KINDS]
    return Inputs(
        kinds=dict(counts),
        partial=[kind for kind, one in known if one.state == "partial"],
        unread=[UnreadKind(kind=k, reason=one.reason) for k, one in known if one.state == "none"],
        ignored=dict(sorted(origin.ignored.items())),
        skipped=sorted(origin.skipped, key=lambda one: (one.source, one.object, one.reason)),
        duplicates=origin.duplicates,
    )
