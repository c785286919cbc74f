"""The bill of materials: digests of the lock, licences, and what must not be passed on."""

import json
from pathlib import Path

import pytest

from tools.sbom import digests, licences, main, problems

A, B, C = "a" * 64, "b" * 64, "c" * 64
LOCK = f"""\
aiohttp==3.14.5 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via cluster-audit (pyproject.toml)
typing-extensions==4.16.0 ; python_version < '3.13' \\
    --hash=sha256:{C}
"""


def package(name: str, version: str, *said: dict[str, object]) -> dict[str, object]:
    return {"name": name, "version": version, "licenses": list(said)}


def by_id(name: str) -> dict[str, object]:
    return {"license": {"id": name}}


HTTP = package("aiohttp", "3.14.5", {"expression": "Apache-2.0 AND MIT"})
TYPING = package("typing_extensions", "4.16.0", by_id("PSF-2.0"))


def test_digests_are_those_of_the_lock_whatever_the_name_looks_like() -> None:
    found = digests(LOCK)
    assert found == {"aiohttp==3.14.5": [A, B], "typing-extensions==4.16.0": [C]}
    assert not [*problems([HTTP, TYPING], found)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((by_id("MIT"),), ("MIT",)),
        (({"license": {"name": "License :: OSI Approved :: MIT License"}},), ("MIT",)),
        (({"expression": "MIT OR Apache-2.0"},), ("MIT OR Apache-2.0",)),
        ((), ()),
    ],
)
def test_licences(said: tuple[dict[str, object], ...], expected: tuple[str, ...]) -> None:
    assert licences(package("x", "1", *said)) == expected


@pytest.mark.parametrize(
    ("component", "problem"),
    [
        (package("aiohttp", "3.14.5", by_id("GPL-3.0-only")), "not agreed to: GPL-3.0-only"),
        (package("aiohttp", "3.14.5", {"expression": "MIT AND SSPL-1.0"}), "SSPL-1.0"),
        (package("aiohttp", "3.14.5"), "not agreed to: none"),
        (package("aiohttp", "3.14.6", by_id("MIT")), "aiohttp 3.14.6 is not in the lock"),
    ],
)
def test_what_must_not_be_passed_on(component: dict[str, object], problem: str) -> None:
    (found,) = problems([component], digests(LOCK))
    assert problem in found


def test_the_file_is_completed_and_the_licences_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sbom, lock, listed = tmp_path / "sbom.json", tmp_path / "run.txt", tmp_path / "licences.md"
    sbom.write_text(json.dumps({"components": [HTTP, TYPING]}))
    lock.write_text(LOCK)
    assert main(sbom, lock, listed) == 0
    (distribution,) = json.loads(sbom.read_text())["components"][0]["externalReferences"]
    assert [one["content"] for one in distribution["hashes"]] == [A, B]
    assert "| typing_extensions | 4.16.0 | PSF-2.0 |" in listed.read_text()
    assert "2 packages" in capsys.readouterr().out
