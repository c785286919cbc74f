"""What a pod asks of its neighbours and of its node, as the scheduler reads it.

Label keys to match (`matchLabelKeys`, `mismatchLabelKeys`) are part of the selectors here.
"""

import msgspec

from clusteraudit.model.selectors import LabelSelector


class PodTerm(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A required term of pod affinity or anti-affinity; a selector of None selects no pod.

    Without names and without a selector of namespaces it means the namespace of its own pod.
    """

    topology_key: str
    selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None


class Spread(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A topology spread constraint that is hard (`DoNotSchedule`)."""

    topology_key: str
    max_skew: int = 1
    selector: LabelSelector | None = None
    min_domains: int = 1
    honor_affinity: bool = True
    """Only nodes that its node selector and affinity admit are counted."""
    honor_taints: bool = False
    """Only nodes whose taints it tolerates are counted."""


class HostPort(msgspec.Struct, frozen=True, gc=False):
    """A port of the node that a pod takes; the address `0.0.0.0` stands for all of them."""

    number: int
    protocol: str = "TCP"
    ip: str = "0.0.0.0"  # noqa: S104 - compared with others, nothing is bound

    def __str__(self) -> str:
        """As people write it: `8080/TCP`, `10.0.0.1:8080/TCP`."""
        address = "" if self.ip == HostPort(0).ip else f"{self.ip}:"
        return f"{address}{self.number}/{self.protocol}"

    def conflicts(self, other: "HostPort") -> bool:
        """Whether one node cannot give both (`HostPortInfo.CheckConflict`)."""
        everywhere = HostPort(0).ip
        return (
            self.number == other.number
            and self.protocol == other.protocol
            and (self.ip == other.ip or everywhere in {self.ip, other.ip})
        )


class Disk(msgspec.Struct, frozen=True, gc=False):
    """A disk that a pod names itself, without a claim, of a kind that pods may not always share."""

    kind: str
    names: tuple[str, ...]
    monitors: tuple[str, ...] = ()
    """Of a Ceph RBD image: it is the same one if a monitor is."""
    read_only: bool = False

    def conflicts(self, other: "Disk") -> bool:
        """Whether two pods on one node may not both have it (`isVolumeConflict`)."""
        same = (self.kind, self.names) == (other.kind, other.names)
        met = not self.monitors or bool({*self.monitors} & {*other.monitors})
        return same and met and not (self.read_only and other.read_only)
