"""Bytes of the same labels in lossless formats, image by image: for graphics of few colours.

    python tools/benchmark.py graphics FOLDER ... [--colors N] [--json FILE] [--markdown FILE]

Each image is reduced to labels once, by ``kqf.quantize(quality=100)``; alpha is kept. The labels
are stored as KQF, the codebook in any order, by default and with ``effort=9``, as PNG8 (oxipng,
level 6), as lossless WebP (method 6, quality 100, exact), and as lossless JPEG XL (effort 9) where
cjxl or imagecodecs is there. Of two colours or fewer, PNG has one bit a pixel. For each folder the
last rows are the
geometric mean of KQF's bytes as a share of each, and the worst image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

import kqf

from .encoders import jpeg_xl, png8, webp
from .images import Picture, pictures
from .output import add_images, add_output, geometric_mean, parser_for, table, write

KQF, BEST = "KQF", "KQF effort 9"


@dataclass(frozen=True)
class Sizes:
    """What one image takes: bytes by format, in the order of the columns."""

    folder: str
    name: str
    colors: int
    bytes: dict[str, int]


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    add_images(parser)
    parser.add_argument("--colors", type=int, default=256, metavar="N", help="at most")
    add_output(parser)
    asked = parser.parse_args(arguments)
    results = [measure(picture, asked.colors) for picture in pictures(asked.places)]
    groups = groupby(results, key=lambda sizes: sizes.folder)
    write(asked, "\n\n".join(folder_table(f, list(g)) for f, g in groups) + "\n", results)


def measure(picture: Picture, colors: int) -> Sizes:
    """Store an image in all formats, and check that KQF gives the labels back."""
    image = kqf.quantize(picture.pixels, colors=colors, quality=100)
    # These pixels are stored exactly; the order of the codebook is the encoder's, as for PNG.
    files = {KQF: kqf.encode(image.pixels, colors=colors)}
    files[BEST] = kqf.encode(image.pixels, colors=colors, effort=9)
    for data in files.values():
        if not np.array_equal(kqf.decode(data), image.pixels):
            raise SystemExit(f"{picture.name}: KQF gives other pixels")
    pixels = image.pixels
    files |= {"PNG8": png8(image), "WebP": webp(pixels)}
    if (data := jpeg_xl(pixels)) is not None:
        files["JPEG XL"] = data
    sizes = {name: len(data) for name, data in files.items()}
    return Sizes(picture.folder, picture.name, len(image.codebook), sizes)


def folder_table(folder: str, group: Sequence[Sizes]) -> str:
    formats = list(group[0].bytes)
    head = ("Image", "Colours", *formats)
    rows = [(s.name, s.colors, *(f"{n:,}" for n in s.bytes.values())) for s in group]
    return f"## {folder}\n\n{table(head, [*rows, *summary(group, formats)])}"


def summary(group: Sequence[Sizes], formats: Sequence[str]) -> Iterator[Sequence[object]]:
    """Yield means and worst images of KQF's bytes as a share of each other format's."""
    for ours in (KQF, BEST):
        shares = {
            name: {sizes.name: sizes.bytes[ours] / sizes.bytes[name] for sizes in group}
            for name in formats
        }
        others = [name for name in formats if name not in (KQF, BEST)]
        means = (f"{geometric_mean(list(shares[name].values())):.3f}" for name in others)
        yield (f"{ours}, mean share", "", "", "", *means)
        worst = (max(shares[name].items(), key=lambda item: item[1]) for name in others)
        yield (f"{ours}, worst", "", "", "", *(f"{share:.3f} {name}" for name, share in worst))
