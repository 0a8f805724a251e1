"""An image larger than memory: made block by block, encoded, and read in regions.

    pip install '.[large]'
    python tools/benchmark.py large [--kinds KIND ...] [--sides N ...] [--effort N] [--quality N]
                                    [--regions N] [--folder DIR] [--whole] [--bits N]
                                    [--target_psnr N] [--target_ssim N] [--target_ssimulacra2 N]
                                    [--convert] [--markdown FILE]

For each kind and side it makes an image of side x side pixels, encodes it by ``kqf.write_dask`` and
reads regions of 1024 x 1024 by ``kqf.open``, each in a process of its own. Kinds: ``photographs``
are enlarged crops of scikit-learn's two sample photographs, no two blocks alike; ``noise`` has as
many colours as there can be, and ``noise+alpha`` has four channels. It prints seconds; seconds of
processor time for each megapixel, without those that making the image takes; the peak of memory
above what the process took before; bytes; of overviews their share of the other bytes, and of the
first picture, the smallest overview, the share of the bytes that were fetched and the seconds; and
of the regions the same, the most of each. Progress goes to stderr.

``--whole`` gives the image to ``kqf.encode`` as one array, whose memory does not count, and with it
one of its targets if one is given: ``--bits`` is ``max_bytes`` as bits a pixel.
``--convert`` also makes BigTIFF, an array of zarr and a picture of 1000 pixels of each file, as
``kqf convert`` does, and prints seconds and peaks.
"""

import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
from PIL import Image

import kqf
from kqf.cluster.progress import reporting
from kqf.convert.api import convert_file
from kqf.convert.options import ConversionOptions, Size
from kqf.convert.targets import Job

from .images import samples
from .output import parser_for

TARGETS = ("target_psnr", "target_ssim", "target_ssimulacra2")
BLOCK = 1024
REGION = 1024
# Crops of this side become blocks: photographs hold more detail than two samples tiled would.
CROP = 256
# How often the encoder goes through all blocks.
PASSES = 3
# Of the work, between two lines of progress.
STEP = 0.05


def image(side: int, kind: str = "photographs") -> dask.array.Array:
    """Return an array (side, side, C) uint8 of one of ``KINDS``."""
    make, channels = KINDS[kind]
    chunks = tuple(min(BLOCK, side - at) for at in range(0, side, BLOCK))
    return dask.array.map_blocks(
        partial(block, make),
        chunks=(chunks, chunks, (channels,)),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0), np.uint8),
    )


def block(make: Callable[..., np.ndarray], block_info: dict | None = None) -> np.ndarray:
    """Return one block, which depends on its place alone."""
    assert block_info is not None
    (upper, lower), (left, right), (_, channels) = block_info[None]["array-location"]
    random = np.random.default_rng((upper, left))
    return make(random, (lower - upper, right - left, channels))


