"""Reading and writing again and again: what it leaves behind, and whether results stay the same.

    pip install .
    python tools/stress/soak.py [--number N] [--threads N] [--warm N] [--grow MIB]

It goes through the vectors of the specification, valid and invalid, and some made images, each
opened and loaded in eight ways; then through arrays of every kind, encoded with every option; first
one after another, then by so many threads at once. It prints, for each, the memory that the process
held after the first pieces of work and at the end, files and threads open before and after,
warnings, and how often a piece of work gave something else than at first. It ends with 1 if
anything grew (memory: by more than ``--grow``) or changed. For Linux alone; glibc gets but one
arena, unless MALLOC_ARENA_MAX says otherwise.
"""

import argparse
import gc
import hashlib
import io
import itertools
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import kqf

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"
# Pieces of work sent out at once.
WAITING = 10
PAGE = os.sysconf("SC_PAGE_SIZE")

Work = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """What a number of pieces of work left behind. MiB: of the whole process."""

    name: str
    threads: int
    number: int
    refused: int
    seconds: float
    mib_first: float
    mib_end: float
    files: tuple[int, int]
    threads_open: tuple[int, int]
    warned: int
    changed: int

    def is_flat(self, grow: float) -> bool:
        return (
            self.mib_end - self.mib_first <= grow
            and self.files[0] == self.files[1]
            and self.threads_open[0] == self.threads_open[1]
            and self.warned == self.changed == 0
        )

    def __str__(self) -> str:
        files, threads = (f"{a} -> {b}" for a, b in (self.files, self.threads_open))
        return (
            f"| {self.name} | {self.threads} | {self.number:,} | {self.refused:,} "
            f"| {self.seconds:.0f} | {self.mib_first:.1f} -> {self.mib_end:.1f} "
            f"| {files} | {threads} | {self.warned} | {self.changed} |"
        )


def resident() -> float:
    """Return the MiB that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def as_text(result: Any) -> str:
    """Return what a result is, in few bytes."""
    if isinstance(result, np.ndarray):
        return f"{result.shape} {hashlib.sha256(np.ascontiguousarray(result)).hexdigest()}"
    if isinstance(result, bytes):
        return hashlib.sha256(result).hexdigest()
    if isinstance(result, kqf.IndexedImage):
        return f"{as_text(result.labels)} {as_text(result.codebook)} {result.metadata}"
    return repr(result)


def load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        image.load()
        return np.asarray(image)


def load_unclosed(path: Path) -> Image.Image:
    # As most people do: the file is closed when its pixels are there.
    image = Image.open(path)
    image.load()
    if image.is_animated:
        # Its file stays open for the other frames, as with Pillow's own formats.
        image.close()
    return np.asarray(image)


def salvage(path: Path) -> np.ndarray:
    return kqf.read(path, errors="salvage")


def read_corner(path: Path) -> np.ndarray:
    with kqf.open(path) as file:
        return file.read((0, 0, 1, 1))


def reads(folder: Path) -> Iterator[Work]:
    """Yield ways to read the vectors and some larger files, which are written to the folder."""
    random = np.random.default_rng(0)
    wide = random.integers(0, 256, (60, 80, 4), dtype=np.uint8)
    large = np.repeat(random.integers(0, 8, (1100, 70, 3), dtype=np.uint8), 18, axis=1)
    metadata = {"icc_profile": bytes(5000), "comment": "here", "dpi": (72, 72)}
    kqf.write(folder / "wide.kqf", wide, tile=20, effort=1, metadata=metadata)
    kqf.write(folder / "large.kqf", large, tile=256, effort=1)
    whole = (folder / "wide.kqf").read_bytes()
    (folder / "short.kqf").write_bytes(whole[: len(whole) // 2])
    paths = [*sorted(VECTORS.glob("*/*.kqf")), *sorted(folder.glob("*.kqf"))]
    for path in paths:
        data = path.read_bytes()
        yield lambda data=data: kqf.decode(data)
        for way in (kqf.read_indexed, kqf.info, kqf.check, load, read_corner, salvage):
            yield lambda way=way, path=path: way(path)
        if path.parent.name != "invalid":
            # What can't be loaded stays open with the image, in all of Pillow's formats.
            yield lambda path=path: load_unclosed(path)


def arrays() -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    for shape in (
        (24, 40),
        (24, 40, 2),
        (24, 40, 3),
        (24, 40, 4),
        (1, 1, 3),
        (300, 3),
        (3, 200, 4),
    ):
        yield random.integers(0, 256, shape, dtype=np.uint8)
        yield random.integers(0, 5, shape, dtype=np.uint8)
    yield random.integers(0, 2, (30, 30)).astype(bool)
    yield random.integers(0, 256, (64, 96, 3), dtype=np.uint8)[::-1, ::2]


OPTIONS: list[dict[str, Any]] = [
    {},
    {"effort": 1},
    {"effort": 9, "colors": 30},
    {"colors": 16, "metric": "perceptual", "quality": 40},
    {"colors": 20, "predictor": "none", "tile": 16},
    {"colors": 20, "predictor": "copy", "tile": 16},
    {"colors": 5, "predictor": "packed"},
    {"colors": 20, "predictor": "left", "tile": (10, 7), "threads": 2},
    {"colors": 2, "predictor": "up", "metadata": {"comment": "here", "exif": b"Exif"}},
    {"colors": 32, "dither": "ordered"},
    {"colors": 32, "dither": "floyd-steinberg"},
    {"colors": 24, "target_psnr": 20.0, "effort": 1},
    {"colors": 24, "max_bytes": 900, "effort": 1},
    {"palette": np.eye(3, dtype=np.uint8) * 255, "effort": 1},
    {"colors": 20, "keep": [(1, 2, 3)], "effort": 1},
    *(
        {"colors": 12, "method": name, "effort": 1}
        for name in ("minibatch", "agglomerative", "median-cut", "octree", "random", "sample:99")
    ),
]


def saved(array: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "KQF", **options)
    return buffer.getvalue()


def stored(array: np.ndarray) -> bytes:
    """Encode labels as they are, one of which may have no entry."""
    labels = array if array.ndim == 2 else np.ascontiguousarray(array[..., 0])
    return kqf.encode_indexed(labels, np.arange(250, dtype=np.uint8)[:, None], effort=1)


def written(path: Path, array: np.ndarray) -> bytes:
    # Its name is of this thread alone.
    path = path / f"{threading.get_ident()}.kqf"
    kqf.write(path, array, effort=1)
    return path.read_bytes()


def encodings(folder: Path) -> Iterator[Work]:
    """Yield ways to encode arrays; of some, the options are not for them."""
    for array in arrays():
        for options in OPTIONS:
            yield lambda array=array, options=options: kqf.encode(array, **options)
        yield lambda array=array: kqf.quantize(array, colors=9, effort=1)
        yield lambda array=array: saved(array, colors=9, effort=1)
        yield lambda array=array: saved(array, colors=0)
        yield lambda array=array: stored(array)
        yield lambda array=array: written(folder, array)


class Watch:
    """Counts warnings, also those that no caller can catch."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        sys.unraisablehook = lambda found: self.texts.append(repr(found.exc_value))
        warnings.simplefilter("error")
        # Some vectors are of as many pixels; what is damaged is told besides the pixels.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", kqf.DamageWarning)


