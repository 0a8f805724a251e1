"""The threats of SECURITY.md: each has a test, and here are those that no other file holds."""

import io
import re
import struct
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from command import draw, few, many, names, run_batch
from conftest import head, put_together

import kqf

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "SECURITY.md").read_text()
ROWS = re.findall(r"^\| (?!Threat|-)(.*?) \| .* \| (.*) \|$", TEXT, re.MULTILINE)


def test_every_threat_names_tests_that_are_there():
    assert len(ROWS) == TEXT.count("\n| ") - 1
    for threat, tests in ROWS:
        found = re.findall(r"`([\w/]+\.py)::(\w+)`", tests)
        assert len(found) == tests.count("`") // 2 > 0, threat
        for file, name in found:
            assert re.search(rf"^ *def {name}\(", (TESTS / file).read_text(), re.MULTILINE), name


class Counted(io.BytesIO):
    """Bytes that count what is read of them."""

    bytes_read = reads = 0

    def read(self, *arguments):
        found = super().read(*arguments)
        self.bytes_read += len(found)
        self.reads += 1
        return found


def hostile_files(size):
    """Yield files of about so many bytes that have as many parts as that allows."""
    tiles = size // 25
    stream = zlib.compress(b"\0")
    before = [head(tiles, 1, tile=(1, 1)), (b"CODE", b"\7")]
    after = [(b"LABL", stream)] * tiles + [(b"DONE", b"")]
    index = b"tidx", struct.pack(">I", len(stream)) * tiles
    yield put_together([*before, *after])
    yield put_together([*before, index, *after])
    begun = put_together([head(8, 8), (b"CODE", b"\7")])
    for piece in (b"\0\1\0\0LABL", b"\0\0\0\0LABL", b"\0\0\0\1text", b"\0\0\0\0DONE"):
        yield begun + piece * (size // len(piece))
    # Each chunk says that it goes on to the end.
    yield begun + b"".join(struct.pack(">I", left) + b"LABL" for left in range(size, 0, -8))
    yield begun + b"".join(struct.pack(">I", left) + b"tidx" for left in range(size, 0, -8))


def salvage(source):
    return kqf.read(source, errors="salvage")


@pytest.mark.parametrize("way", [kqf.read, kqf.check, kqf.info, salvage])
def test_work_grows_with_the_file_and_no_faster(way):
    for data in hostile_files(200_000):
        source = Counted(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", kqf.DamageWarning)
            with suppress(kqf.KqfError):
                way(source)
        # A part has 8 bytes at least; salvage goes through the file more than once.
        assert source.reads < len(data)
        assert source.bytes_read < 32 * len(data)


def test_a_batch_enters_no_folder_by_a_link(folder):
    for name in ("in", "elsewhere"):
        Path(name).mkdir()
        draw(f"{name}/{name}.bmp", many())
    Path("in/link").symlink_to(folder / "elsewhere")
    Path("in/up").symlink_to(folder)
    run_batch("in", "-o", "out")
    assert names("out") == ["in.kqf"]


def test_a_batch_leaves_the_sources_of_links_alone(folder):
    Path("in").mkdir()
    draw("secret.bmp", many())
    before = Path("secret.bmp").read_bytes()
    Path("in/a.bmp").symlink_to(folder / "secret.bmp")
    run_batch("in", "-o", "out")
    assert names("out") == ["a.kqf"]
    assert not Path("out/a.kqf").is_symlink()
    assert names() == ["in", "out", "secret.bmp"]
    assert Path("secret.bmp").read_bytes() == before


def test_names_from_a_list_stay_in_the_output_folder(folder):
    Path("in/deep").mkdir(parents=True)
    draw("in/a.bmp", many())
    draw("b.bmp", many())
    draw("in/few.png", few())
    listed = f"in/deep/../a.bmp\n{folder}/b.bmp\n"
    run_batch("--list", "-o", "out/deep", stdin=listed)
    assert names("out/deep") == ["a.kqf", "b.kqf"]
    assert names("out") == ["deep"]
    assert names() == ["b.bmp", "in", "out"]
