import errno
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kqf.io.files import open_source, write_whole
from kqf.io.replacing import replacing

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's files")


def ascii_of(name):
    return f"{len(name)}x{ord(name[0]):x}"


class Pipe(io.RawIOBase):
    """A stream that only goes forwards, and gives or takes a few bytes at a time."""

    def __init__(self, data=b""):
        self.data, self.written = io.BytesIO(data), b""

    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, buffer):
        return self.data.readinto(memoryview(buffer)[:5])

    def write(self, data):
        part = bytes(data)[:5]
        self.written += part
        return len(part)


# --- reading


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_a_stream_of_their_own(kind):
    with open_source(kind(b"abcdef")) as (stream, size):
        assert (stream.read(), size) == (b"abcdef", 6)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_opened_and_closed(tmp_path, kind):
    (tmp_path / "file").write_bytes(b"abcdef")
    with open_source(kind(tmp_path / "file")) as (stream, size):
        assert (stream.read(), size) == (b"abcdef", 6)
    assert stream.closed


def test_a_path_is_closed_after_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"abcdef")
    with pytest.raises(KeyError), open_source(tmp_path / "file") as (stream, _):
        raise KeyError
    assert stream.closed


def test_an_open_file_is_read_from_where_it_stands_and_left_open():
    file = io.BytesIO(b"before" + b"abcdef")
    file.seek(6)
    with open_source(file) as (stream, size):
        assert (stream.read(), size) == (b"abcdef", 6)
    assert not file.closed


def test_a_stream_that_cannot_seek_is_read_to_its_end():
    with open_source(Pipe(b"abcdefghijkl")) as (stream, size):
        assert (stream.read(), size) == (b"abcdefghijkl", 12)
        assert stream.seek(2) == 2


def test_an_object_that_can_only_read_is_a_source():
    class Only:
        def read(self):
            return b"abcdef"

    with open_source(Only()) as (stream, size):
        assert (stream.read(), size) == (b"abcdef", 6)


@pytest.mark.parametrize("source", [None, 3, ["path"]])
def test_another_source_is_a_type_error(source):
    with (
        pytest.raises(TypeError, match=f"a binary file, not {type(source).__name__}"),
        open_source(source),
    ):
        pass


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError), open_source(tmp_path / "none"):
        pass


# --- writing


@pytest.mark.parametrize("kind", [str, Path])
def test_a_new_file_holds_the_data_and_nothing_else_is_left(tmp_path, kind):
    write_whole(kind(tmp_path / "file.kqf"), b"abc")
    assert [path.name for path in tmp_path.iterdir()] == ["file.kqf"]
    assert (tmp_path / "file.kqf").read_bytes() == b"abc"


def test_a_longer_file_is_replaced_whole(tmp_path):
    (tmp_path / "file").write_bytes(b"much longer than before")
    write_whole(tmp_path / "file", b"abc")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_a_relative_path_is_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_whole("file", b"abc")
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_an_open_file_is_written_where_it_stands_and_left_open():
    file = io.BytesIO(b"before......after")
    file.seek(6)
    write_whole(file, b"abcdef")
    assert file.getvalue() == b"beforeabcdefafter"
    assert not file.closed


def test_an_unbuffered_stream_gets_all_of_the_data():
    pipe = Pipe()
    write_whole(pipe, b"abcdefghijkl")
    assert pipe.written == b"abcdefghijkl"


@pytest.mark.parametrize("target", [None, 3, b"path", ["path"]])
def test_another_target_is_a_type_error(target):
    with pytest.raises(TypeError):
        write_whole(target, b"abc")


@pytest.mark.parametrize("step", ["replace", "chmod"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    (tmp_path / "file").write_bytes(b"old")

    def fail(self, *args, **kwargs):
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(Path, step, fail)
    with pytest.raises(OSError, match="the disk is gone"):
        write_whole(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    (tmp_path / "file").write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_whole(tmp_path / "file", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_an_interrupted_write_leaves_no_temporary(tmp_path, monkeypatch):
    def interrupt(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


@linux
def test_a_process_that_is_killed_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from kqf.io.replacing import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'after')\n"
        "    file.flush()\n"
        "    print('written', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "file"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline().strip() == b"written"
        process.kill()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


def test_where_files_need_names_it_is_the_same(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    (tmp_path / "file").write_bytes(b"before")
    write_whole(tmp_path / "file", b"after")
    with pytest.raises(TypeError), replacing(tmp_path / "file") as file:
        file.write(None)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"after"


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "file", b"abc")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", b"abc")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert (tmp_path / "folder").is_dir()


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(Path("folder") / "file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (folder / "file").read_bytes() == b"new"
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link"]


def test_a_symbolic_link_to_no_file_makes_the_file(tmp_path):
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


@linux
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_permissions_of_a_replaced_file_are_kept(tmp_path, mode):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(mode)
    write_whole(tmp_path / "file", b"new")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@linux
def test_permissions_of_a_new_file_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@linux
@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "漢" * 85, "😀" * 63], ids=ascii_of)
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, name):
    write_whole(tmp_path / name, b"abc")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: b"abc"}


@linux
def test_a_device_is_written_to_and_not_replaced():
    write_whole(os.devnull, b"abc")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)  # noqa: PTH116
    with pytest.raises(OSError, match="No space left"):
        write_whole("/dev/full", b"abc")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)  # noqa: PTH116


@linux
def test_a_named_pipe_is_written_to_and_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(tmp_path / "pipe", b"abc")
        assert os.read(reader, 10) == b"abc"
    finally:
        os.close(reader)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_file_whose_write_says_nothing_is_taken_to_have_written_all():
    class Silent:
        data = b""

        def write(self, data):
            self.data += data

    silent = Silent()
    write_whole(silent, b"abc")
    assert silent.data == b"abc"


def test_a_raw_file_that_takes_nothing_now_is_an_error():
    class Busy(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            return None

    with pytest.raises(BlockingIOError):
        write_whole(Busy(), b"abc")
