"""Documents of what a pod asks of its node and of its neighbours."""

import msgspec

from clusteraudit.sources.parts import Count, Document, NodeTerms, Selector


class Required(Document, frozen=True, kw_only=True):
    """Node affinity: only what is required decides."""

    required_during_scheduling_ignored_during_execution: NodeTerms | None = None


class PodTermDoc(Document, frozen=True, kw_only=True):
    """A term of pod affinity."""

    topology_key: str = ""
    label_selector: Selector | None = None
    namespaces: list[str] = []
    namespace_selector: Selector | None = None
    match_label_keys: list[str] = []
    mismatch_label_keys: list[str] = []


class PodTerms(Document, frozen=True, kw_only=True):
    """Pod affinity, or anti-affinity: only what is required decides."""

    required_during_scheduling_ignored_during_execution: list[PodTermDoc] = []


class Affinity(Document, frozen=True, kw_only=True):
    """Affinity of a pod."""

    node_affinity: Required = Required()
    pod_affinity: PodTerms = PodTerms()
    pod_anti_affinity: PodTerms = PodTerms()


class TolerationDoc(Document, frozen=True, kw_only=True):
    """A toleration."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class SpreadDoc(Document, frozen=True, kw_only=True):
    """A topology spread constraint."""

    topology_key: str = ""
    max_skew: Count = 1
    when_unsatisfiable: str = "DoNotSchedule"
    label_selector: Selector | None = None
    min_domains: Count | None = None
    node_affinity_policy: str = "Honor"
    node_taints_policy: str = "Ignore"
    match_label_keys: list[str] = []


class Gate(Document, frozen=True, kw_only=True):
    """A scheduling gate."""

    name: str


class RestartRule(Document, frozen=True, kw_only=True):
    """A rule of what a container's exit does."""

    action: str = ""


class Mount(Document, frozen=True, kw_only=True):
    """A mount of a volume: only what a node must be able to do for it."""

    bind_mount_options: list[str] = []


class DiskSource(Document, frozen=True, kw_only=True):
    """A disk that a pod names itself; which fields are set depends on its kind."""

    pd_name: str = ""
    volume_id: str = msgspec.field(default="", name="volumeID")
    iqn: str = ""
    monitors: list[str] = []
    pool: str = ""
    image: str = ""
    read_only: bool = False
