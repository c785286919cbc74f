"""What must hold of the repository as a whole."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Written with a class in each, so that this file does not name what it forbids.
FORBIDDEN = {
    "a package registry": r"p[y]pi\.org|python[h]osted\.org|registry\.np[m]js|np[m]js\.com|"
    r"prox[y]\.golang|su[m]\.golang|[c]rates\.io|repo1?\.mave[n]|deb\.debia[n]",
    "a path of one machine": r"(?<![\w.*])/wor[k]/|(?<![\w.*])/roo[t]/|/opt/wheel[s]|bash_job[s]",
    "a file outside the repository": r"share[d]/(design|contract|reference)",
    "a conflict": r"^(<{7}|>{7}) ",
}


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return [path for name in names.split("\0") if (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    hits = [
        f"{path.relative_to(ROOT)}: {hit[0]}"
        for path in tracked()
        for hit in pattern.finditer(text_of(path))
    ]
    assert hits == []


def test_the_source_root_is_no_package() -> None:
    assert not (ROOT / "operator/__init__.py").exists()


@pytest.mark.parametrize("name", ["run.txt", "dev.txt", "build.txt"])
def test_requirements_are_locked_by_hash_and_hold_no_address(name: str) -> None:
    text = text_of(ROOT / "requirements" / name)
    lines = [line for line in text.replace("\\\n", "").splitlines() if line[:1] not in ("", "#")]
    entries = [line for line in lines if not line.lstrip().startswith("#")]

    assert "://" not in text
    assert [line for line in entries if line.startswith("-")] == []
    assert [line for line in entries if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", line)] == []
    assert [line.split()[0] for line in entries if "--hash=sha256:" not in line] == []


def test_the_operator_runs_on_what_the_tests_ran_on() -> None:
    pins = {
        name: set(re.findall(r"^[\w.-]+==\S+", text_of(ROOT / "requirements" / name), re.MULTILINE))
        for name in ("run.txt", "dev.txt")
    }
    assert pins["run.txt"] - pins["dev.txt"] == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_targets_that_a_page_names_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))
    calls = re.findall(r"(?:^|`)make((?: [a-z][a-z-]*)+)", text_of(ROOT / page), re.MULTILINE)
    named = {target for call in calls for target in call.split()}

    assert named
    assert named - targets == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_into_the_repository_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(ROOT / page))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_a_missing_prerequisite_is_one_sentence_with_its_remedy(tmp_path: Path) -> None:
    script = ["/bin/sh", str(ROOT / "dev/tools/prerequisites.sh")]
    nothing = subprocess.run(
        script, env={"PATH": str(tmp_path)}, check=False, capture_output=True, text=True
    )
    assert nothing.returncode == 1
    assert nothing.stderr == "git is needed: install the package git.\n"

    (tmp_path / "git").symlink_to("/bin/true")
    python = subprocess.run(
        script, env={"PATH": str(tmp_path)}, check=False, capture_output=True, text=True
    )
    assert python.returncode == 1
    assert "Python 3.11 or later" in python.stderr
    assert python.stdout == ""
