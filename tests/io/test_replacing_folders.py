"""Folders that are replaced whole or not at all."""

import os

import pytest

from kqf.io.replacing_folders import replacing_folder


def content(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def fill(path, name, **options):
    with replacing_folder(path, **options) as folder:
        (folder / name).write_text(name)


def test_a_folder_is_made_and_replaced(tmp_path):
    fill(tmp_path / "a", "old")
    fill(tmp_path / "a", "new")
    assert content(tmp_path) == {"a", "a/new"}


def test_the_old_one_is_there_until_the_end(tmp_path):
    fill(tmp_path / "a", "old")

    def fail():
        with replacing_folder(tmp_path / "a") as folder:
            (folder / "new").write_text("new")
            assert (tmp_path / "a/old").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert content(tmp_path) == {"a", "a/old"}


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0o700), (0o644, 0o755), (0o640, 0o750)])
def test_who_may_not_read_the_source_may_not_look_into_the_folder(tmp_path, mode, expected):
    fill(tmp_path / "a", "new", mode=mode)
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == expected & ~umask
    (tmp_path / "a").chmod(0o711)
    fill(tmp_path / "a", "newer", mode=mode)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o711


def test_exclusive(tmp_path):
    fill(tmp_path / "a", "old", exclusive=True)
    with pytest.raises(FileExistsError):
        fill(tmp_path / "a", "new", exclusive=True)
    assert content(tmp_path) == {"a", "a/old"}


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_comes_up_meanwhile_stays(tmp_path, exclusive):
    def fill_late():
        with replacing_folder(tmp_path / "a", exclusive=exclusive):
            (tmp_path / "a").mkdir()
            (tmp_path / "a/other").write_text("other")

    with pytest.raises(FileExistsError):
        fill_late()
    assert content(tmp_path) == {"a", "a/other"}


def test_a_missing_folder_above_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        fill(tmp_path / "missing/a", "new")
    assert caught.value.filename == str(tmp_path / "missing/a")
