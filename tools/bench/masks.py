"""Label arrays: the same labels as KQF, PNG8 and Blosc, exactly.

    pip install '.[bench,ssim,zarr]'
    python tools/benchmark.py masks [--chunk SIDE] [MASK ...]

Masks are images of mode L or P, whose values are the labels. Without any, it makes some of
scikit-learn's sample photographs with scikit-image: superpixels, regions grown, classes by colour,
a threshold, and what no codec is for: 256 colours of a photograph, and noise.

It prints the bytes of PNG8 by Pillow (optimised) and by oxipng (level 6), of Blosc's zstd with
bitshuffle at level 5 and without shuffle at level 9, its smallest, and of KQF as the codec of
numcodecs and zarr has it, at efforts 1 and 5: of all chunks of a mask together, which is one chunk
unless their side is given. Then it prints the CPU time of the codecs. It checks that labels come
back as they were.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numcodecs import Blosc
from PIL import Image

import kqf
from kqf.plugins.numcodecs import Kqf

from .encoders import optimized, palette_image, save
from .images import samples
from .output import geometric_mean, parser_for, table

CODECS = {
    "zstd 5, bitshuffle": Blosc("zstd", 5, Blosc.BITSHUFFLE),
    "zstd 9": Blosc("zstd", 9, Blosc.NOSHUFFLE),
    "KQF, effort 1": Kqf(1),
    "KQF": Kqf(),
}


def masks(paths: Sequence[Path]) -> Iterator[tuple[str, np.ndarray]]:
    for path in paths:
        image = Image.open(path)
        if image.mode not in ("L", "P"):
            raise SystemExit(f"{path}: expected mode L or P, found {image.mode}")
        yield path.name, np.asarray(image)
    if paths:
        return
    from skimage.segmentation import felzenszwalb, slic

    for file, photograph in samples().items():
        name = Path(file).stem
        yield f"{name}, superpixels", slic(photograph, 200, start_label=0).astype(np.uint8)
        regions = felzenszwalb(photograph, scale=600, sigma=1, min_size=400)
        yield f"{name}, regions", (regions % 256).astype(np.uint8)
        yield f"{name}, 8 classes", kqf.quantize(photograph, colors=8, quality=100).labels
        yield f"{name}, threshold", (photograph[..., 1] > 120).astype(np.uint8)
        yield f"{name}, 256 colours", kqf.quantize(photograph, quality=100).labels
    yield "noise, 16 labels", np.random.default_rng(0).integers(0, 16, (512, 512), dtype=np.uint8)


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("masks", nargs="*", type=Path, metavar="MASK")
    parser.add_argument("--chunk", type=int, metavar="SIDE", help="side of chunks in pixels")
    asked = parser.parse_args(arguments)
    rows, pixels = [], 0
    shares: dict[str, list[float]] = {"oxipng": [], "zstd 5, bitshuffle": [], "zstd 9": []}
    seconds = {name: np.zeros(2) for name in CODECS}
    for name, labels in masks(asked.masks):
        sizes = dict.fromkeys(("Pillow", "oxipng", *CODECS), 0)
        for chunk in chunks_of(labels, asked.chunk):
            codebook = np.repeat(np.arange(int(chunk.max()) + 1, dtype=np.uint8)[:, None], 3, 1)
            png = save(palette_image(chunk, codebook), "PNG", optimize=True)
            sizes["Pillow"] += len(png)
            sizes["oxipng"] += len(optimized(png))
            for codec in CODECS:
                size, times = measure(codec, chunk)
                sizes[codec] += size
                seconds[codec] += times
        pixels += labels.size
        for other, ratios in shares.items():
            ratios.append(sizes["KQF"] / sizes[other])
        ratio = f"{sizes['KQF'] / min(sizes[other] for other in shares):.3f}"
        rows.append((name, len(np.unique(labels)), *sizes.values(), ratio))
    print(table(("mask", "labels", *sizes, "KQF / best other"), rows))
    print()
    for other, ratios in shares.items():
        mean, worst = geometric_mean(ratios), max(ratios)
        print(f"KQF / {other}: geometric mean {mean:.3f}, worst {worst:.3f}")
    print()
    times = [(name, *(f"{1e9 * each / pixels:.1f}" for each in seconds[name])) for name in CODECS]
    print(table(("codec", "encode, ms / megapixel", "decode, ms / megapixel"), times))


def chunks_of(labels: np.ndarray, side: int | None) -> Iterator[np.ndarray]:
    height, width = labels.shape
    for upper in range(0, height, side or height):
        for left in range(0, width, side or width):
            yield labels[upper:, left:][: side or height, : side or width].copy()


def measure(codec: str, labels: np.ndarray) -> tuple[int, tuple[float, float]]:
    """Return the bytes that a codec makes of a chunk, and the seconds to encode and decode it."""
    start = time.process_time()
    data = CODECS[codec].encode(labels)
    encoded = time.process_time()
    found = np.frombuffer(CODECS[codec].decode(data), np.uint8)
    decoded = time.process_time()
    if not np.array_equal(found, labels.ravel()):
        raise SystemExit(f"{codec} gives other labels")
    return len(data), (encoded - start, decoded - encoded)
