"""What the image's root file system is made of: links are kept, what is left out stays out."""

from pathlib import Path

from image.base import default
from image.root import date, keep


def test_a_link_on_the_way_is_kept_and_so_is_what_it_leads_to(tmp_path: Path) -> None:
    base, target = tmp_path / "base", tmp_path / "image"
    (base / "usr/lib").mkdir(parents=True)
    (base / "usr/lib/libc.so.6").write_text("code")
    (base / "usr/lib/libc.so").symlink_to("libc.so.6")
    (base / "lib").symlink_to("usr/lib")

    keep(base / "lib/libc.so", target)

    made = target / base.relative_to("/")
    assert (made / "lib").readlink() == Path("usr/lib")
    assert (made / "usr/lib/libc.so").readlink() == Path("libc.so.6")
    assert (made / "lib/libc.so").read_text() == "code"


def test_a_folder_is_kept_without_what_is_left_out(tmp_path: Path) -> None:
    base, target = tmp_path / "base", tmp_path / "image"
    (base / "asyncio").mkdir(parents=True)
    (base / "asyncio/events.py").write_text("code")
    (base / "ensurepip").mkdir()

    keep(base, target, ("ensurepip",))

    made = target / base.relative_to("/")
    assert [path.name for path in made.iterdir()] == ["asyncio"]


def test_the_base_is_named_by_its_digest() -> None:
    assert len(default().partition("@sha256:")[2]) == 64


def test_every_file_has_the_time_of_the_commit(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_text("x")
    (tmp_path / "gone").symlink_to("nowhere")
    date(tmp_path, 1_700_000_000)
    assert {path.lstat().st_mtime for path in (tmp_path, *tmp_path.rglob("*"))} == {1_700_000_000}
