"""What the loss of nodes and zones would do, in the shape of the status."""

from clusteraudit.audit.rehearsal import MODE, Rehearsed
from clusteraudit.model.moments import rfc3339
from clusteraudit.report.resource import StatusDrills, StatusVerdicts, StatusZone
from clusteraudit.simulate.drill import Verdict

_FATAL = 10
_ZONES = 20
_WORST_FIRST = (Verdict.FAILS, Verdict.UNKNOWN, Verdict.DEGRADES, Verdict.SURVIVES)


def drills(found: Rehearsed) -> StatusDrills:
    """The verdicts of the last pass, within the bounds of the status."""
    counts = found.counts
    zones = sorted(found.zones, key=lambda one: (_WORST_FIRST.index(one[1]), one[0]))
    return StatusDrills(
        as_of=rfc3339(found.as_of),
        mode=MODE,
        nodes=StatusVerdicts(
            survives=counts[Verdict.SURVIVES],
            degrades=counts[Verdict.DEGRADES],
            fails=counts[Verdict.FAILS],
            unknown=counts[Verdict.UNKNOWN],
        ),
        fatal=list(found.fatal[:_FATAL]),
        zones=[StatusZone(zone=name[:63], verdict=said.value) for name, said in zones[:_ZONES]],
    )
