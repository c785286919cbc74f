"""How large a made cluster is: all counts follow that of its pods."""

from dataclasses import dataclass

FULL = 150_000
"""Pods of a cluster as large as Kubernetes supports."""


@dataclass(frozen=True)
class Size:
    """A cluster of so many pods, everything else in proportion."""

    pods: int

    def _share(self, whole: int, least: int = 1) -> int:
        return max(least, round(whole * self.pods / FULL))

    @property
    def nodes(self) -> int:
        """Nodes."""
        return self._share(5_000, 3)

    @property
    def workloads(self) -> int:
        """Controllers of pods that people made."""
        return self._share(10_000, 3)

    @property
    def claims(self) -> int:
        """Claims, each with its volume."""
        return self._share(20_000)

    @property
    def policies(self) -> int:
        """Network policies."""
        return self._share(2_000)

    @property
    def old_replicasets(self) -> int:
        """ReplicaSets of earlier revisions, without a pod."""
        return self._share(100_000)

    @property
    def namespaces(self) -> int:
        """Namespaces of teams."""
        return self._share(400, 2)
