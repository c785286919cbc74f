"""Where the control plane's programs come from, without building any."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane import binaries, golang
from controlplane.binaries import (
    BUILT,
    Progress,
    Tool,
    assets,
    cache_key,
    cached,
    link_flags,
    provide,
)
from controlplane.golang import BinariesError, find_go, missing_message, parse_version, suits


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    for name in ("go.mod", "go.sum"):
        path = tmp_path / "tools" / "kwok" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}\n")
    return tmp_path / "tools"


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_the_key_changes_with_the_modules(tools: Path, name: str) -> None:
    before = cache_key("kwok", tools)
    assert cache_key("kwok", tools) == before
    (tools / "kwok" / name).write_text("other")
    assert cache_key("kwok", tools) != before


def test_a_module_of_others_changes_nothing(tools: Path) -> None:
    before = cache_key("kwok", tools)
    (tools / "helm").mkdir()
    (tools / "helm" / "go.mod").write_text("new")
    assert cache_key("kwok", tools) == before


def test_the_key_changes_with_the_packages(tools: Path) -> None:
    changed = {**BUILT, "kwok": replace(BUILT["kwok"], package="other")}
    assert cache_key("kwok", tools, changed) != cache_key("kwok", tools)
    assert cache_key("helm", tools, changed) == cache_key("helm", tools)
    assert cache_key("kwok", tools, dict(reversed(BUILT.items()))) == cache_key("kwok", tools)


def test_assets_are_used_when_named(tmp_path: Path) -> None:
    assert assets({}) == {}
    names = ["etcd", "kube-apiserver", "kubectl"]
    expected = {name: program(tmp_path / name) for name in names}
    (tmp_path / "kwok").write_text("not executable")
    assert assets({"KUBEBUILDER_ASSETS": str(tmp_path)}) == expected


def test_assets_without_the_main_programs_are_an_error(tmp_path: Path) -> None:
    program(tmp_path / "etcd")
    with pytest.raises(BinariesError, match=r"does not hold kube-apiserver, kubectl: name a"):
        assets({"KUBEBUILDER_ASSETS": str(tmp_path)})


def test_only_what_is_missing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    for name in binaries.ASSETS:
        program(tmp_path / "assets" / name)
    program(cached("kwok"))
    program(cached("etcd"))
    built: list[str] = []

    def build(_go: str, name: str, work: Path, _group: object) -> None:
        built.append(name)
        program(work / name)

    monkeypatch.setattr(binaries, "find_go", lambda *_: "go")
    monkeypatch.setattr(binaries, "_build", build)
    steps: list[Progress] = []
    found = provide(["etcd", "kwok", "kube-scheduler", "helm"], steps.append)
    assert built == ["kube-scheduler", "helm"]
    assert [(step.name, step.number, step.total) for step in steps if step.seconds is None] == [
        ("kube-scheduler", 1, 2),
        ("helm", 2, 2),
    ]
    assert found["etcd"] == tmp_path / "assets" / "etcd", "what is named goes before the cache"
    assert all(path.exists() for path in found.values())
    assert not (binaries.cache_home() / "work").exists()


def test_what_was_built_before_a_failure_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    def build(_go: str, name: str, work: Path, _group: object) -> None:
        program(work / name)
        if name == "kwok":
            raise KeyboardInterrupt

    monkeypatch.setattr(binaries, "find_go", lambda *_: "go")
    monkeypatch.setattr(binaries, "_build", build)
    with pytest.raises(KeyboardInterrupt):
        provide(["etcd", "kwok"], lambda _: None)
    assert cached("etcd").exists()
    assert not cached("kwok").exists()
    assert not (binaries.cache_home() / "work").exists()


def test_the_version_is_stamped_where_it_is_asked() -> None:
    stamped = link_flags(Tool("kubernetes", "p", stamped=True), "v1.37.2")
    assert "version.gitVersion=v1.37.2" in stamped
    assert "version.gitMinor=37" in stamped
    assert link_flags(Tool("kwok", "p"), "v1.37.2") == "-s -w"
    assert binaries.kubernetes_version().startswith("v1.")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go1.27", (1, 27, 0)),
        ("go1.26.0-custom", (1, 26, 0)),
        ("go version devel +abc", None),
        ("", None),
    ],
)
def test_the_version_of_go_is_read(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("version", "enough"),
    [((1, 26, 0), True), ((1, 27, 1), True), ((2, 0, 0), True), ((1, 25, 9), False), (None, False)],
)
def test_go_must_be_new_enough(version: tuple[int, ...] | None, enough: bool) -> None:
    assert suits(version) is enough


def test_go_on_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = program(tmp_path / "go")
    go.write_text("#!/bin/sh\necho go1.99.0\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_go(tmp_path / "cache", lambda _: None) == str(go)


def test_without_go_and_without_the_package_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution\n")

    monkeypatch.setattr(subprocess, "run", fails)
    monkeypatch.setattr(golang, "version_of", lambda _: None)
    said: list[str] = []
    with pytest.raises(BinariesError, match="found no Go on PATH") as caught:
        find_go(tmp_path, said.append)
    assert "ERROR: No matching distribution" in str(caught.value)
    assert "KUBEBUILDER_ASSETS" in str(caught.value)
    assert len(said) == 1


def test_an_old_go_is_named() -> None:
    assert "found only Go 1.22.1 on PATH" in missing_message((1, 22, 1), "offline")
