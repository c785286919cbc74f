"""The driver of generated files: writes, checks, and removes what is no longer made."""

from pathlib import Path

import pytest

from tools.generate import REMEDY, Generated, main

TABLE = (
    Generated(lambda: {"crds/report.yaml": "kind: Report\n"}),
    Generated(lambda: {"docs/rules/a.md": "# a\n"}, owns=("docs/rules/*.md",)),
)


def test_writes_what_is_missing_then_finds_nothing_stale(tmp_path: Path) -> None:
    assert main([], tmp_path, TABLE) == 0
    assert (tmp_path / "crds/report.yaml").read_text() == "kind: Report\n"
    assert main(["--check"], tmp_path, TABLE) == 0


def test_check_names_the_stale_file_and_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([], tmp_path, TABLE)
    (tmp_path / "docs/rules/a.md").write_text("# edited\n")
    capsys.readouterr()

    assert main(["--check"], tmp_path, TABLE) == 1

    printed = capsys.readouterr()
    assert printed.out == "stale: docs/rules/a.md\n"
    assert REMEDY in printed.err
    assert (tmp_path / "docs/rules/a.md").read_text() == "# edited\n"


def test_removes_what_is_no_longer_made(tmp_path: Path) -> None:
    main([], tmp_path, TABLE)
    (tmp_path / "docs/rules/gone.md").write_text("# gone\n")
    (tmp_path / "docs/start.md").write_text("by hand\n")

    assert main(["--check"], tmp_path, TABLE) == 1
    assert main([], tmp_path, TABLE) == 0
    assert not (tmp_path / "docs/rules/gone.md").exists()
    assert (tmp_path / "docs/start.md").exists()


def test_two_rows_must_not_make_one_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"crds/report\.yaml is generated twice"):
        main([], tmp_path, (TABLE[0], TABLE[0]))
