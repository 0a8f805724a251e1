"""KQF beside palette PNG, lossless WebP, JPEG XL, AVIF and JPEG: bytes, on average and at worst.

    pip install '.[bench]'
    python tools/benchmark.py others [FOLDER|IMAGE ...] [--colors N] [--json FILE]
                                     [--markdown FILE]

Without folders or images it takes scikit-learn's two sample photographs. Each row is the bytes of
KQF as a share of another encoder's, below 1 where KQF is smaller: the geometric mean over the
images of a folder and, in parentheses, the worst image. There are two tables:

- the same picture, exactly: labels and colours of KQF at quality 100, stored by KQF, as PNG8 by
  oxipng (level 6), as lossless WebP (quality 100, method 6) and as lossless JPEG XL (effort 9);
- equal looks: KQF at its default setting beside others at the SSIMULACRA2 that it reaches, as PNG8
  by libimagequant (slowest, with dithering) and oxipng, and as JPEG XL, AVIF and JPEG, which need
  no palette. PNG8 has as many colours as KQF and the looks that come of that: the table says by how
  many points it looks better or worse on average. Images that another format never shows so well,
  as those that KQF stores without loss, are counted apart. Images with alpha are left out.

JPEG XL needs imagecodecs or, for the first table, cjxl. AVIF needs a Pillow that has it.
"""

import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, features

import kqf

from .encoders import by_libimagequant, jpeg_xl, png8, save, webp
from .images import Picture, pictures
from .output import add_images, add_output, decimals, geometric_mean, parser_for, table, write

SAME, LOOKS = "the same picture, exactly", "equal looks"
# Quality settings of JPEG, AVIF and (as ten times 10 - distance) JPEG XL are searched this finely.
STEPS = 7


@dataclass(frozen=True)
class Result:
    """One image as KQF and by another encoder.

    Attributes:
        part: which table it belongs to.
        folder, image, encoder: names.
        kqf_bytes, bytes: sizes of the two files.
        difference: points of SSIMULACRA2 by which the other file looks better than KQF.
    """

    part: str
    folder: str
    image: str
    encoder: str
    kqf_bytes: int
    bytes: int
    difference: float = 0.0

    @property
    def share(self) -> float:
        return self.kqf_bytes / self.bytes


def same_picture(picture: Picture, colors: int) -> list[Result]:
    """Store labels and colours of one image in formats that lose nothing."""
    image = kqf.quantize(picture.pixels, colors=colors, quality=100)
    size = len(kqf.encode_indexed(image.labels, image.codebook))
    files = {
        "PNG8, oxipng": png8(image),
        "WebP, lossless": webp(image.pixels),
        "JPEG XL, lossless": jpeg_xl(image.pixels),
    }
    return [
        Result(SAME, picture.folder, picture.name, name, size, len(data))
        for name, data in files.items()
        if data
    ]


def equal_looks(picture: Picture, colors: int) -> list[Result]:
    """Store one image, RGB, in formats that lose something, so that it looks like KQF's."""
    data = kqf.encode(picture.pixels, colors=colors)
    original = as_png(picture.pixels)
    wanted = score(original, kqf.decode(data))
    reduced = by_libimagequant(picture.pixels, colors, dithered=True)
    results = [
        Result(
            LOOKS,
            picture.folder,
            picture.name,
            f"PNG8, {PNGQUANT}",
            len(data),
            len(png8(reduced)),
            score(original, reduced.pixels) - wanted,
        )
    ]
    for name, encode in lossy_encoders().items():
        smallest = smallest_that_looks(encode, picture.pixels, original, wanted)
        if smallest is not None:
            results.append(Result(LOOKS, picture.folder, picture.name, name, len(data), *smallest))
    return results


PNGQUANT = "libimagequant (dithered) and oxipng"


def lossy_encoders() -> dict[str, Callable[[np.ndarray, int], bytes]]:
    """Return encoders from pixels and a quality of 1 to 100 to files that Pillow or we can read."""
    found: dict[str, Callable[[np.ndarray, int], bytes]] = {"JPEG": jpeg}
    if features.check("avif"):
        found["AVIF"] = avif
    if has_jpeg_xl():
        found["JPEG XL"] = lossy_jpeg_xl
    return found


