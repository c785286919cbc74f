"""Taints and tolerations, as the scheduler's TaintToleration plugin reads them.

Source: k8s.io/api `core/v1/toleration.go`, component-helpers `scheduling/corev1/helpers.go` (1.37).
"""

import re
from collections.abc import Iterable

import msgspec

from clusteraudit.model.selectors import Requirement

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
FILTERING = ("NoSchedule", "NoExecute")
_DECIMAL = re.compile("0|-?[1-9][0-9]*")
"""Numbers of Gt and Lt are written in one way only (`content.IsDecimalInteger`)."""


class Taint(msgspec.Struct, frozen=True, gc=False):
    """A taint of a node; `time_added` in seconds since the epoch, where the API holds it."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"
    time_added: int | None = None

    def __str__(self) -> str:
        """As kubectl prints it: `key=value:Effect`."""
        return (
            f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"
        )


class Toleration(msgspec.Struct, frozen=True, gc=False):
    """A toleration of a pod; an empty operator means Equal, an empty effect every effect."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    seconds: int | None = None
    """For how long a NoExecute taint is tolerated; None is for ever."""

    def __str__(self) -> str:
        """As taints are written: `key=value:Effect`; `*` for every key, no effect for every one."""
        value = f" {self.operator} {self.value}" if self.operator in {"Gt", "Lt"} else ""
        if not value and self.value and self.operator != "Exists":
            value = f"={self.value}"
        return f"{self.key or '*'}{value}" + (f":{self.effect}" if self.effect else "")

    def tolerates(self, taint: Taint) -> bool:
        """Whether this toleration admits `taint`; an empty key with Exists admits every taint."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self._admits(taint.value)

    def _admits(self, value: str) -> bool:
        if self.operator == "Exists":
            return True
        if not self.key:
            return False
        if self.operator in {"Gt", "Lt"}:
            numbers = _DECIMAL.fullmatch(self.value) and _DECIMAL.fullmatch(value)
            return bool(numbers) and Requirement("", self.operator, (self.value,)).compares(value)
        return self.operator in {"", "Equal"} and self.value == value


def untolerated(taints: Iterable[Taint], tolerations: tuple[Toleration, ...]) -> Taint | None:
    """The first taint that keeps a pod with these tolerations away, None where none does."""
    for taint in taints:
        if taint.effect in FILTERING and not any(one.tolerates(taint) for one in tolerations):
            return taint
    return None