def photograph(random: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a crop, enlarged, with light and noise of its own."""
    photographs = list(_samples().values())
    photograph = photographs[random.integers(len(photographs))]
    y, x = (random.integers(0, length - CROP) for length in photograph.shape[:2])
    crop = Image.fromarray(photograph[y : y + CROP, x : x + CROP])
    pixels = np.asarray(crop.resize((BLOCK, BLOCK), Image.Resampling.BICUBIC), np.float32)
    pixels = pixels[: shape[0], : shape[1]] * random.uniform(0.8, 1.1)
    pixels += random.standard_normal(pixels.shape, np.float32) * 2
    return np.rint(pixels.clip(0, 255)).astype(np.uint8)


def noise(random: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Return pixels of any colour, with an alpha channel of any translucency."""
    return random.integers(0, 256, shape, np.uint8)


_samples = cache(samples)
KINDS = {"photographs": (photograph, 3), "noise": (noise, 3), "noise+alpha": (noise, 4)}


class Counting(io.FileIO):
    """A file that counts the bytes read from it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def peak() -> float:
    """Return the most memory this process held so far, MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def progress() -> Callable[[float], None]:
    """Return what prints on stderr how far the work is, and about the time left."""
    start, shown = time.perf_counter(), 0.0

    def report(done: float) -> None:
        nonlocal shown
        if done - shown >= STEP:
            shown = done
            left = (time.perf_counter() - start) * (1 - done) / done
            print(f"{done:.0%}, {left:.0f} s left", file=sys.stderr, flush=True)

    return report


def encode(
    path: str, side: int, kind: str, options: dict[str, Any], is_whole: bool
) -> dict[str, float]:
    array = image(side, kind)
    # What it takes to begin with, threads and libraries included.
    by_block = {name: options[name] for name in ("effort", "quality")}
    kqf.write_dask(io.BytesIO(), array[:64, :64], **by_block)
    if is_whole:
        pixels, making = np.empty(array.shape, np.uint8), 0.0
        # One block after another, which takes next to nothing besides: what is freed before the
        # image is encoded would hide what that takes.
        array.store(pixels, lock=False, scheduler="synchronous")
    else:
        made, began = array[:BLOCK], time.process_time()
        made.compute()
        making = (time.process_time() - began) / made[..., 0].size
    before, start, began = peak(), time.perf_counter(), time.process_time()
    if is_whole:
        kqf.write(path, pixels, **options)
    else:
        with reporting(array, None, progress(), PASSES):
            kqf.write_dask(path, array, **by_block)
    cpu = (time.process_time() - began) / side**2 - PASSES * making
    return {"seconds": time.perf_counter() - start, "cpu": cpu, "peak_mib": peak() - before}


def first_picture(path: str) -> dict[str, float]:
    """Open a file and read its smallest overview."""
    start = time.perf_counter()
    with Counting(path) as counted, kqf.open(counted) as file:
        file.read(scale=max(file.info.scales, default=1))
        return {"taken": counted.taken, "seconds": time.perf_counter() - start}


def read(path: str, side: int, regions: int) -> dict[str, float]:
    before, random = peak(), np.random.default_rng(0)
    taken, seconds = [], []
    size = Path(path).stat().st_size
    for _ in range(regions):
        left, upper = (int(at) for at in random.integers(0, side - REGION + 1, 2))
        with Counting(path) as file:
            start = time.perf_counter()
            found = kqf.open(file).read((left, upper, left + REGION, upper + REGION))
            seconds.append(time.perf_counter() - start)
            taken.append(file.taken / size)
        assert found.shape[:2] == (REGION, REGION)
    return {"share": max(taken), "seconds": max(seconds), "peak_mib": peak() - before}


def convert(source: str, target: str, longer: int | None) -> dict[str, float]:
    before = peak()
    start = time.perf_counter()
    size = None if longer is None else Size(longer=longer)
    convert_file(Job(source, target, named=True), ConversionOptions(size=size))
    return {"seconds": time.perf_counter() - start, "peak_mib": peak() - before}


def apart(work: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """Run a function in a fresh process, whose peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["photographs", "noise"])
    parser.add_argument("--sides", nargs="+", type=int, default=[8192, 16384, 32768])
    parser.add_argument("--effort", type=int, default=5)
    parser.add_argument("--quality", type=int)
    parser.add_argument("--regions", type=int, default=8)
    parser.add_argument("--folder", help="for the files made; a temporary one if not given")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--bits", type=float)
    for target in TARGETS:
        parser.add_argument(f"--{target}", type=float)
    parser.add_argument("--convert", action="store_true")
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args(arguments)
    targets = {name: getattr(asked, name) for name in TARGETS if getattr(asked, name) is not None}
    if (targets or asked.bits) and not asked.whole:
        parser.error("targets are for whole images: give --whole with them")
    options = {"effort": asked.effort, "quality": asked.quality} | targets
    lines = [
        "| image | megapixels | seconds | CPU s / megapixel | peak MiB | bytes | bits / pixel "
        "| overviews / rest | first picture: bytes | seconds "
        "| region: bytes | seconds | peak MiB |",
        "|" + "---|" * 13,
    ]
    print(*lines, sep="\n", flush=True)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for kind, side in product(asked.kinds, asked.sides):
            path = str(Path(folder) / f"{side}.kqf")
            if asked.bits:
                options["max_bytes"] = int(asked.bits * side * side / 8)
            made = apart(encode, path, side, kind, options, asked.whole)
            size, pixels = Path(path).stat().st_size, side * side
            overviews = kqf.info(path).part_bytes.get("overviews", 0)
            first = apart(first_picture, path)
            regions = apart(read, path, side, asked.regions)
            lines.append(
                f"| {kind} | {pixels / 1e6:.0f} | {made['seconds']:.0f} "
                f"| {made['cpu'] * 1e6:.3f} | {made['peak_mib']:.0f} | {size} "
                f"| {8 * size / pixels:.2f} | {overviews / (size - overviews):.1%} "
                f"| {first['taken'] / size:.3%} | {first['seconds']:.3f} "
                f"| {regions['share']:.2%} | {regions['seconds']:.2f} "
                f"| {regions['peak_mib']:.0f} |"
            )
            print(lines[-1], flush=True)
            for suffix, longer in ((".tif", None), (".zarr", None), (".png", 1000)):
                if asked.convert:
                    done = apart(convert, path, str(Path(path).with_suffix(suffix)), longer)
                    print(f"{suffix}: {done['seconds']:.0f} s, peak {done['peak_mib']:.0f} MiB")
            Path(path).unlink()
    if asked.markdown:
        asked.markdown.write_text("\n".join(lines) + "\n", "utf-8")
