"""Local files that are replaced whole or not at all: who may read them, and who owns them."""

import os
import stat

import pytest

from kqf.io.files import assembling, write_whole
from kqf.io.replacing import replacing

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=["unnamed", "named"])
def kind(request, monkeypatch):
    """Run a test with temporary files of both kinds."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


@pytest.fixture(autouse=True)
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_at_no_time_can_others_read_what_replaces_a_private_file(tmp_path, kind, mode):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        assert all(mode_of(each) in (0o600, mode) for each in tmp_path.iterdir())
    assert mode_of(path) == mode
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("mode", "expected"), [(None, 0o644), (0o600, 0o600), (0o777, 0o755), (0o040, 0o640)]
)
def test_a_new_file_may_be_as_private_as_asked(tmp_path, kind, mode, expected):
    write_whole(tmp_path / "file", b"new", mode=mode)
    assert mode_of(tmp_path / "file") == expected


def test_a_file_is_replaced_only_where_that_is_allowed(tmp_path, kind):
    path = tmp_path / "file"
    write_whole(path, b"first", exclusive=True)
    with pytest.raises(FileExistsError):
        write_whole(path, b"second", exclusive=True)
    assert path.read_bytes() == b"first"


def test_a_file_that_appears_meanwhile_is_not_replaced_either(tmp_path, kind):
    path = tmp_path / "file"

    def write():
        with replacing(path, exclusive=True) as file:
            file.write(b"mine")
            path.write_bytes(b"another's")

    with pytest.raises(FileExistsError):
        write()
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"another's"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give")
def test_the_owner_is_kept(tmp_path, kind):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    path.chmod(0o640)
    write_whole(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (1234, 2345, 0o640)


def test_where_the_group_cannot_be_kept_it_gets_no_rights(tmp_path, kind, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o664)
    if os.geteuid() != 0:
        pytest.skip("only root may give a file to a group")
    os.chown(path, -1, 2345)

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    write_whole(path, b"new")
    assert mode_of(path) == 0o604


def test_urls_are_targets_as_paths_are(memory):
    write_whole("memory://deep/file", b"whole")
    with pytest.raises(FileExistsError):
        write_whole("memory://deep/file", b"other", exclusive=True)
    assert memory.cat("/deep/file") == b"whole"
    with assembling("memory://deep/file") as file:
        file.write(b"....two")
        file.seek(0)
        file.write(b"one ")
        assert memory.cat("/deep/file") == b"whole"
    assert memory.cat("/deep/file") == b"one two"
    with pytest.raises(KeyError), assembling("memory://deep/file") as file:
        raise KeyError
    assert memory.cat("/deep/file") == b"one two"


def test_an_empty_path_is_told():
    with pytest.raises(FileNotFoundError, match="the path is empty"):
        write_whole("", b"data")