def jpeg(pixels: np.ndarray, quality: int) -> bytes:
    return save(Image.fromarray(pixels), "JPEG", quality=quality, optimize=True, subsampling=0)


def avif(pixels: np.ndarray, quality: int) -> bytes:
    return save(Image.fromarray(pixels), "AVIF", quality=quality, speed=6, subsampling="4:4:4")


def has_jpeg_xl() -> bool:
    try:
        from imagecodecs import JPEGXL
    except ImportError:
        return False
    return bool(JPEGXL.available)


def lossy_jpeg_xl(pixels: np.ndarray, quality: int) -> bytes:
    from imagecodecs import jpegxl_encode

    return bytes(jpegxl_encode(pixels, distance=0.1 * (101 - quality), effort=7))


def opened(data: bytes) -> np.ndarray:
    """Return the pixels of a file, RGB."""
    if data[:2] == b"\xff\x0a" or data[4:8] == b"JXL ":
        from imagecodecs import jpegxl_decode

        return np.asarray(jpegxl_decode(data))
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def smallest_that_looks(
    encode: Callable[[np.ndarray, int], bytes], pixels: np.ndarray, original: bytes, wanted: float
) -> tuple[int, float] | None:
    """Return size and score, less the one wanted, of the lowest quality that reaches it."""
    low, high = 0, 100
    best = None
    for _ in range(STEPS):
        middle = (low + high + 1) // 2
        data = encode(pixels, middle)
        found = score(original, opened(data))
        if found >= wanted:
            best, high = (len(data), found - wanted), middle
        else:
            low = middle
        if high - low <= 1:
            break
    return best


def as_png(pixels: np.ndarray) -> bytes:
    return save(Image.fromarray(pixels), "PNG", compress_level=1)


def score(original: bytes, pixels: np.ndarray) -> float:
    """Return SSIMULACRA2 of RGB pixels against a PNG: at most 100, 90 looks the same."""
    from ssimulacra2 import compute_ssimulacra2

    return float(compute_ssimulacra2(io.BytesIO(original), io.BytesIO(as_png(pixels))))


def lines(results: Sequence[Result], part: str) -> str:
    """Return the table of one part, with a column for each folder."""
    own = [result for result in results if result.part == part]
    folders = list(dict.fromkeys(result.folder for result in own))
    rows = []
    for encoder in dict.fromkeys(result.encoder for result in own):
        row = [encoder]
        for folder in folders:
            found = [it for it in own if (it.folder, it.encoder) == (folder, encoder)]
            shares = [result.share for result in found]
            points = sum(result.difference for result in found) / len(found) if found else 0
            looks = f"; looks {abs(points):.0f} {'better' if points > 0 else 'worse'}"
            mean = decimals(geometric_mean(shares), 2) if found else "-"
            worst = f" ({decimals(max(shares), 2)})" if found else ""
            images = len({result.image for result in own if result.folder == folder})
            never = f"; never so good: {images - len(found)} of {images}"
            row.append(
                mean
                + worst
                + (looks if abs(points) >= 1 else "")
                + (never if len(found) < images else "")
            )
        rows.append(row)
    return table(["KQF's bytes as a share of", *folders], rows)


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    parser = parser_for(__doc__)
    add_images(parser)
    parser.add_argument("--colors", type=int, default=256)
    add_output(parser)
    chosen = parser.parse_args(arguments)
    results: list[Result] = []
    count = 0
    for picture in pictures(chosen.places):
        count += 1
        results += same_picture(picture, chosen.colors)
        if picture.pixels.shape[2] == 3:
            results += equal_looks(picture, chosen.colors)
        print(f"{picture.name}: done", file=sys.stderr, flush=True)
    text = f"{count} images, {chosen.colors} colours\n"
    for part in (SAME, LOOKS):
        if any(result.part == part for result in results):
            text += f"\n{part.capitalize()}:\n\n{lines(results, part)}\n"
    write(chosen, text, results)
