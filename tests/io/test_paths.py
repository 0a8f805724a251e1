"""Files by path and by URL alike."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kqf.io.paths import (
    absolute,
    exists,
    file_name,
    identity,
    is_folder,
    is_same,
    joined,
    localized,
    modified,
    read,
    remove,
    renamed,
    with_suffix,
    write,
)
from kqf.io.remote import listed


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def renaming(memory):
    """Give a file system that renames, and whose writing shows at once."""
    fsspec = pytest.importorskip("fsspec")

    class Renaming(type(memory)):
        protocol = "renaming"
        store = {}  # noqa: RUF012 - as the class above has it
        pseudo_dirs = [""]  # noqa: RUF012
        full = locked = False

        def pipe_file(self, path, value, **_):
            path = self._strip_protocol(path)
            if self._parent(path) not in ("/", *self.pseudo_dirs):
                raise RuntimeError("550 no such folder")
            super().pipe_file(path, value[:1])
            if self.full:
                raise RuntimeError("552 no space left")
            super().pipe_file(path, value)

        def mv(self, path1, path2, **_):
            path1, path2 = self._strip_protocol(path1), self._strip_protocol(path2)
            if path2 in self.store or (self.locked and self.store[path1].getvalue() == b"lost"):
                raise RuntimeError("553 name is taken")
            self.store[path2] = self.store.pop(path1)

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path.replace("renaming://", "memory://"))

    fsspec.register_implementation("renaming", Renaming, clobber=True)
    return fsspec.filesystem("renaming")


@pytest.mark.parametrize("name", ["file", "memory://file", "memory://deep/er/file"])
def test_what_is_written_is_read(memory, name):
    assert not exists(name)
    for data in (b"first", b"second"):
        write(name, data)
        assert read(name) == data
    assert exists(name)
    now = datetime.now(UTC).timestamp() * 10**9
    assert 0 <= now - modified(name) < 60 * 10**9
    remove(name)
    assert not exists(name)
    remove(name)
    for function in (read, modified):
        with pytest.raises(FileNotFoundError, match="No such file"):
            function(name)


def test_a_file_that_shows_while_it_is_written_gets_its_name_last(renaming):
    write("renaming://deep/file", b"before")
    write("renaming://deep/file", b"after")
    assert list(renaming.store) == ["/deep/file"]
    assert read("renaming://deep/file") == b"after"
    renaming.full = True
    with pytest.raises(OSError, match="552 no space left"):
        write("renaming://deep/file", b"lost")
    renaming.full = False
    renaming.locked = True
    with pytest.raises(OSError, match="553 name is taken"):
        write("renaming://deep/file", b"lost")
    assert list(renaming.store) == ["/deep/file"]
    assert read("renaming://deep/file") == b"after"


def test_folders_are_made_but_no_buckets(memory, monkeypatch):
    files = type(memory)
    mkdir = files.mkdir

    def needing_a_folder(method):
        def called(self, path, *rest, **_):
            if not self.isdir(path.rpartition("/")[0] or "/"):
                raise RuntimeError("550 no such folder")
            method(self, path, *rest)

        return called

    for name in ("pipe_file", "mkdir"):
        monkeypatch.setattr(files, name, needing_a_folder(getattr(files, name)))
    for name in ("memory://bucket/file", "memory://bucket/deep/er/file"):
        with pytest.raises(OSError, match="550 no such folder"):
            write(name, b"data")
    assert not memory.exists("/bucket")
    mkdir(memory, "/bucket")
    write("memory://bucket/deep/er/file", b"data")
    assert read("memory://bucket/deep/er/file") == b"data"


def test_errors_of_servers_are_os_errors(memory, monkeypatch):
    def fail(*_, **__):
        raise DeniedError("go away")

    class DeniedError(Exception):
        pass

    for name in ("cat_file", "modified", "isdir", "pipe_file", "find"):
        monkeypatch.setattr(type(memory), name, fail)
    for function in (
        read,
        modified,
        is_folder,
        lambda url: write(url, b""),
        lambda url: listed(url, ""),
    ):
        with pytest.raises(OSError, match="DeniedError: go away"):
            function("memory://file")


def test_unknown_protocols_are_told(memory):
    for function in (read, modified, exists):
        with pytest.raises(ValueError, match="nowhere"):
            function("nowhere://file")


def test_files_without_a_time_are_there(memory, monkeypatch):
    memory.pipe_file("/file", b"")
    monkeypatch.delattr(type(memory), "modified")
    assert modified("memory://file") is None
    with pytest.raises(FileNotFoundError):
        modified("memory://missing")


def test_the_files_of_folders_and_patterns(memory):
    for name in ("a.png", "deep/b.png", "deep/er/c.bmp", "[d].png"):
        memory.pipe_file("/in/" + name, b"")
    assert listed("memory://in", "") == ["[d].png", "a.png", "deep/b.png", "deep/er/c.bmp"]
    assert listed("memory://in/", "*.png") == ["[d].png", "a.png"]
    assert listed("memory://", "in/**/*.bmp") == ["in/deep/er/c.bmp"]
    assert listed("memory://", "") == listed("memory:///", "**")
    assert listed("memory://nowhere", "") == []
    assert is_folder("memory://in/deep")
    assert not is_folder("memory://in/a.png")


def test_one_file_has_one_identity(folder):
    Path("in").mkdir()
    Path("link").symlink_to("in")
    same = ["in/a", "./in/a", "link/a", "link/../in/a", str(folder / "in" / "a")]
    assert len(set(map(identity, same))) == 1
    assert identity("in/") == identity("link/") == identity(str(folder)) + "/in/"
    assert identity("/a") == "/a"
    assert identity("memory:///a") == identity("memory://a") != identity("memory://b")
    assert is_same("memory:///a", "memory://a")
    Path("in/a").touch()
    assert is_same("in/a", "link/a")
    assert not is_same("in/a", "memory://in/a")


def test_names_are_taken_apart_and_joined():
    assert renamed("in/a.png", "b") == "in/b"
    assert renamed("s3://in/a.png", "b") == "s3://in/b"
    assert joined("memory://", "a") == "memory://a"
    assert (
        joined("s3://out/", str(Path("deep/a")))
        == joined("s3://out", "deep/a")
        == "s3://out/deep/a"
    )
    assert joined(".", "a") == "a"
    assert with_suffix("s3://in.1/a.png", ".kqf") == "s3://in.1/a.kqf"
    assert with_suffix("in.1/a", ".kqf") == "in.1/a.kqf"
    for name in ("https://host/", "/", "."):
        with pytest.raises(ValueError, match="names no file"):
            file_name(name)


def test_names_of_this_machine(folder):
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    assert localized("file:///out/") == localized("local:///out/") == "/out/"
    assert localized("file:///out") == "/out"
    assert localized("s3://out") == "s3://out"
    assert absolute("out") == str(folder / "out")
    assert absolute("s3://out") == "s3://out"
    assert absolute("") == ""
    assert os.fsencode(absolute("\udcff")).endswith(b"/\xff")
