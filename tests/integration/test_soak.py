"""Work done again and again in one process: a short run of tools/stress/soak.py."""

import gc
import itertools
import mmap
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import soak

import kqf

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc"),
]
TOOL = Path(__file__).parents[2] / "tools" / "stress" / "soak.py"


@pytest.fixture(autouse=True)
def _only_what_is_new_is_collected():
    """Spare each collection, of which there is one a piece of work, all that other tests left."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def table():
    process = subprocess.run(
        [sys.executable, TOOL, "--number", "200", "--encode", "8", "--warm", "200"],
        env=os.environ | {"PYTHONPATH": str(Path(kqf.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in process.stdout.splitlines()
        if not line.startswith("|---")
    ]
    heads, *rows = lines
    return [dict(zip(heads, row, strict=True)) for row in rows]


def test_reading_and_encoding_leave_nothing_open_nor_change():
    rows = table()
    assert [(row["work"], row["threads"], row["pieces"]) for row in rows] == [
        ("read", "1", "200"),
        ("read", "8", "200"),
        ("encode", "1", "8"),
        ("encode", "8", "8"),
    ]
    for row in rows:
        refused, pieces = (int(row[name].replace(",", "")) for name in ("refused", "pieces"))
        assert 0 < refused < pieces
        assert (row["warnings"], row["changed"]) == ("0", "0")
        for name in ("files open", "threads open"):
            before, after = row[name].split(" -> ")
            assert before == after


def run(work, watch=None):
    (row,) = soak.soak("made", [work], 40, [1], 10, watch or SimpleNamespace(texts=[]))
    return row


def test_work_that_leaves_nothing_is_flat():
    row = run(lambda: b"the same")
    assert row.is_flat(grow=1)
    assert (row.number, row.refused) == (40, 0)


def test_what_is_left_is_found():
    left = []
    row = run(lambda: left.append(os.open(os.devnull, os.O_RDONLY)))
    for number in left:
        os.close(number)
    assert row.files[1] == row.files[0] + 40
    assert not row.is_flat(grow=1)
    kept = []

    def keep():
        # Never what was freed before.
        kept.append(mmap.mmap(-1, 2**20))
        kept[-1].write(bytes(2**20))

    row = run(keep)
    for each in kept:
        each.close()
    assert row.mib_end - row.mib_first == pytest.approx(30, abs=5)
    assert row.is_flat(grow=40)
    assert not row.is_flat(grow=20)
    count = itertools.count()
    row = run(lambda: next(count))
    assert row.changed == 40
    assert not row.is_flat(grow=1)
    watch = SimpleNamespace(texts=[])
    row = run(lambda: watch.texts.append("unclosed file"), watch)
    assert row.warned == 40
    assert not row.is_flat(grow=1)
