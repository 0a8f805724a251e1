"""Segmentation masks: the same labels as KQF and as PNG8, exactly.

    pip install '.[bench,ssim]'
    python tools/benchmark.py masks [MASK ...]

Masks are images of mode L or P, whose values are the labels. Without any, it makes some of
scikit-learn's sample photographs with scikit-image: superpixels, regions grown, classes by colour.
It prints the bytes of PNG8 by Pillow (optimised), by oxipng (level 6) and of KQF, at default
effort, and checks that labels come back as they were.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import kqf

from .encoders import optimized, palette_image, save
from .images import samples
from .output import geometric_mean, parser_for, table


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


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("masks", nargs="*", type=Path, metavar="MASK")
    rows, shares = [], []
    for name, labels in masks(parser.parse_args(arguments).masks):
        colors = int(labels.max()) + 1
        codebook = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)[:colors]
        data = kqf.encode_indexed(labels, codebook)
        if not np.array_equal(kqf.read_indexed(data).labels, labels):
            raise SystemExit(f"{name}: KQF gives other labels")
        plain = save(palette_image(labels, codebook), "PNG", optimize=True)
        small = len(optimized(plain))
        shares.append(len(data) / small)
        distinct = len(np.unique(labels))
        rows.append((name, distinct, len(plain), small, len(data), f"{shares[-1]:.3f}"))
    head = ("mask", "labels", "PNG8, Pillow", "PNG8, oxipng", "KQF", "KQF / oxipng")
    print(table(head, rows))
    print(f"\ngeometric mean {geometric_mean(shares):.3f}, worst {max(shares):.3f}")