def attempt(work: Work) -> tuple[bool, str]:
    """Return whether work was refused, and what came of it."""
    try:
        return False, as_text(work())
    except Warning:
        raise
    except (OSError, TypeError, ValueError, Image.DecompressionBombError) as error:
        return True, f"{type(error).__name__}: {error}"


def soak(
    name: str, work: Iterable[Work], number: int, counts: Iterable[int], warm: int, watch: Watch
) -> Iterator[Row]:
    """Do so many pieces of work with each count of threads, and see what is left of them.

    After the last piece it begins again.
    """
    pieces = list(work)
    order = np.random.default_rng(0).permutation(len(pieces)).tolist()
    places = list(itertools.islice(itertools.cycle(order), number))
    expected = {place: attempt(pieces[place]) for place in dict.fromkeys(places)}
    watch.texts.clear()
    # What waits takes memory as well.
    parts = [places[at : at + WAITING] for at in range(0, number, WAITING)]

    def repeat(place: int) -> tuple[bool, bool]:
        found = attempt(pieces[place])
        return found[0], found != expected[place]

    for threads in counts:
        files, threads_open = open_files(), threading.active_count()
        warned = len(watch.texts)
        refused = changed = 0
        first = 0.0
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
            do = pool.map if pool else map
            for done, part in enumerate(parts, 1):
                for was_refused, is_other in do(repeat, part):
                    refused += was_refused
                    changed += is_other
                if not first and done * WAITING >= warm:
                    first = resident()
            end = resident()
        yield Row(
            name,
            threads,
            number,
            refused,
            time.perf_counter() - start,
            first,
            end,
            (files, open_files()),
            (threads_open, threading.active_count()),
            len(watch.texts) - warned,
            changed,
        )


def soak_all(
    folder: Path, number: int, encoded: int, threads: int, warm: int, watch: Watch
) -> Iterator[Row]:
    for name, work, times in (("read", reads, number), ("encode", encodings, encoded)):
        yield from soak(name, work(folder), times, (1, threads), min(warm, times // 2), watch)


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=20_000, help="pieces of reading")
    parser.add_argument("--encode", type=int, default=5000, help="pieces of encoding")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--warm", type=int, default=1000, help="the first pieces")
    parser.add_argument("--grow", type=float, default=16, help="MiB")
    asked = parser.parse_args()
    if "MALLOC_ARENA_MAX" not in os.environ:
        # Each thread's own arena keeps what was freed, which looks like a leak and is none.
        os.execve(
            sys.executable, [sys.executable, *sys.argv], os.environ | {"MALLOC_ARENA_MAX": "1"}
        )
    watch = Watch()
    print(
        "| work | threads | pieces | refused | seconds | MiB, first -> end | files open "
        "| threads open | warnings | changed |"
    )
    print("|" + "---|" * 10)
    flat = True
    with tempfile.TemporaryDirectory() as name:
        for row in soak_all(
            Path(name), asked.number, asked.encode, asked.threads, asked.warm, watch
        ):
            print(row, flush=True)
            flat = flat and row.is_flat(asked.grow)
    for text in sorted(set(watch.texts)):
        print(text)
    sys.exit(not flat)


if __name__ == "__main__":
    main()
