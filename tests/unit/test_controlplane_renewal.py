"""A scheduler that gives itself up is started again, as a kubelet would; nothing else is."""

from pathlib import Path

import pytest

from controlplane import ControlPlane
from controlplane.plane import GIVES_ITSELF_UP, MAX_RENEWALS
from controlplane.processes import Component, ComponentFailedError


class Ended(Component):
    """A component that has ended; starting it again is only counted."""

    def check(self) -> None:
        raise ComponentFailedError(self.name, "ended (exit 1)", self.log)


def plane_of(log: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ControlPlane, list[str]]:
    plane, restarted = ControlPlane(), list[str]()
    ended = object.__new__(Ended)
    ended.name, ended.log = "kube-scheduler", log
    plane._running["kube-scheduler"] = ended
    monkeypatch.setattr(plane, "restart", restarted.append)
    return plane, restarted


def test_a_scheduler_that_gives_itself_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_text(f"E1125 cache.go:662] {GIVES_ITSELF_UP} and can badly affect\n")
    plane, restarted = plane_of(tmp_path / "log", monkeypatch)
    for _ in range(MAX_RENEWALS):
        plane.check()
    assert restarted == ["kube-scheduler"] * MAX_RENEWALS
    with pytest.raises(ComponentFailedError):
        plane.check()


def test_what_ends_otherwise_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_text("panic: nil map\n")
    plane, restarted = plane_of(tmp_path / "log", monkeypatch)
    with pytest.raises(ComponentFailedError):
        plane.check()
    assert restarted == []
