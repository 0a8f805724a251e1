"""Sizes and errors of KQF beside PNG8 by oxipng and palettes by libimagequant, in one run.

    pip install '.[bench]'
    python tools/benchmark.py [FOLDER|IMAGE ...]

Without arguments it takes scikit-learn's two sample photographs. Two tables are printed:

- the same labels, without any loss, as KQF and as PNG8 (oxipng, level 6), bytes and their ratio;
- the squared error of codebooks of 16, 64 and 256 colours (``metric="mse"``) as a share of
  libimagequant's at its slowest setting, undithered.
"""

import argparse
import io
from pathlib import Path

import libimagequant
import numpy as np
import oxipng
from PIL import Image
from sklearn.datasets import load_sample_images

import kqf

COLORS = (16, 64, 256)


def images_from(places: list[Path]) -> dict[str, np.ndarray]:
    """Return RGB or RGBA pixels by name."""
    if not places:
        samples = load_sample_images()
        names = [Path(name).name for name in samples.filenames]
        return dict(zip(names, samples.images, strict=True))
    paths = [
        path
        for place in places
        for path in (sorted(place.iterdir()) if place.is_dir() else [place])
        if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif")
    ]
    pixels = {}
    for path in paths:
        with Image.open(path) as image:
            mode = "RGBA" if image.has_transparency_data else "RGB"
            pixels[path.name] = np.asarray(image.convert(mode))
    return pixels


def png8(image: kqf.IndexedImage) -> bytes:
    """Return labels and codebook as a PNG, optimised by oxipng at level 6."""
    height, width = image.labels.shape
    picture = Image.frombytes("P", (width, height), image.labels.tobytes())
    picture.putpalette(image.codebook.tobytes(), "RGBA" if image.codebook.shape[1] == 4 else "RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return bytes(oxipng.optimize_from_memory(buffer.getvalue(), level=6))


def error(pixels: np.ndarray, result: np.ndarray) -> float:
    """Return the mean over pixels of the squared error, on premultiplied colour with alpha."""
    difference = premultiply(pixels) - premultiply(result)
    return float((difference**2).sum(axis=2).mean())


def premultiply(pixels: np.ndarray) -> np.ndarray:
    values = pixels.astype(np.float64)
    if pixels.shape[2] == 4:
        values[..., :3] *= values[..., 3:] / 255
    return values


def by_libimagequant(pixels: np.ndarray, colors: int) -> np.ndarray:
    """Return RGBA pixels quantized by libimagequant at speed 1, undithered."""
    rgba = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])[..., :4]
    settings = libimagequant.Attr()
    settings.max_colors = colors
    settings.speed = 1
    image = settings.create_rgba(np.ascontiguousarray(rgba).tobytes(), *pixels.shape[1::-1], 0)
    result = image.quantize(settings)
    result.dithering_level = 0
    labels = np.frombuffer(bytes(result.remap_image(image)), np.uint8)
    palette = np.array([(c.r, c.g, c.b, c.a) for c in result.get_palette()], np.uint8)
    return palette[labels].reshape(*pixels.shape[:2], 4)


def mean(ratios: list[float]) -> float:
    return float(np.exp(np.log(ratios).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("places", nargs="*", type=Path, metavar="FOLDER|IMAGE")
    images = images_from(parser.parse_args().places)

    print("the same labels, 256 colours, no loss\n")
    print(f"{'image':24} {'PNG8 bytes':>12} {'KQF bytes':>12} {'ratio':>7}")
    ratios = []
    for name, pixels in images.items():
        data = kqf.encode(pixels)
        peer = len(png8(kqf.read_indexed(data)))
        ratios.append(len(data) / peer)
        print(f"{name:24} {peer:12,} {len(data):12,} {ratios[-1]:7.3f}")
    print(f"{'geometric mean':50} {mean(ratios):7.3f}")
    print(f"{'worst':50} {max(ratios):7.3f}")

    print("\nsquared error as a share of libimagequant's\n")
    print(f"{'image':24}" + "".join(f"{count:>12}" for count in COLORS))
    shares: dict[int, list[float]] = {count: [] for count in COLORS}
    for name, pixels in images.items():
        for count in COLORS:
            ours = error(pixels, kqf.decode(kqf.encode(pixels, colors=count, metric="mse")))
            theirs = error(pixels, by_libimagequant(pixels, count)[..., : pixels.shape[2]])
            # Both exact: nothing to compare.
            shares[count].append(ours / theirs if theirs else 1.0)
        print(f"{name:24}" + "".join(f"{shares[count][-1]:12.3f}" for count in COLORS))
    print(f"{'geometric mean':24}" + "".join(f"{mean(shares[count]):12.3f}" for count in COLORS))
    print(f"{'worst':24}" + "".join(f"{max(shares[count]):12.3f}" for count in COLORS))


if __name__ == "__main__":
    main()
