"""Labels and codebooks apart: the bytes of the same labels, the error of as many colours.

    python tools/benchmark.py parts [FOLDER|IMAGE ...]

- The same labels, without any loss, as KQF and as PNG8 (oxipng, level 6): bytes and their ratio.
- The squared error of codebooks of 16, 64 and 256 colours (``metric="mse"``) as a share of
  libimagequant's at its slowest setting, undithered.
"""

from collections.abc import Sequence

import numpy as np

import kqf

from .encoders import by_libimagequant, png8
from .images import pictures
from .output import add_images, geometric_mean, parser_for, table

COLORS = (16, 64, 256)


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    add_images(parser)
    found = list(pictures(parser.parse_args(arguments).places))
    rows = []
    ratios: list[float] = []
    for picture in found:
        data = kqf.encode(picture.pixels, quality=100)
        peer = len(png8(kqf.read_indexed(data)))
        ratios.append(len(data) / peer)
        rows.append((picture.name, f"{peer:,}", f"{len(data):,}", f"{ratios[-1]:.3f}"))
    rows.append(("geometric mean", "", "", f"{geometric_mean(ratios):.3f}"))
    rows.append(("worst", "", "", f"{max(ratios):.3f}"))
    print("The same labels, 256 colours, no loss\n")
    print(table(("image", "PNG8 bytes", "KQF bytes", "ratio"), rows))

    shares = [[error_share(picture.pixels, count) for count in COLORS] for picture in found]
    rows = [(p.name, *(f"{s:.3f}" for s in row)) for p, row in zip(found, shares, strict=True)]
    for name, combine in (("geometric mean", geometric_mean), ("worst", max)):
        rows.append((name, *(f"{combine(column):.3f}" for column in zip(*shares, strict=True))))
    print("\nSquared error as a share of libimagequant's\n")
    print(table(("image", *(f"{count} colours" for count in COLORS)), rows))


def error_share(pixels: np.ndarray, colors: int) -> float:
    """Return KQF's squared error as a share of libimagequant's, 1 where both are exact."""
    data = kqf.encode(pixels, colors=colors, metric="mse", quality=100)
    ours = kqf.psnr(pixels, kqf.decode(data))
    theirs = kqf.psnr(pixels, by_libimagequant(pixels, colors).pixels)
    return 1.0 if ours == theirs else 10 ** ((theirs - ours) / 10)
