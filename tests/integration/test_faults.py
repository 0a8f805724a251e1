"""Disks, files, streams and processes that fail: what was wrong is named, no half file is left."""

import errno
import io
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from command import draw, few, many, names, run, run_process, start
from conftest import walk
from PIL import Image

import kqf
from kqf.convert import api as convert
from kqf.io import large_tiff as large_files
from kqf.io.files import folder_of, replacing

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's files")
dask_array = pytest.importorskip("dask.array")

PIXELS = walk(60, 80, 3)
DATA = kqf.encode(PIXELS, effort=1, tile=20)
SHOWN = kqf.decode(DATA)
IMAGE = kqf.read_indexed(DATA)
LABELS, CODEBOOK = IMAGE.labels, IMAGE.codebook


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- a disk that takes nothing more

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


WRITERS = {
    "write": lambda target: kqf.write(target, PIXELS, effort=1),
    "write_indexed": lambda target: kqf.write_indexed(target, LABELS, CODEBOOK, effort=1),
    "encode_dask": lambda target: kqf.encode_dask(
        dask_array.from_array(PIXELS), target, effort=1, tile=20
    ),
    "encode_indexed_dask": lambda target: kqf.encode_indexed_dask(
        dask_array.from_array(LABELS), CODEBOOK, target, effort=1
    ),
}
writers = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


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
    assert "kqf: 0 made, 0 done before, 0 kept as they are, 1 failed\n" in err
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


# --- what may not be written to

AS_NOBODY = """
import os, sys
import numpy as np
import kqf
os.chdir(sys.argv[1])
pixels = np.zeros((2, 3), np.uint8)
# Its modules may lie where nobody else may read.
kqf.encode(pixels, effort=1)
if not os.geteuid():
    os.seteuid(65534)
for name in sys.argv[2:]:
    try:
        kqf.write(name, pixels, effort=1)
        print("written")
    except OSError as error:
        print(type(error).__name__, os.path.basename(error.filename))
"""


@linux
def test_files_and_folders_without_permission_stay_as_they_are():
    with tempfile.TemporaryDirectory() as name:
        where = Path(name)
        (where / "closed").mkdir()
        (where / "file.kqf").write_bytes(b"old")
        (where / "file.kqf").chmod(0o444)
        (where / "closed").chmod(0o555)
        where.chmod(0o777)
        process = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, name, "file.kqf", "closed/new.kqf", "new.kqf"],
            env=os.environ | {"PYTHONPATH": str(Path(kqf.__file__).parents[1])},
            capture_output=True,
            text=True,
            timeout=60,
        )
        (where / "closed").chmod(0o755)
        assert process.stdout.splitlines() == [
            "PermissionError file.kqf",
            "PermissionError new.kqf",
            "written",
        ], process.stderr
        assert (where / "file.kqf").read_bytes() == b"old"
        assert names(where / "closed") == []


@writers
@pytest.mark.parametrize(
    ("target", "kind"), [(".", IsADirectoryError), ("none/a.kqf", FileNotFoundError)]
)
def test_targets_that_cannot_be_are_refused_before_the_work(write, target, kind, monkeypatch):
    monkeypatch.setattr("kqf.encoding.api.encode", lambda *_, **__: pytest.fail("worked in vain"))
    monkeypatch.setattr("kqf.encoding.api.encode_indexed", lambda *_, **__: pytest.fail("in vain"))
    monkeypatch.setattr("kqf.cluster.blockwise._Blocks", lambda *_, **__: pytest.fail("in vain"))
    with pytest.raises(kind):
        write(target)
    assert names() == []


# --- streams


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


def load(source):
    with Image.open(source) as image:
        image.load()
        return np.asarray(image.convert("RGB"))


def read_opened(source):
    with kqf.open(source) as file:
        return file.read()


