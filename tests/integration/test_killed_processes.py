"""Processes that are killed, or write the same file: each file is whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import draw, few, many, names, start
from readers_and_writers import ENVIRONMENT, linux

import kqf
from kqf.io.replacing import replacing

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("folder")]


# Kills itself at a call of this name.
KILLED = """
import os, signal, sys
import numpy as np
import kqf
import kqf.cluster.api, kqf.encoding.api

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

work, at, target = sys.argv[1:]
if at == "named":
    del os.O_TMPFILE
    at = "os.replace"
place, name = at.rsplit(".", 1)
setattr(sys.modules[place], name, die)
pixels = np.zeros((60, 80, 3), np.uint8)
if work == "write":
    kqf.write(target, pixels, effort=1)
elif work == "write_dask":
    import dask.array
    kqf.write_dask(target, dask.array.from_array(pixels), effort=1)
else:
    from kqf.cli.app import main
    sys.argv = ["kqf", *work.split(), target]
    main()
"""


@linux
@pytest.mark.parametrize("old", [b"old", b""], ids=["replaced", "new"])
@pytest.mark.parametrize(
    ("work", "at"),
    [
        ("write", "os.fsync"),
        ("write", "os.link"),
        ("write", "os.replace"),
        ("write", "named"),
        ("write_dask", "kqf.cluster.assembly.deflate_block"),
        ("convert a.png --effort 1 -o", "os.link"),
        ("palette a.png --colors 2 -o", "os.link"),
    ],
)
def test_a_process_that_is_killed_leaves_no_half_file(work, at, old):
    if at != "named" and not hasattr(os, "O_TMPFILE"):
        pytest.skip("files need names on this system")
    draw("a.png", few())
    target = Path("a.gpl" if "palette" in work else "a.kqf")
    if old:
        target.write_bytes(old)
    before = names()
    command = [sys.executable, "-c", KILLED, work, at, target]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    if at == "os.replace" and not old:
        # A new file gets its name at once.
        assert done.returncode == 0, done.stderr
        kqf.check(target)
        return
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not old or target.read_bytes() == old
    left = set(names()) - set(before)
    # A file of its own name, and whole, between two calls that make it the old one's successor.
    assert len(left) == (at in ("os.replace", "named"))
    for name in left:
        assert name.endswith(".tmp")
        kqf.check(name)


FILLING = """
import os, signal
from pathlib import Path
from kqf.io.replacing_folders import replacing_folder

with replacing_folder(Path("a.zarr")) as folder:
    (folder / "new").write_text("new")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@linux
def test_a_process_that_is_killed_leaves_no_half_folder():
    Path("a.zarr").mkdir()
    Path("a.zarr/old").write_text("old")
    done = subprocess.run([sys.executable, "-c", FILLING], env=ENVIRONMENT, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert names("a.zarr") == ["old"]
    hidden, name = names()
    assert name == "a.zarr"
    assert hidden.startswith(".kqf-")
    assert hidden.endswith(".tmp")


WRITING = """
import sys
import numpy as np
import kqf
target, gray = sys.argv[1], int(sys.argv[2])
pixels = np.full((40, 1000 * gray), gray, np.uint8)
for _ in range(60):
    kqf.write(target, pixels, effort=1)
"""


@linux
def test_of_two_processes_that_write_one_file_one_wins():
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITING, "a.kqf", gray], env=ENVIRONMENT)
        for gray in ("1", "2")
    ]
    seen = set()
    while any(process.poll() is None for process in processes):
        try:
            pixels = kqf.read("a.kqf")
            # That the other one finds none there comes up as well.
            if len(seen) % 3 == 0:
                Path("a.kqf").unlink()
        except FileNotFoundError:
            continue
        gray = int(pixels[0, 0])
        assert pixels.shape == (40, 1000 * gray)
        assert (pixels == gray).all()
        seen.add(gray)
    assert [process.returncode for process in processes] == [0, 0]
    assert seen == {1, 2}
    assert names() == ["a.kqf"]


def test_a_file_that_comes_up_meanwhile_is_replaced():
    with replacing(Path("a")) as file:
        file.write(b"mine")
        Path("a").write_bytes(b"another's")
    assert names() == ["a"]
    assert Path("a").read_bytes() == b"mine"


def test_two_batches_of_the_same_folder_make_whole_files():
    Path("in").mkdir()
    for number in range(3):
        draw(f"in/{number}.bmp", many(seed=number))
    arguments = "convert", "in", "-o", "out", "--jobs", 1, "--effort", 1, "--force"
    processes = [start(*arguments) for _ in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert names("out") == [f"{number}.kqf" for number in range(3)]
    for number in range(3):
        made = kqf.decode(kqf.encode(many(seed=number), effort=1))
        assert np.array_equal(kqf.read(f"out/{number}.kqf"), made)
