"""Streams, named pipes, stdin and stdout: read and written, or refused with the reason."""

import io
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from command import names, run, start
from readers_and_writers import (
    DATA,
    ENVIRONMENT,
    READERS,
    SHOWN,
    WRITERS,
    linux,
    readers,
    writers,
)

import kqf
from kqf.io.files import folder_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("folder")]


class Short(io.BytesIO):
    """Gives fewer bytes than it is asked for, as unbuffered files may."""

    def read(self, size=-1):
        return super().read(size if size < 0 else min(size, 17))


class Forward(Short):
    """Cannot seek either."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation("seek")

    tell = seek


on_pipes = pytest.mark.parametrize(
    "read", [READERS[name] for name in ("read", "read_indexed", "check", "open")]
)


@readers
def test_streams_that_give_few_bytes_at_a_time_are_read_whole(read):
    assert np.array_equal(read(Short(DATA)), SHOWN)
    assert kqf.info(Short(DATA)) == kqf.info(DATA)


@readers
def test_unbuffered_files_are_read(read):
    Path("a.kqf").write_bytes(DATA)
    with Path("a.kqf").open("rb", buffering=0) as file:
        assert np.array_equal(read(file), SHOWN)


@on_pipes
def test_streams_that_cannot_seek_are_read(read):
    assert np.array_equal(read(Forward(DATA)), SHOWN)
    with pytest.raises(kqf.TruncatedError):
        read(Forward(DATA[:-20]))


@linux
@on_pipes
def test_named_pipes_are_read(read):
    with pipe_of(DATA):
        assert np.array_equal(read("pipe"), SHOWN)
    with pipe_of(DATA[:-20]), pytest.raises(kqf.TruncatedError):
        read("pipe")


@linux
@pytest.mark.parametrize("command", ["info", "check"])
def test_commands_read_named_pipes(command):
    with pipe_of(DATA):
        assert run(command, "pipe").stdout.startswith("pipe")


class pipe_of:  # noqa: N801 - used like a function
    """A named pipe ``pipe`` that data is written to, once."""

    def __init__(self, data):
        self.data = data

    def __enter__(self):
        os.mkfifo("pipe")
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self):
        # Who wanted to seek goes.
        with suppress(BrokenPipeError):
            Path("pipe").write_bytes(self.data)

    def __exit__(self, *_):
        self.thread.join(20)
        assert not self.thread.is_alive()
        Path("pipe").unlink()


@linux
@writers
def test_named_pipes_are_written(write):
    os.mkfifo("pipe")
    found = []
    thread = threading.Thread(target=lambda: found.append(Path("pipe").read_bytes()))
    thread.start()
    write("pipe")
    thread.join(20)
    kqf.check(found[0])
    assert names() == ["pipe"]


@linux
def test_a_pipe_that_has_no_data_yet_is_told():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with (
        os.fdopen(reading, "rb", buffering=0) as file,
        os.fdopen(writing, "wb"),
        pytest.raises(BlockingIOError, match="gives no data now"),
    ):
        kqf.read(file)


@pytest.mark.parametrize("read", [READERS[name] for name in READERS if name != "Pillow"])
def test_files_of_text_are_a_type_error(read):
    Path("a.kqf").write_bytes(DATA)
    match = "expected a path, a URL, bytes or a binary file, not "
    with pytest.raises(TypeError, match=match + "StringIO"):
        read(io.StringIO("text"))
    with Path("a.kqf").open() as file, pytest.raises(TypeError, match=match + "TextIOWrapper"):
        read(file)


@writers
def test_no_array_is_written_to_files_of_text(write):
    with pytest.raises(TypeError, match="expected a path or a binary file, not StringIO"):
        write(io.StringIO())


@linux
def test_what_is_written_to_devices_is_prepared_elsewhere():
    assert folder_of("/dev/full") is None
    assert folder_of("some/new.kqf") == Path("some")
    with pytest.raises(OSError, match="No space left"):
        WRITERS["write_dask"]("/dev/full")


@linux
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["convert", "--help"],
        ["info", "a.kqf"],
        ["convert", "a.kqf", "-o", "a.png"],
        ["convert", "a.kqf", "--json", "--jobs", 1, "-o", "out", "--format", "png"],
        ["palette", "--json", "a.kqf"],
    ],
)
def test_a_stdout_that_takes_nothing_is_told_and_no_file_blamed(arguments):
    Path("a.kqf").write_bytes(DATA)
    with Path("/dev/full").open("wb") as full:
        process = start(*arguments, stdout=full, stdin=subprocess.DEVNULL)
        _, err = process.communicate(timeout=60)
    source = b"" if arguments[-1].startswith("--") else b"stdout: "
    assert err == b"kqf: " + source + b"No space left on device\n"
    assert process.returncode == 1


@linux
def test_a_file_for_a_stdout_that_takes_nothing_is_told():
    Path("a.kqf").write_bytes(DATA)
    with Path("/dev/full").open("wb") as full:
        process = start("convert", "a.kqf", "-o", "-", stdout=full)
        _, err = process.communicate(timeout=60)
    assert err == b"kqf: a.kqf: cannot write -: No space left on device\n"
    assert process.returncode == 1


@linux
@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["convert", "-", "-o", "a.kqf"], "kqf: -: stdin is closed", 1),
        (["info", "-"], "kqf: -: stdin is closed", 1),
        (["convert", "--list", "-o", "out"], "stdin is closed", 2),
    ],
)
def test_a_stdin_that_is_closed_is_told(arguments, message, code):
    process = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "kqf", *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert process.returncode == code
    assert names() == []