READERS = {
    "read": kqf.read,
    "read_indexed": lambda source: kqf.read_indexed(source).pixels,
    "check": lambda source: kqf.check(source) or SHOWN,
    "open": read_opened,
    "Pillow": load,
    "salvage": lambda source: kqf.read(source, errors="salvage"),
}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)
on_pipes = pytest.mark.parametrize(
    "read", [READERS[name] for name in ("read", "read_indexed", "check")]
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


@linux
def test_named_pipes_are_no_files_to_read_regions_of():
    with pipe_of(DATA), pytest.raises(ValueError, match=r"can't seek: kqf\.read takes it"):
        kqf.open("pipe")


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
    match = "expected a path, bytes or a binary file, not "
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
        WRITERS["encode_dask"]("/dev/full")


# --- files that fail, go or shrink while they are read


class Failing(io.BytesIO):
    """Fails at a read, or at a write."""

    def __init__(self, data=b"", *, at):
        super().__init__(data)
        self.calls, self.at = 0, at

    def _count(self):
        if self.calls == self.at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.calls += 1

    def read(self, size=-1):
        self._count()
        return super().read(size)

    def write(self, data):
        self._count()
        return super().write(data)


@readers
def test_an_error_of_the_disk_at_any_read_reaches_the_caller(read):
    whole = Failing(DATA, at=-1)
    read(whole)
    assert whole.calls > 10
    for at in range(whole.calls):
        with pytest.raises(OSError, match="Input/output error") as caught:
            read(Failing(DATA, at=at))
        assert caught.value.errno == errno.EIO


@writers
def test_an_error_of_a_file_at_any_write_reaches_the_caller(write):
    whole = Failing(at=-1)
    write(whole)
    assert whole.calls
    for at in range(whole.calls):
        with pytest.raises(OSError, match="Input/output error"):
            write(Failing(at=at))


@linux
@pytest.mark.parametrize(
    "arguments", [["convert", "FILE", "-o", "a.kqf"], ["palette", "FILE", "-o", "a.gpl"]]
)
def test_an_error_of_the_disk_is_told_of_the_input(arguments):
    # What no process has at address 0 can't be read.
    arguments = ["/proc/self/mem" if each == "FILE" else each for each in arguments]
    assert run(*arguments, code=1).stderr == "kqf: /proc/self/mem: Input/output error\n"
    assert names() == []


def test_an_error_in_the_middle_of_an_array_leaves_the_old_file():
    def block(block_info=None):
        if block_info[None]["chunk-location"][0] == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return np.zeros((20, 80), np.uint8)

    array = dask_array.map_blocks(
        block, chunks=((20, 20, 20), (80,)), dtype=np.uint8, meta=np.empty((0, 0), np.uint8)
    )
    Path("old.kqf").write_bytes(b"old")
    with pytest.raises(OSError, match="Input/output error"):
        kqf.encode_indexed_dask(array, np.zeros((1, 3), np.uint8), "old.kqf", tile=20)
    assert names() == ["old.kqf"]
    assert Path("old.kqf").read_bytes() == b"old"


class Cut(io.FileIO):
    """A file that another process cuts while it is read."""

    # Within the second tile.
    at = DATA.index(b"LABL", DATA.index(b"LABL") + 1)

    def read(self, size=-1):
        data = super().read(size)
        if self.tell() > self.at:
            os.truncate(self.name, self.tell())
        return data


@readers
def test_a_file_that_shrinks_while_it_is_read_is_truncated(read):
    Path("a.kqf").write_bytes(DATA)
    kind, match = kqf.TruncatedError, r"LABL: .*: expected \d+ bytes, found \d"
    if read is load:
        kind = OSError
    elif read is READERS["salvage"]:
        kind, match = kqf.DamageWarning, "tiles are lost"
    with Cut("a.kqf") as file, pytest.raises(kind, match=match):
        read(file)
    assert Path("a.kqf").stat().st_size < len(DATA)


def test_a_truncated_error_says_what_there_was():
    Path("a.kqf").write_bytes(DATA)
    with kqf.open("a.kqf") as file:
        os.truncate("a.kqf", len(DATA) - 200)
        with pytest.raises(kqf.TruncatedError) as caught:
            file.read()
    assert caught.value.found < int(caught.value.expected.split()[0])


@linux
def test_a_file_that_vanishes_is_read_as_long_as_it_is_open():
    Path("a.kqf").write_bytes(DATA)
    with kqf.open("a.kqf") as file, Image.open("a.kqf") as image:
        Path("a.kqf").unlink()
        assert np.array_equal(file.read(), SHOWN)
        assert np.array_equal(np.asarray(image.convert("RGB")), SHOWN)
        with pytest.raises(FileNotFoundError):
            pickle.loads(pickle.dumps(file))


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib", "rowsperstrip": 16}, {"compression": "zlib", "tile": (64, 64)}],
    ids=["raw", "strips", "tiles"],
)
def test_a_large_tiff_that_shrinks_is_told_and_not_made_up(options, monkeypatch):
    tifffile = pytest.importorskip("tifffile", reason="TIFF files in blocks need tifffile")
    pytest.importorskip("zarr", reason="TIFF files in blocks need zarr")
    tifffile.imwrite("a.tif", np.tile(PIXELS, (20, 2, 1)), photometric="rgb", **options)
    opened = large_files.open_tiff

    def cut(name):
        found = opened(name)
        os.truncate(name, Path(name).stat().st_size // 2)
        return found

    monkeypatch.setattr(large_files, "_memory", lambda: 0)
    monkeypatch.setattr(convert, "open_tiff", cut)
    result = run("convert", "a.tif", "--effort", 1, code=1)
    assert result.stderr.startswith("kqf: a.tif: cannot be read: ")
    assert names() == ["a.tif"]


# --- processes that die


# Kills itself at a call of this name.
KILLED = """
import os, signal, sys
import numpy as np
import kqf
import kqf.cluster.blockwise, kqf.encoding.api

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
elif work == "encode_dask":
    import dask.array
    kqf.encode_dask(dask.array.from_array(pixels), target, effort=1)
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
        ("encode_dask", "kqf.cluster.blockwise._deflate_block"),
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
    environment = os.environ | {"PYTHONPATH": str(Path(kqf.__file__).parents[1])}
    command = [sys.executable, "-c", KILLED, work, at, target]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
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
    environment = os.environ | {"PYTHONPATH": str(Path(kqf.__file__).parents[1])}
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITING, "a.kqf", gray], env=environment)
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


# --- stdin and stdout


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
        env=os.environ | {"PYTHONPATH": str(Path(kqf.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert process.returncode == code
    assert names() == []
