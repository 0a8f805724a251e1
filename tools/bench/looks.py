"""How pictures look for their bytes: KQF beside pngquant's library, dithered and not.

    pip install '.[bench]'
    python tools/benchmark.py looks [FOLDER|IMAGE ...] [--json FILE] [--markdown FILE]

For each image and setting it prints bytes, SSIMULACRA2 (more is better), FLIP and Butteraugli (less
is better; Butteraugli if its command is there, as in Debian's package of that name), PSNR of both
images after a blur of sigma 3 (flat areas as seen from afar), and two marks of the search: label
changes at the edges of tiles as a share of those in the columns beside them, and in calm areas
changes along rows as a share of those along columns; both are 1 where nothing is seen.

PNG8 is by libimagequant (speed 3) and oxipng. Below, the SSIMULACRA2 of each way of KQF, mean and
worst; geometric means; the bytes of KQF at the SSIMULACRA2 of dithered PNG8 of as many colours,
interpolated between qualities, as a share of its bytes; and on how many images KQF is better by all
measures. Without folders or images it takes scikit-learn's two sample photographs; images with
alpha are left out.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

import kqf
from kqf.quantization.visibility import weight_classes

from .encoders import by_libimagequant, png8, save
from .images import pictures
from .output import add_images, add_output, geometric_mean, parser_for, table, write

DEFAULT, DITHERED = "KQF", "KQF dithered"
PNG8, PNG8_DITHERED = "PNG8", "PNG8 dithered"
FEWER, FEWER_DITHERED = "KQF, 64 colours", "KQF, 64 colours dithered"
PNG8_FEWER, PNG8_FEWER_DITHERED = "PNG8, 64 colours", "PNG8, 64 colours dithered"
KQF_OPTIONS: dict[str, kqf.EncodeOptions] = {
    "KQF, quality 100": {"quality": 100},
    DEFAULT: {},
    "KQF, quality 50": {"quality": 50},
    "KQF, quality 25": {"quality": 25},
    "KQF, quality 10": {"quality": 10},
    DITHERED: {"dither": "floyd-steinberg"},
    "KQF, calm areas dithered": {"dither": "floyd-steinberg", "quality": 75},
    FEWER: {"colors": 64},
    "KQF, 64 colours, quality 50": {"colors": 64, "quality": 50},
    "KQF, 64 colours, quality 25": {"colors": 64, "quality": 25},
    "KQF, 64 colours, quality 10": {"colors": 64, "quality": 10},
    FEWER_DITHERED: {"colors": 64, "dither": "floyd-steinberg"},
    "KQF, 16 colours": {"colors": 16},
    "KQF, 16 colours dithered": {"colors": 16, "dither": "floyd-steinberg"},
}
PNG8_OPTIONS = {
    PNG8: (256, False),
    PNG8_DITHERED: (256, True),
    PNG8_FEWER: (64, False),
    PNG8_FEWER_DITHERED: (64, True),
}
# Those that differ in quality alone.
BY_QUALITY = ("KQF, quality 10", "KQF, quality 25", "KQF, quality 50", DEFAULT)
FEWER_BY_QUALITY = (
    "KQF, 64 colours, quality 10",
    "KQF, 64 colours, quality 25",
    "KQF, 64 colours, quality 50",
    FEWER,
)
BUTTERAUGLI = "butteraugli"
# Classes of weight from this one on are calm.
CALM = 5


@dataclass(frozen=True)
class Look:
    """One image stored in one way."""

    image: str
    way: str
    bytes: int
    ssimulacra2: float
    flip: float
    blurred_psnr: float
    seams: float | None = None
    streaks: float | None = None
    butteraugli: float | None = None

    def is_better_than(self, other: "Look") -> bool:
        """Return whether it looks better by every measure that both have."""
        better = self.ssimulacra2 > other.ssimulacra2 and self.flip < other.flip
        if self.butteraugli is None or other.butteraugli is None:
            return better
        return better and self.butteraugli < other.butteraugli


def main(arguments: Sequence[str]) -> None:
    parser = parser_for(__doc__)
    add_images(parser)
    add_output(parser)
    asked = parser.parse_args(arguments)
    if not shutil.which(BUTTERAUGLI):
        print(f"Butteraugli is left out: there is no command {BUTTERAUGLI}.", file=sys.stderr)
    looks: list[Look] = []
    for picture in pictures(asked.places):
        if picture.pixels.shape[2] == 3:
            looks += measure(picture.name, picture.pixels)
    head = (
        "Image",
        "Way",
        "Bytes",
        "SSIMULACRA2",
        "FLIP",
        "Butteraugli",
        "Blurred PSNR",
        "Seams",
        "Streaks",
    )
    rows = [
        (
            look.image,
            look.way,
            f"{look.bytes:,}",
            f"{look.ssimulacra2:.2f}",
            f"{look.flip:.4f}",
            "" if look.butteraugli is None else f"{look.butteraugli:.2f}",
            f"{look.blurred_psnr:.2f}",
            *("" if mark is None else f"{mark:.2f}" for mark in (look.seams, look.streaks)),
        )
        for look in looks
    ]
    write(asked, f"{table(head, rows)}\n\n{summary(looks)}\n", looks)


def measure(name: str, original: np.ndarray) -> list[Look]:
    """Store an image in every way."""
    found = []
    for way, options in KQF_OPTIONS.items():
        data = kqf.encode(original, **options)
        image, tile = kqf.read_indexed(data), kqf.info(data).tile_width
        marks = seams(image.labels, tile), streaks(original, image.labels)
        found.append(look(name, way, original, image.pixels, len(data), *marks))
    for way, (colors, dithered) in PNG8_OPTIONS.items():
        image = by_libimagequant(original, colors, speed=3, dithered=dithered)
        found.append(look(name, way, original, image.pixels, len(png8(image))))
    return found


def look(
    name: str,
    way: str,
    original: np.ndarray,
    pixels: np.ndarray,
    size: int,
    seams: float | None = None,
    streaks: float | None = None,
) -> Look:
    import flip_evaluator
    from ssimulacra2 import compute_ssimulacra2

    pngs = [save(Image.fromarray(p), "PNG", compress_level=1) for p in (original, pixels)]
    scaled = (np.ascontiguousarray(p, np.float32) / 255 for p in (original, pixels))
    _, flip, _ = flip_evaluator.evaluate(*scaled, "LDR", applyMagma=False)
    blurred = (gaussian_filter(p.astype(float), (3, 3, 0)) for p in (original, pixels))
    error = float(np.mean(np.subtract(*blurred) ** 2))
    psnr = 10 * np.log10(255**2 / error) if error else np.inf
    score = compute_ssimulacra2(*map(io.BytesIO, pngs))
    return Look(name, way, size, score, flip, psnr, seams, streaks, butteraugli(pngs))


def butteraugli(pngs: Sequence[bytes]) -> float | None:
    """Return the distance of two PNGs by the command, None if there is none."""
    if not shutil.which(BUTTERAUGLI):
        return None
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.png") for number in range(len(pngs))]
        for path, png in zip(paths, pngs, strict=True):
            path.write_bytes(png)
        found = subprocess.run([BUTTERAUGLI, *paths], capture_output=True, text=True, check=True)
    return float(found.stdout)


def seams(labels: np.ndarray, tile: int) -> float | None:
    """Return label changes at edges of tiles as a share of those two columns beside them."""
    changes = (labels[:, 1:] != labels[:, :-1]).mean(axis=0)
    edges = np.arange(tile, labels.shape[1] - 3, tile) - 1
    if not len(edges):
        return None
    beside = changes[np.concatenate([edges - 2, edges - 1, edges + 1, edges + 2])].mean()
    return float(changes[edges].mean() / beside) if beside else None


def streaks(original: np.ndarray, labels: np.ndarray) -> float | None:
    """Return in calm areas label changes along rows as a share of those along columns."""
    luma = np.asarray(Image.fromarray(original).convert("L"))
    calm = weight_classes(luma) >= CALM
    along = (labels[:, 1:] != labels[:, :-1])[calm[:, 1:]]
    down = (labels[1:] != labels[:-1])[calm[1:]]
    return float(along.mean() / down.mean()) if down.any() else None


def summary(looks: Sequence[Look]) -> str:
    """Return means over all images, and how KQF compares with PNG8."""
    by_image: dict[str, dict[str, Look]] = {}
    for one in looks:
        by_image.setdefault(one.image, {})[one.way] = one
    lines = []
    for way in KQF_OPTIONS:
        scores = [ways[way].ssimulacra2 for ways in by_image.values()]
        mean, worst = np.mean(scores), min(scores)
        lines.append(f"{way}: SSIMULACRA2 {mean:.1f} in the mean, {worst:.1f} at worst.")
    for way, other in (
        (DEFAULT, PNG8),
        (DITHERED, PNG8_DITHERED),
        (FEWER, PNG8_FEWER),
        (FEWER_DITHERED, PNG8_FEWER_DITHERED),
    ):
        pairs = [(ways[way], ways[other]) for ways in by_image.values()]
        share = geometric_mean([ours.bytes / theirs.bytes for ours, theirs in pairs])
        better = sum(a.is_better_than(b) for a, b in pairs)
        afar = min(a.blurred_psnr - b.blurred_psnr for a, b in pairs)
        lines.append(
            f"{way} has {share:.3f} of the bytes of {other}, looks better by all measures on "
            f"{better} of {len(pairs)} images, and its blurred PSNR is at worst {afar:+.1f} dB."
        )
    for names, other in ((BY_QUALITY, PNG8_DITHERED), (FEWER_BY_QUALITY, PNG8_FEWER_DITHERED)):
        shares = [at_equal_looks(ways, names, other) for ways in by_image.values()]
        reached = [share for share in shares if share is not None]
        if reached:
            lines.append(
                f"At the SSIMULACRA2 of {other}, KQF has {geometric_mean(reached):.3f} of its "
                f"bytes, at worst {max(reached):.3f}; it reaches it on {len(reached)} of "
                f"{len(shares)}."
            )
    return "\n".join(lines)


def at_equal_looks(ways: dict[str, Look], names: Sequence[str], other: str) -> float | None:
    """Return KQF's share of the bytes of ``other`` at its looks; None if it has no such looks.

    Arguments:
        names: ways that differ in quality alone, from low to high.
    """
    ours, theirs = [ways[name] for name in names], ways[other]
    scores = [one.ssimulacra2 for one in ours]
    if scores[-1] < theirs.ssimulacra2:
        return None
    # Where even the lowest quality looks better, it is compared as it is.
    size = np.exp(np.interp(theirs.ssimulacra2, scores, np.log([one.bytes for one in ours])))
    return float(size) / theirs.bytes
