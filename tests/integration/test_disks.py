"""Disks that are full, read-only or fail: the error names the cause, no half file is left."""

import errno
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from command import draw, names, run, run_process
from PIL import Image
from readers_and_writers import (
    PIXELS,
    writers,
)

import kqf

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("folder")]


LEAST = 16  # bytes
DISKS = {
    "full": (errno.ENOSPC, "No space left on device"),
    "read-only": (errno.EROFS, "Read-only file system"),
    "limited": (errno.EFBIG, "File too large"),
}


def mounted(*options):
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", "disk"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError as error:
        pytest.skip(f"mount cannot be run: {error}")
    if done.returncode:
        pytest.skip(f"no file system may be mounted: {done.stderr.strip()}")


@pytest.fixture(params=DISKS)
def disk(request):
    """Give (folder with old.kqf and a picture in it, errno and text of what is wrong with it)."""
    Path("disk").mkdir()
    if request.param == "limited":
        resource = pytest.importorskip("resource")
        fill()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        # Python leaves the signal to be ignored.
        resource.setrlimit(resource.RLIMIT_FSIZE, (LEAST, hard))
        try:
            yield (Path("disk"), *DISKS[request.param])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return
    mounted("size=128k")
    try:
        fill()
        if request.param == "full":
            with Path("disk/rest").open("wb", buffering=0) as rest, suppress(OSError):
                while True:
                    rest.write(bytes(4096))
        else:
            mounted("remount", "ro")
        yield (Path("disk"), *DISKS[request.param])
    finally:
        subprocess.run(["umount", "--lazy", "disk"], check=True, timeout=20)


def fill():
    Path("disk/old.kqf").write_bytes(b"old")
    draw("disk/picture.bmp", PIXELS)


@writers
@pytest.mark.parametrize("name", ["old.kqf", "new.kqf"])
def test_an_array_that_finds_no_room_leaves_all_as_it_was(disk, write, name):
    where, number, _ = disk
    before = names(where)
    with pytest.raises(OSError) as caught:  # noqa: PT011
        write(where / name)
    assert caught.value.errno == number
    assert ".tmp" not in str(caught.value)
    assert names(where) == before
    assert (where / "old.kqf").read_bytes() == b"old"


@pytest.mark.parametrize("height", [2, 600])
def test_pillow_tells_that_there_is_no_room_and_leaves_nothing_half(disk, height):
    where, number, _ = disk
    before = names(where)
    image = Image.fromarray(np.resize(PIXELS, (height, 80, 3)))
    with pytest.raises(OSError) as caught:  # noqa: PT011
        image.save(where / "new.kqf", effort=1)
    assert caught.value.errno == number
    # What fits in its buffer fails when it closes the file, too late for it to take that away.
    if (where / "new.kqf").exists():
        assert (where / "new.kqf").stat().st_size <= LEAST
    else:
        assert names(where) == before


def test_an_unbuffered_file_is_not_cut_short_without_a_word(disk):
    where, number, _ = disk
    if number == errno.EROFS:
        pytest.skip("no file can be opened for writing there")
    with (where / "old.kqf").open("r+b", buffering=0) as file:
        with pytest.raises(OSError) as caught:  # noqa: PT011
            Image.fromarray(PIXELS).save(file, "KQF", effort=1)
        assert caught.value.errno == number


@pytest.mark.parametrize("name", ["old.kqf", "new.kqf"])
def test_convert_that_finds_no_room_leaves_all_as_it_was(disk, name):
    where, _, text = disk
    before = names(where)
    source = where / "picture.bmp"
    result = run("convert", source, "--effort", 1, "-o", where / name, code=1)
    assert result.stderr == f"kqf: {source}: cannot write {where / name}: {text}\n"
    assert names(where) == before
    assert (where / "old.kqf").read_bytes() == b"old"


@pytest.mark.parametrize(
    "arguments",
    [
        ["palette", "disk/picture.bmp", "--colors", 4, "-o", "disk/new.json"],
        ["report", "disk/picture.bmp", "--colors", 4, "-o", "disk/new.csv"],
        ["compare", "disk/picture.bmp", "--colors", 4, "-o", "disk/new.png"],
    ],
)
def test_commands_that_find_no_room_say_so(disk, arguments):
    where, _, text = disk
    before = names(where)
    result = run(*arguments, code=1)
    assert result.stderr == f"kqf: {arguments[-1]}: cannot be written: {text}\n"
    assert names(where) == before


@pytest.mark.parametrize("output", [(), ("-o", "disk/out")], ids=["in place", "elsewhere"])
def test_a_batch_that_finds_no_room_tells_it_of_each_file(disk, output):
    where, number, text = disk
    if number == errno.EFBIG:
        pytest.skip("no processes can be started there")
    before = names(where)
    _, err = run_process("convert", "disk", "--jobs", 1, "--effort", 1, *output, code=1)
    assert "kqf: disk/picture.bmp: " in err
    assert text in err
    assert "kqf: 0 made, 0 done before, 0 kept as they are, 1 failed; " in err
    assert not list(where.rglob("*.tmp"))
    assert set(names(where)) - {"out"} == set(before)
    assert (where / "picture.bmp").stat().st_size > PIXELS.size


def test_what_the_disk_reports_late_is_told_before_the_old_file_goes(monkeypatch):
    # As quotas and network file systems do.
    def fail(number):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    Path("old.kqf").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="quota"):
        kqf.write("old.kqf", PIXELS, effort=1)
    assert names() == ["old.kqf"]
    assert Path("old.kqf").read_bytes() == b"old"
